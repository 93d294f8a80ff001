#!/bin/bash
# Makes sure that the log store has its index template after a failover.
set -euo pipefail

if [ "$(id -u)" -ne 0 ]; then
    echo "ensure-asm-template.sh: root rights are needed" >&2
    exit 1
fi
if [ ! -r /etc/kubernetes/admin.conf ]; then
    echo "ensure-asm-template.sh: run on a control plane of the platform" >&2
    exit 1
fi
exec /opt/cpaas/bin/minialauda elastic-template
