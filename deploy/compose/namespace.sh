#!/bin/sh
# Creates the namespace, or sets the retention of an existing one, and adds the
# search attributes; adding one that is there already changes nothing.
set -eu

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
	temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
else
	temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi

for name in AcpSite AcpCluster AcpRunbook AcpChange AcpRequestedBy AcpStep AcpOutcome; do
	temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword
done
