package takeover

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
)

// rehearse does what a drill does: the platform's name stays where it is, and a
// name of the drill's own leads to the standby for a moment.
func (r *rig) rehearse() {
	canary := "acpflow-drill." + r.Site.DR.DNS.Zone
	east := r.uid(r.East)
	names := &activities.DNS{Hosts: r.hosts}
	check := func(uid, canary string) (activities.Evidence, error) {
		page := &activities.Page{Hosts: r.hosts, Patience: 2 * time.Second}
		return page.CheckPage(r.within(time.Minute), activities.PageInput{Scope: r.east(), To: "east", UID: uid, Drill: true, Canary: canary})
	}
	evidence, err := check(east, "")
	require.NoError(r, err, "the standby shows the page, wherever the name leads")
	r.Log(evidence.Summary)
	_, err = check(r.uid(r.West), "")
	assert.Contains(r, r.refused(err), r.uid(r.West), "the standby is not the primary")
	_, err = check(east, canary)
	assert.Contains(r, r.refused(err), canary, "it leads nowhere yet")

	in := activities.NameInput{Scope: r.east(), Name: canary, To: "east"}
	evidence, err = names.PointName(r.within(time.Minute), in)
	require.NoError(r, err)
	r.Log(evidence.Summary)
	evidence, err = check(east, canary)
	require.NoError(r, err)
	r.Log(evidence.Summary)
	assert.Contains(r, evidence.Summary, canary+" leads, and https://"+r.Site.Platform.Address+" would lead, to east")
	_, err = check(east, r.Site.Platform.Address)
	require.Error(r, err, "the platform's own name is no canary")
	_, err = names.RemoveName(r.within(time.Minute), in)
	require.NoError(r, err)
	_, err = check(east, canary)
	assert.Contains(r, r.refused(err), canary)
}
