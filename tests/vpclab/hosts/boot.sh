#!/bin/bash
# The first process of an instance: boot.sh ROOT NAME FD SECONDS
#
# Starts in namespaces of its own, with the file system of the sandbox still in view. Makes ROOT
# its root, tells on descriptor FD its process id as the sandbox sees it, starts what is
# enabled in /etc/vpclab/boot.d after SECONDS, and from then on only reaps.
set -eu
root=$1 name=$2 told=$3 seconds=$4

# /proc is still the sandbox's, and tells the id that this process has there.
read -r pid _ </proc/self/stat

hostname "$name"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
# Pacemaker panics a node by SysRq, which would reboot the machine that runs the lab. The system
# call that it makes next ends this process alone, and so the instance.
[ ! -e proc/sysrq-trigger ] || mount --bind /dev/null proc/sysrq-trigger
mkdir run/old run/lock
pivot_root . run/old
umount -l run/old
rmdir run/old
mkdir -m 1755 run/resource-agents

echo "$pid" >&"$told"
exec {told}>&-

sleep "$seconds"
for service in /etc/vpclab/boot.d/*; do
    if [ -x "$service" ]; then setsid "$service" & fi
done

# While bash waits for one child, it reaps all: the orphans of a PID namespace are its first
# process's children.
sleep infinity &
wait $!
