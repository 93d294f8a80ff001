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
declare -A running
logs=$(mktemp -d)
end() {
	code=$?
	for group in "${running[@]}"; do
		kill -- "-$group" 2>/dev/null || true
	done
	rm -rf "$logs"
	exit "$code"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Whoever kills workers after each step, and waits for names to be forgotten,
# leaves the processors to others.
beside() { # make target
	set -m
	make "$1" >"$logs/$1" 2>&1 &
	set +m
	running[$1]=$!
}
join() { # make target, what
	heading "waiting for: $2"
	local code=0
	wait "${running[$1]}" || code=$?
	unset "running[$1]"
	cat "$logs/$1"
	((code == 0)) || failed+=("$2")
}

heading 'Debian packages'
make packages
heading 'slow builds: Kubernetes and Temporal, in the background'
set -m # a process group of its own, so that it can be ended as a whole
nice make deps &
running[deps]=$!
set +m

check 'go.mod and go.sum' make tidy-check
check 'lint' make lint LINTED='. test'
check 'determinism of the workflows' make determinism
check 'unit and replay tests, with the race detector' make test-unit
check 'known vulnerabilities' make vulncheck

heading 'waiting for the slow builds'
wait "${running[deps]}"
unset 'running[deps]'

heading 'two data centres, and takeovers between them, in the background'
beside test-pair
beside test-takeover

check 'lint of the embedded Temporal server' make lint LINTED=deploy/devserver
check 'compose file, test tools and stand-ins' make test-tools
check 'embedded Temporal server' make test-devserver
check 'lab' make test-lab
check 'end to end, and in a browser' make test-e2e
check 'the demo' make demo
join test-pair 'two data centres'
join test-takeover 'takeovers'

heading "finished in $((SECONDS / 60)) minutes"
if ((${#failed[@]})); then
	printf 'FAILED: %s\n' "${failed[@]}"
	exit 1
fi
