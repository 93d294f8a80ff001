// Package installer speaks the vendor's installer interface: it builds the
// configuration, posts it, reads the progress and judges it. Nothing of this
// interface is published; what the package assumes is what the vendor's
// unattended script sends and reads, and it stands in this package only.
//
// The configuration is the JSON that the script would make of the same
// parameters, field by field, except where the script is wrong:
//
//	 1 flag for the agent replicas misspelt    no flags here: the number comes from the site document
//	 2 "null" sent as password with a key      password is JSON null when there is none
//	 3 "Success" searched in the whole answer  only the field status counts (Progress)
//	 4 Failed polls summed up over the run     consecutive polls and a time window (Tracker)
//	 5 waits for ever, also for a gone server  stall rule; a refused connection asks for a look at the cluster (Tracker)
//	 6 secrets printed and left in a file      secrets stay in memory; Config prints masked (Redacted)
//	 7 JSON glued together from strings        marshalled
//	 8 blanks and "=" break values             no argument parser in between
//	 9 --config-file still demands other flags does not apply
//	10 nothing validated                       site.Validate before, Build refuses what it can't express
//	11 runOnMaster true for worker nodes       computed from the roles of the listed nodes
//	12 registry.domain ignores DR              the platform domain for a DR site (DR-16), empty when external
//	13 control planes deployable, isolation    taints by PAR-31; per-worker labels are not part of the known interface (Unverified)
//	14 default products that may not exist     base, acp from the document's defaults
//	15 plain HTTP without a token              reached through an SSH channel on the node's own loopback
//	16 POST repeated after a lost reply        ErrAmbiguous and ErrAlreadyStarted; Start reads progress first and adopts
//	17 port 8080 taken for granted             Ready, polled with a deadline of the caller
//	18 stale container runtime default         sent only when the document names one (Unverified)
//	19 exit codes                              starter/exit.go has its own, documented ones
//	20 single-stack IPv6 not expressible       refused by Build; dual stack demands a domain (PAR-09)
//
// Clients here don't retry; every error is a *fault.Error and carries no secret.
package installer
