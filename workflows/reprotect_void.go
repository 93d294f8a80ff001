package workflows

import (
	"slices"

	"github.com/acpflow/acpflow/activities"
)

// void reports whether a debt is of other roles than those of today: to close a port
// of the side that is the primary now. The synchronizer of its standby reads through
// etcd's port, and users come through the others. So it is not paid, and struck when
// the port has been opened for the copy.
func (r *reprotecting) void(o activities.Owed) bool {
	return o.Action == activities.OwedClosePort && o.Cluster == r.primary.Name
}

// toClose are the ports that a reprotect closes, and what this version does not know.
func (r *reprotecting) toClose(o activities.Owed) bool { return isPort(o) && !r.void(o) }

// struck says which debts the new record does not carry on.
func (r *reprotecting) struck() string {
	if r.record == nil {
		return ""
	}
	owed := slices.DeleteFunc(slices.Clone(r.record.Owed), func(o activities.Owed) bool { return !r.void(o) })
	if len(owed) == 0 {
		return ""
	}
	return "; struck, because " + r.primary.Name + " needs it as the primary: " + debtText(owed)
}
