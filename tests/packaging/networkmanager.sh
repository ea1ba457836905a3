#!/bin/sh
# An overlay IP and a moved ENI beside the real NetworkManager, with DHCP. After each event one line says what is left, and
# all is put back for the next. Usage, in namespaces of its own (network, mount, PID):
# networkmanager.sh NETWORK_FILES PRELOAD EVENTS [FILE...], the FILEs being those that are copied before NetworkManager starts.
set -eu
files=$1 preload=$2 events=$3
shift 3

mount --make-rprivate /
# NetworkManager waits for udev, which does not run here, unless /sys is read-only as in a container.
mount -t sysfs -o ro none /sys
for directory in /run /etc/NetworkManager /var/lib/NetworkManager; do
    mount -t tmpfs none "$directory"
done
mkdir /run/dbus /etc/NetworkManager/conf.d
printf '[main]\nplugins=keyfile\ndns=none\n' > /etc/NetworkManager/NetworkManager.conf
copy() { sed 's/@ENI_MAC@/02:00:00:00:00:06/' "$files/$1" > "/etc/NetworkManager/conf.d/90-$1"; }
for file in "$@"; do copy "$file"; done

# The subnet: its gateway, and DHCP with a lease that is renewed every 3 s.
ip netns add subnet
in_subnet() { ip netns exec subnet "$@"; }
in_subnet ip link add gateway type bridge
in_subnet ip address add 10.0.1.1/24 dev gateway
in_subnet ip link set gateway up
cat > /run/udhcpd.conf <<END
interface gateway
start 10.0.1.10
end 10.0.1.50
static_lease 02:00:00:00:00:05 10.0.1.10
static_lease 02:00:00:00:00:06 10.0.1.50
option subnet 255.255.255.0
option router 10.0.1.1
option lease 6
min_lease 6
lease_file /run/udhcpd.leases
pidfile /run/udhcpd.pid
END
: > /run/udhcpd.leases
in_subnet busybox udhcpd -f /run/udhcpd.conf >/run/udhcpd.log 2>&1 &
dhcp=$!

plug() {
    ip link add "$1" address "$2" type veth peer name "$1" netns subnet
    in_subnet ip link set "$1" master gateway up
}
is_in_state() { nmcli -t -f DEVICE,STATE device 2>/dev/null | grep -qE "^($1)$"; }
wait_state() { until is_in_state "$1"; do sleep 0.1; done; }
start() {
    LD_PRELOAD=$preload NetworkManager --debug >>/run/NetworkManager.log 2>&1 &
    manager=$!
    wait_state ens5:connected
}
stop() {
    kill "$1"
    wait "$1" 2>/dev/null || true
}
acks() { grep -c 'ending ACK to 10.0.1.10' /run/udhcpd.log || true; }

add_what_the_agents_add() {
    ip address replace 192.168.10.10/32 dev ens5
    ip link set ens6 up
    ip address replace 10.0.1.50/32 dev ens6 noprefixroute
    ip route replace 10.0.1.0/24 dev ens6 table 1073741824 proto 203
    ip rule show | grep -q 'from 10.0.1.50' ||
        ip rule add from 10.0.1.50 lookup 1073741824 priority 4000 protocol 203
}
say_what_is_left() {
    echo "$1:" \
        "$(ip address show dev ens5 | grep -q 192.168.10.10/32 && echo overlay-ip)" \
        "$(ip address show dev ens6 | grep -q 10.0.1.50/32 && echo eni-address)" \
        "$(ip route show table 1073741824 2>/dev/null | grep -q 10.0.1.0/24 && echo eni-route)" \
        "$(ip rule show | grep -q 'from 10.0.1.50' && echo eni-rule)" \
        "$(ip route show default | grep -q ens6 && echo eni-default-route)"
}

dbus-daemon --system --nopidfile --fork --print-pid > /run/dbus/pid
ip link set lo up
plug ens5 02:00:00:00:00:05
start
plug ens6 02:00:00:00:00:06
wait_state 'ens6:connected|ens6:unmanaged'
for event in $events; do
    add_what_the_agents_add
    case $event in
        reload) nmcli general reload ;;
        restart)
            stop $manager
            start
            ;;
        renew)
            seen=$(acks)
            until [ "$(acks)" -gt $((seen + 1)) ]; do sleep 0.1; done
            ;;
        reapply)
            nmcli device reapply ens5 >/dev/null
            is_in_state ens6:unmanaged || nmcli device reapply ens6 >/dev/null
            ;;
        activate)
            nmcli device disconnect ens5 >/dev/null
            nmcli device connect ens5 >/dev/null
            if ! is_in_state ens6:unmanaged; then
                nmcli device disconnect ens6 >/dev/null
                nmcli device connect ens6 >/dev/null
            fi
            ;;
        copy)
            copy networkmanager-moved-eni.conf
            nmcli general reload
            nmcli device set ens6 managed no
            wait_state ens6:unmanaged
            ;;
        unmanaged-devices)
            # The other way to say so, which the file does not take.
            printf '[keyfile]\nunmanaged-devices=mac:02:00:00:00:00:06\n' > /etc/NetworkManager/conf.d/95-keyfile.conf
            nmcli general reload
            wait_state ens6:unmanaged
            ;;
    esac
    say_what_is_left $event
done
stop $manager
stop $dhcp
kill "$(cat /run/dbus/pid)"
