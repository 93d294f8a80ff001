package syncplugin

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/acpflow/acpflow/internal/fault"
)

// Way is the procedure that a version of the plugin needs.
type Way string

// The ways. Each is the one before it and more.
const (
	WaySeed  Way = "seed"  // Pods without a leader; one of them is deleted after the first copy (DR-32)
	WayLease Way = "lease" // the leader that the Lease names is deleted (DR-35)
	WayToken Way = "token" // lease, and before it the primary's token and a bootstrap Job (DR-36)
)

// HasLeader reports whether one Pod leads and only that one counts.
func (w Way) HasLeader() bool { return w == WayLease || w == WayToken }

// Known lists the versions with their ways, for messages.
const Known = "v4.0 to v4.2 (one Pod), v4.3.0 (leader lease), v4.3.1 and later v4.3 and v4.4 (leader lease, token and bootstrap)"

// WayOf tells the procedure for a version of the plugin. A version that no
// edition describes, and a pre-release of v4.3, within which the procedure
// changed, are fault.Gate.
func WayOf(ver string) (Way, error) {
	v, err := version.ParseSemantic(strings.TrimSpace(ver))
	if err != nil {
		return "", unknown(ver, errors.New("it is no version of the form v4.3.1"))
	}
	if v.Major() != 4 {
		return "", unknown(ver, nil)
	}
	switch minor := v.Minor(); {
	case minor <= 2:
		return WaySeed, nil
	case minor == 3 && v.PreRelease() != "":
		return "", unknown(ver, errors.New("the procedure changed within v4.3, and a pre-release may be on either side"))
	case minor == 3 && v.Patch() == 0:
		return WayLease, nil
	case minor == 3, minor == 4:
		return WayToken, nil
	}
	return "", unknown(ver, nil)
}

func unknown(ver string, cause error) error {
	if cause == nil {
		cause = errors.New("no edition of the document that acpflow knows describes it")
	}
	return fault.New(fault.Gate, "choose the procedure for the synchronizer", fmt.Sprintf("%s %q", Name, ver),
		"publish a version that is known with violet ("+Known+"), or use an acpflow that knows this one", cause)
}

// editions are the minor versions that a site's profile is written for.
var editions = map[string][]uint{
	"acp-4.1-seed": {0, 1},
	"acp-4.1":      {0, 1},
	"acp-4.2":      {2},
	"acp-4.3":      {3},
	"acp-4.4-dev":  {4},
}

// Doubt tells why the version does not fit the site's profile, "" when it does.
// The version decides the procedure; the profile is only a second opinion.
func Doubt(profile, ver string) string {
	minors, known := editions[profile]
	if !known {
		return fmt.Sprintf("the profile %q names no edition of the synchronizer", profile)
	}
	v, err := version.ParseSemantic(strings.TrimSpace(ver))
	if err == nil && v.Major() == 4 {
		for _, m := range minors {
			if v.Minor() == m {
				return ""
			}
		}
	}
	return fmt.Sprintf("the site's profile is %s, the synchronizer is %s", profile, ver)
}
