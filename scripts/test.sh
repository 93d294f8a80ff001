#!/usr/bin/env bash
# Runs every check of this repository in the order in which they say most for
# the time they take. The slow builds go on beside the static checks.
set -euo pipefail
cd "$(dirname "$0")/.."

begin=$SECONDS
step() { printf '\n=== [%02d:%02d] %s\n' $(((SECONDS - begin) / 60)) $(((SECONDS - begin) % 60)) "$1"; }

builds=
end() {
	code=$?
	if [[ -n $builds ]]; then
		kill -- "-$builds" 2>/dev/null || true # its process group: make, go and the compilers
	fi
	exit "$code"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step 'packages'
make packages

step 'slow builds: Kubernetes and Temporal, in the background'
set -m # a process group of its own, so that it can be ended as a whole
nice make deps &
builds=$!
set +m

step 'go.mod and go.sum'
make tidy-check

step 'lint'
make lint LINTED='. test'
make determinism

step 'unit and replay tests, with the race detector'
make test-unit

step 'known vulnerabilities'
make vulncheck

step 'waiting for the slow builds'
wait "$builds"
builds=

step 'lint of the embedded Temporal server'
make lint LINTED=deploy/devserver

step 'compose files and test tools'
make test-tools

step 'embedded Temporal server'
make test-devserver

step 'lab'
make test-lab

step 'end to end, and in a browser'
make test-e2e

step "all passed in $(((SECONDS - begin) / 60)) minutes"
