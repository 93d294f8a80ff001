package pair

import (
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/checks"
)

const installFix = "install the plugin on the standby with acpflow enable-sync, after a takeover with acpflow reprotect; during an upgrade accept its absence with a waiver of DR-31"

var rulesOfSync = []Rule{
	{
		ID: Installed, Title: "The synchronizer is installed", Source: headSync,
		Want: "on exactly one side", Fix: installFix, both: judgeInstalled,
	}, {
		ID: running, Title: "The synchronizer runs", Source: headSync,
		Want: "phase Running, and a ready Pod; from 4.3 on a leader", Fix: "kubectl -n cpaas-system get po -l app=etcd-sync, and look at the log", both: judgeRunning,
	}, {
		ID: VendorSay, Title: "The vendor's check finds nothing", Source: headCheck,
		Want: "0 missed and 0 surplus keys", Fix: "missed: recreate the synchronizer's Pod; surplus: agree with operations before anything is deleted", both: judgeVendor,
	}, {
		ID: Equal, Title: "Both etcds hold the same", Source: headFail,
		Want: "no key missed, surplus or different, and every owner there", Fix: "missed: recreate the synchronizer's Pod; surplus or different: look at the named keys, nothing deletes them for you. Do not uninstall the synchronizer", both: judgeProof,
	}, {
		ID: lag, Title: "A change reaches the standby in time", Source: headCard,
		Want: "within dr.sync.maxLag", Fix: "look at the synchronizer's log and at the network between the sites", both: judgeLag,
	}, {
		ID: "CARD-11", Title: "It is known when both sides were last equal", Source: headCard,
		Want: "a check that went well", Fix: "mend what the card names; the ledger follows with the next good check", both: judgeLedger,
	},
}

func judgeInstalled(f Facts) verdict {
	var carriers []string
	for _, s := range f.Sides {
		p, err := s.Plugin.Get()
		if err != nil {
			return unknown(fmt.Errorf("whether %s carries it is not known: %w", s.Cluster, err))
		}
		if p.Present {
			carriers = append(carriers, fmt.Sprintf("%s on %s", p.Version, s.Cluster))
		}
	}
	switch {
	case len(f.Sides) != 2:
		return unknown(fmt.Errorf("%d sides were looked at", len(f.Sides)))
	case len(carriers) == 1:
		return pass("%s", carriers[0])
	case len(carriers) == 2:
		return fail("on both sides: %s", strings.Join(carriers, ", ")).withFix("decide which side is the primary, and remove the synchronizer from it")
	}
	if w, ok := f.absentOnPurpose(); ok {
		return verdict{outcome: checks.Waived, seen: "absent on purpose", reason: fmt.Sprintf("accepted by %s until %s: %s", w.Author, w.Expires, w.Reason)}
	}
	return judgeAbsent(f)
}

// judgeAbsent tells what vanished from what was never there.
func judgeAbsent(f Facts) verdict {
	ended := f.endedWaiver()
	ledger, err := f.Ledger().Get()
	switch {
	case err != nil:
		v := fail("on no side%s", ended)
		v.reason = "whether it ever was is not known: " + err.Error()
		return v
	case ledger.Good != nil:
		return fail("vanished: the check of %s still saw %s on %s%s", ledger.Good.At.UTC().Format("2006-01-02 15:04 UTC"), ledger.Good.Plugin, ledger.Good.To, ended)
	}
	if len(ledger.Last) == 0 { // of both sides, and both were read
		return fail("never installed%s", ended)
	}
	return fail("on no side, and no good check is known%s", ended)
}

func judgeRunning(f Facts) verdict {
	roles := f.Roles()
	if roles.By != SyncSign {
		return unknown(fmt.Errorf("no side is known to carry it"))
	}
	s, _ := f.side(roles.Standby)
	p, err := s.Plugin.Get()
	switch {
	case err != nil:
		return unknown(err)
	case p.Phase == "":
		return unknown(fmt.Errorf("%s reports no phase", p.Version))
	case p.Phase != "Running":
		return fail("%s on %s is %s %s", p.Version, s.Cluster, p.Phase, p.Message)
	case p.Ready == 0:
		return fail("%s on %s: none of %d Pods is ready", p.Version, s.Cluster, p.Pods)
	}
	if p.Leads && p.Leader == "" {
		return fail("%s on %s: no Pod leads", p.Version, s.Cluster)
	}
	seen := fmt.Sprintf("%s on %s, %d of %d Pods ready", p.Version, s.Cluster, p.Ready, p.Pods)
	if p.Leader != "" {
		seen += ", leader " + p.Leader
	}
	return pass("%s", seen)
}

func judgeVendor(f Facts) verdict {
	v, err := f.Vendor.Get()
	switch {
	case err != nil:
		return unknown(err)
	case v.Unclear != "":
		return unknown(fmt.Errorf("its answer is not understood: %s", v.Unclear))
	case v.Missed != 0 || v.Surplus != 0:
		return fail("%d missed, %d surplus: %s", v.Missed, v.Surplus, some(v.Samples))
	}
	return pass("0 missed, 0 surplus")
}

func judgeProof(f Facts) verdict {
	p, err := f.Proof.Get()
	switch {
	case err != nil:
		return unknown(err)
	case p.Compared == 0 && p.Mode != "incremental":
		return unknown(fmt.Errorf("no key was compared"))
	case !p.Clean || p.Missed+p.Surplus+p.Different+p.Dangling > 0:
		return fail("%s", differences(f, p))
	}
	return pass("%s: %d keys equal, %s, primary at revision %d, standby at %d", p.Mode, p.Compared, owners(f, p), p.Primary.Revision, p.Standby.Revision)
}

func differences(f Facts, p Proof) string {
	return fmt.Sprintf("%d missed, %d surplus, %d different, %s, of %d keys: %s", p.Missed, p.Surplus, p.Different, owners(f, p), p.Compared, some(p.Samples))
}

// owners says what is known of them: an incremental proof looks for none.
func owners(f Facts, p Proof) string {
	if p.Owners || p.Dangling > 0 {
		return fmt.Sprintf("%d without their owner", p.Dangling)
	}
	if l, err := f.Ledger().Get(); err == nil && !l.Full.IsZero() {
		return "owners last looked for at " + l.Full.UTC().Format("2006-01-02 15:04 UTC")
	}
	return "owners not looked for"
}

func judgeLag(f Facts) verdict {
	if f.Site.DR.Sync.Canary == nil {
		return skipped("the site configures no canary, because it writes")
	}
	most := f.Site.DR.Sync.Lag()
	c, err := f.Canary.Get()
	switch {
	case err != nil:
		return unknown(err)
	case !c.Arrived:
		return fail("nothing arrived within %.1f s", c.Lag.Seconds())
	case c.Lag > most:
		return fail("%.1f s, more than %s", c.Lag.Seconds(), most)
	}
	return pass("%.1f s", c.Lag.Seconds())
}

// judgeLedger warns only: a lost ledger harms nothing today, but nobody could
// tell after a disaster how much is missing.
func judgeLedger(f Facts) verdict {
	l, err := f.Ledger().Get()
	switch {
	case err != nil:
		return unknown(err)
	case l.Good == nil:
		return warn("no check has found both sides equal yet")
	}
	return pass("%s ago, %s → %s, primary at revision %d", age(f.Judged, l.Good.At), l.Good.From, l.Good.To, l.Good.Primary.Revision)
}
