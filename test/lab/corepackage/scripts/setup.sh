#!/bin/bash
# Sets up the installer on this node, the first control plane, and returns.
# What follows is done in the installer's web console or through its API.
set -euo pipefail

usage() {
    echo "usage: bash setup.sh [--network-mode calico] [--ip-family ipv6]" >&2
    exit 1
}

fail() {
    echo "setup.sh: $*" >&2
    exit 1
}

network_mode=""
ip_family=""
while [ $# -gt 0 ]; do
    case "$1" in
    --network-mode=* | --ip-family=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        ;;
    --network-mode)
        [ "${2:-}" = calico ] || fail "--network-mode: '${2:-}' is unknown, only calico can be chosen; without it the network plugin is Kube-OVN"
        network_mode=$2
        shift 2
        ;;
    --ip-family)
        [ "${2:-}" = ipv6 ] || fail "--ip-family: '${2:-}' is unknown, only ipv6 can be chosen; without it IPv4 and dual stack are supported"
        ip_family=$2
        shift 2
        ;;
    *)
        echo "setup.sh: unknown option '$1'" >&2
        usage
        ;;
    esac
done

[ "$(id -u)" -eq 0 ] || fail "root rights are needed: sudo bash setup.sh"
for tool in ip ss tar swapoff modprobe sysctl md5sum systemctl; do
    command -v "$tool" >/dev/null || fail "the tool '$tool' is missing"
done

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case "$(uname -m)" in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) fail "the architecture $(uname -m) is not supported" ;;
esac
installer=$here/bin/$arch/minialauda
[ -x "$installer" ] || fail "this package is not for $arch"

if [ -e /var/lib/docker/containers/minialauda-control-plane.json ]; then
    fail "the installer already runs on this node (container minialauda-control-plane)"
fi
if ss -Hlnt 'sport = :8080' | grep -q .; then
    fail "port 8080 is in use"
fi

echo "checking the images"
(cd "$here" && md5sum --quiet --check res/images.md5) || fail "the package is damaged or was not extracted completely"

"$installer" setup-fault

echo "starting the installer"
mkdir -p /opt/cpaas/bin
install -m 0755 "$installer" /opt/cpaas/bin/minialauda
ln -sf /opt/cpaas/bin/minialauda /usr/local/bin/docker
/opt/cpaas/bin/minialauda bootstrap --package "$here/res/package.json" --network-mode "$network_mode" --ip-family "$ip_family"

address=$(ip -o -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
[ -n "$address" ] || address=$(ip -o -4 address show scope global | awk 'NR == 1 { split($4, a, "/"); print a[1] }')
echo "the web console of the installer will be at http://$address:8080"
