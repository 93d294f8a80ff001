#!/usr/bin/env bash
# Runs every check of this repository, in the order in which they say most for
# the time they take, and goes on after a failed one: one run tells all. The slow
# builds go on beside the static checks.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=()
heading() { printf '\n=== [%02d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$1"; }
check() { # what, command…
	heading "$1"
	"${@:2}" || failed+=("$1")
}

# Process groups beside this script: make, go, the compilers and what they test.
builds=
pair=
pairlog=$(mktemp)
end() {
	code=$?
	for group in $builds $pair; do
		kill -- "-$group" 2>/dev/null || true
	done
	rm -f "$pairlog"
	exit "$code"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

heading 'Debian packages'
make packages
heading 'slow builds: Kubernetes and Temporal, in the background'
set -m # a process group of its own, so that it can be ended as a whole
nice make deps &
builds=$!
set +m

check 'go.mod and go.sum' make tidy-check
check 'lint' make lint LINTED='. test'
check 'determinism of the workflows' make determinism
check 'unit and replay tests, with the race detector' make test-unit
check 'known vulnerabilities' make vulncheck

heading 'waiting for the slow builds'
wait "$builds"
builds=

# Killing a worker after each of sixty steps is mostly waiting: others use the time.
heading 'two data centres, in the background'
set -m
(
	code=0 # one after the other: two labs are enough for two cores
	make test-pair || code=$?
	make test-takeover || code=$?
	exit "$code"
) >"$pairlog" 2>&1 &
pair=$!
set +m

check 'lint of the embedded Temporal server' make lint LINTED=deploy/devserver
check 'compose file, test tools and stand-ins' make test-tools
check 'embedded Temporal server' make test-devserver
check 'lab' make test-lab
check 'end to end, and in a browser' make test-e2e
heading 'waiting for the two data centres'
code=0
wait "$pair" || code=$?
pair=
cat "$pairlog"
((code == 0)) || failed+=('two data centres')
check 'the demo' make demo
check 'the demo once more, a smaller pair' make demo DEMOFLAGS='-control-planes 1'

heading "finished in $((SECONDS / 60)) minutes"
if ((${#failed[@]})); then
	printf 'FAILED: %s\n' "${failed[@]}"
	exit 1
fi
