#!/bin/bash
# Prepares a node: what can be set without a reboot. It does not replace the
# checks of the node.
set -euo pipefail

if [ "$(id -u)" -ne 0 ]; then
    echo "init.sh: root rights are needed" >&2
    exit 1
fi

cat >/etc/sysctl.d/90-cpaas.conf <<'CONF'
net.ipv4.ip_forward = 1
vm.max_map_count = 262144
CONF
cat >/etc/modules-load.d/90-cpaas.conf <<'CONF'
ip_vs
ip_vs_rr
ip_vs_wrr
ip_vs_sh
CONF

swapoff -a || echo "init.sh: swap could not be switched off" >&2
for module in ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh; do
    modprobe "$module" 2>/dev/null || echo "init.sh: module $module could not be loaded" >&2
done
sysctl --quiet --load /etc/sysctl.d/90-cpaas.conf || echo "init.sh: not every kernel parameter could be set" >&2
echo "init.sh: done"
