#!/bin/sh
# Install what the tests and the lab need on Debian 12 or 13, saying so. Usage: prerequisites.sh [PACKAGE...]
#
# Services that come along are neither started nor enabled: the lab runs its own, in namespaces of its own.
set -eu

packages="corosync crmsh fence-agents iproute2 iputils-ping libxml2-utils nftables pacemaker pacemaker-cli-utils pcs
    procps python3-boto3 python3-pyroute2 python3-venv resource-agents tcpdump util-linux $*"
services="corosync corosync-qdevice corosync-qnetd pacemaker pcsd postgresql
    NetworkManager NetworkManager-dispatcher NetworkManager-wait-online"

missing=""
for package in $packages; do
    if [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | cut -c 1-2)" != ii ]; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "Not installed, and only root can install it:$missing" >&2
    exit 0
fi

echo "Installing Debian packages:$missing"
# invoke-rc.d starts nothing where policy-rc.d says 101 (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' INT TERM
fi
new=""
for service in $services; do
    [ -e "/lib/systemd/system/$service.service" ] || new="$new $service"
done
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
for service in $new; do
    systemctl disable --quiet "$service" 2>/dev/null || true
    if [ -d /run/systemd/system ]; then systemctl stop "$service" 2>/dev/null || true; fi
done
