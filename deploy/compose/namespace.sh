#!/bin/sh
# Creates the namespace, or sets the retention of an existing one, and adds the
# search attributes that it lacks.
set -eu

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
	temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
else
	temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi

present=$(temporal operator search-attribute list)
for name in AcpSite AcpCluster AcpRunbook AcpChange AcpRequestedBy AcpStep AcpOutcome; do
	case $present in
	*"$name"*) ;;
	*) temporal operator search-attribute create --name "$name" --type Keyword ;;
	esac
done
