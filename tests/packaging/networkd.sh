#!/bin/sh
# An overlay IP and a moved ENI beside the real systemd-networkd, which is restarted; prints what is left. Usage, in
# namespaces of its own (network, mount, PID): networkd.sh NETWORK_FILES [FILE...], the FILEs being those that are copied.
set -eu
files=$1
shift

mount --make-rprivate /
mount -t sysfs none /sys
for directory in /run/systemd /run/udev /etc/systemd; do
    mkdir -p "$directory"
    mount -t tmpfs none "$directory"
done
mkdir -p /run/systemd/netif /run/udev/data /etc/systemd/network/10-netplan-ens5.network.d /etc/systemd/networkd.conf.d
chown systemd-network:systemd-network /run/systemd/netif

# networkd configures a link once udev is done with it, which these files say.
touch /run/udev/control
ip link set lo up
ip link add ens5 type veth peer name router5
ip link add ens6 address 02:00:00:00:00:06 type veth peer name router6
ip link set router5 up
ip link set router6 up
for link in /sys/class/net/*; do
    printf 'I:1\nV:1\n' > "/run/udev/data/n$(cat "$link/ifindex")"
done

common='LinkLocalAddressing=no\nIPv6AcceptRA=no'
printf '[Match]\nName=ens5\n[Network]\nAddress=10.0.1.10/24\n%b\n' "$common" \
    > /etc/systemd/network/10-netplan-ens5.network
# What a distribution has for every link (Amazon Linux's 80-ec2.network).
printf '[Match]\nName=ens*\n[Network]\nAddress=10.9.9.9/24\n%b\n' "$common" > /etc/systemd/network/80-ec2.network
for file in "$@"; do
    case $file in
        networkd-keep-overlay-ip.conf) cp "$files/$file" /etc/systemd/network/10-netplan-ens5.network.d/ ;;
        networkd-keep-routes-and-rules.conf) cp "$files/$file" /etc/systemd/networkd.conf.d/ ;;
        networkd-moved-eni.network)
            sed 's/@ENI_MAC@/02:00:00:00:00:06/' "$files/$file" > /etc/systemd/network/05-moved-eni.network ;;
    esac
done

start() {
    touch /run/udev/started
    /lib/systemd/systemd-networkd >/dev/null 2>&1 &
    networkd=$!
    for name in ens5 ens6; do
        state=/run/systemd/netif/links/$(cat /sys/class/net/$name/ifindex)
        until [ "$state" -nt /run/udev/started ] && grep -qE '^ADMIN_STATE=(configured|unmanaged)$' "$state"; do
            sleep 0.1
        done
    done
}

start
ip address add 192.168.10.10/32 dev ens5
ip link set ens6 up
ip address add 10.0.1.50/32 dev ens6 noprefixroute
ip route add 10.0.1.0/24 dev ens6 table 1073741824 proto 203
ip rule add from 10.0.1.50 lookup 1073741824 priority 4000 protocol 203
kill $networkd
wait $networkd || true
start

ip -brief address show dev ens5 | grep -q 192.168.10.10 && echo overlay-ip
ip -brief address show dev ens6 | grep -q 10.0.1.50 && echo eni-address
ip route show table 1073741824 2>/dev/null | grep -q 10.0.1.0/24 && echo eni-route
ip rule | grep -q 'from 10.0.1.50' && echo eni-rule
kill $networkd
wait $networkd || true
