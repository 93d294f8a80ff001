#!/usr/bin/env bash
# Reports known vulnerabilities in the code that the programs really call.
# Usage: vulncheck.sh GOVULNCHECK
set -euo pipefail

# The database is a web site. A closed network must not pass for a clean report,
# nor fail a build that cannot help it: say loudly that nothing was checked.
if out=$("$1" ./worker/... ./starter/... 2>&1); then
	printf '%s\n' "$out"
elif grep -qE 'fetching vulnerabilities|no such host|connection refused|i/o timeout|Forbidden' <<<"$out"; then
	printf '%s\n' "$out" >&2
	printf '\n*** govulncheck did NOT run: the vulnerability database (%s) is not reachable from here.\n*** Nothing is known about vulnerable dependencies. Run "make vulncheck" where it is reachable.\n\n' \
		"${GOVULNDB:-https://vuln.go.dev}" >&2
else
	printf '%s\n' "$out" >&2
	exit 1
fi
