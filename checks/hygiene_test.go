package checks

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newer are constructs that bash 4.2, the coreutils or the grep of EL7 do not
// have, or that leave files behind.
var newer = map[string]string{
	`\$\{[A-Za-z_]+@[A-Za-z]\}`:            "bash 4.4: ${name@Q}",
	`local -n|declare -n|typeset -n`:       "bash 4.3: references to names",
	`\bmapfile\b[^\n]* -d|readarray -d`:    "bash 4.4: mapfile -d",
	`EPOCHSECONDS|SRANDOM`:                 "bash 5: clocks and random numbers as variables",
	`[^{]EPOCHREALTIME|EPOCHREALTIME[^:]`:  "bash 5: a clock as a variable, without what older ones use instead",
	`\bwait -n\b`:                          "bash 4.3: wait -n",
	`\[\[? -v `:                            "bash 4.2 knows no -v of array entries",
	`\$\{[A-Za-z_]+: ?-[0-9]`:              "bash 4.2: a negative offset is a default",
	`\$\{[A-Za-z_]+\[-[0-9]`:               "bash 4.3: negative indices",
	`\blocal -\s`:                          "bash 4.4: local -",
	`<<`:                                   "here-documents are temporary files",
	`<\(|>\(`:                              "process substitution needs /dev/fd",
	`\b(jq|python|perl|awk|mktemp)\b`:      "not on every node, or leaves files",
	`ss [^|\n]*-H|ss [^|\n]*--no-header`:   "an ss newer than EL7's",
	`grep [^|\n]*-[a-zA-Z]*P`:              "a grep without PCRE",
	`lsblk [^|\n]*(-J|--json|MOUNTPOINTS)`: "an lsblk newer than EL7's",
	`\bip [^|\n]*-j`:                       "an ip newer than EL7's",
	`base64 -d|stat -c %[A-Z]f`:            "not needed here",
	`systemctl [^|\n]*(--value|-P )`:       "a systemctl newer than 219",
	`[^\x00-\x7f]`:                         "only ASCII",
}

func lint(script string) []string {
	var out []string
	for line := range strings.Lines(script) {
		code := line
		if strings.HasPrefix(strings.TrimSpace(code), "#") {
			continue
		}
		for pattern, why := range newer {
			if regexp.MustCompile(pattern).MatchString(code) {
				out = append(out, strings.TrimSpace(line)+": "+why)
			}
		}
	}
	return out
}

func TestCollectorIsOldFashioned(t *testing.T) {
	assert.Empty(t, lint(Collector()))
	for _, bad := range []string{
		`echo "${x@Q}"`, `local -n y=x`, `mapfile -t -d "" a`, `date=$EPOCHSECONDS`, `wait -n`, `[[ -v a[1] ]]`, `echo ${x:-1}`, `echo ${a[-1]}`,
		`cat <<EOF`, `read x <<<"$y"`, `diff <(a) b`, `ss -Hlnt`, `grep -oP x`, `lsblk -J`, `ip -j addr`, `systemctl show --value`, `x=$(mktemp)`, "echo é",
	} {
		assert.NotEmpty(t, lint(bad), bad)
	}
}

// shellcheck comes with `make deps`.
func TestCollectorIsCleanShell(t *testing.T) {
	cmd := exec.Command("shellcheck", "-s", "bash", "-S", "warning", "-")
	cmd.Stdin = strings.NewReader(Collector())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
