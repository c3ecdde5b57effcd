#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages of the named sections of packages.txt, and only those that are missing.
#
#   packaging/install-packages.sh build demo
set -eu
list=$(dirname "$0")/packages.txt
wanted=
for section in "$@"; do
    wanted="$wanted $(sed -n "/^# \[$section\]/,/^# \[/{/^#/!p}" "$list")"
done
missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        "install ok installed") ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
echo "Installing from Debian:$missing"
sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Run as root, or install these packages first:$missing" >&2; exit 1; }
    sudo=sudo
fi
# Daemons of the peers are started by the tests themselves, on ports of their own; Debian's units stay off.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    $sudo chmod +x $policy
    made_policy=yes
fi
status=0
$sudo apt-get update -qq || status=$?
# shellcheck disable=SC2086
[ $status -ne 0 ] || $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || status=$?
[ -z "$made_policy" ] || $sudo rm -f $policy
exit $status
