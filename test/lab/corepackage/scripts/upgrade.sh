#!/bin/bash
# Upgrades a platform. The lab needs one part of it: adding the images of
# another architecture to the platform's registry.
set -euo pipefail

fail() {
    echo "upgrade.sh: $*" >&2
    exit 1
}

only_sync_image=false
for option in "$@"; do
    case "$option" in
    --only-sync-image | --only-sync-image=true) only_sync_image=true ;;
    --only-sync-image=false) only_sync_image=false ;;
    *) fail "unknown option '$option'; usage: bash upgrade.sh --only-sync-image[=true]" ;;
    esac
done
[ "$(id -u)" -eq 0 ] || fail "root rights are needed: sudo bash upgrade.sh"
[ "$only_sync_image" = true ] || fail "this package can only add images: use --only-sync-image=true"
[ -r /etc/kubernetes/admin.conf ] || fail "the platform is not installed on this node"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case "$(uname -m)" in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) fail "the architecture $(uname -m) is not supported" ;;
esac
installer=$here/bin/$arch/minialauda
[ -x "$installer" ] || fail "this package has no programs for $arch"

echo "checking the images"
(cd "$here" && md5sum --quiet --check res/images.md5) || fail "the package is damaged or was not extracted completely"
"$installer" sync-images --package "$here/res/package.json"
