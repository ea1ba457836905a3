#!/bin/sh
# A pair that is reached at a network interface (ENI), for pcs (RHEL, Debian, Ubuntu, Amazon Linux).
#
# Two nodes in one availability zone. The ENI moves between them with all its addresses, its MAC and its security groups.
# Run once, as root, on one node of a cluster without resources; before that, README.md tells what to prepare.
set -eu

# Replace each word between two @.
node1=@NODE1@            # names of the nodes in the cluster, and their instance ids
node2=@NODE2@
node1_id=@NODE1_ID@
node2_id=@NODE2_ID@
region=@REGION@
eni=@ENI@                # id of the ENI: not the primary one of any instance

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$node1 $node2 $node1_id $node2_id $region $eni" in
    *@*) echo "Nothing done: replace each word between two @ first." >&2; exit 1 ;;
esac
before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
pcs cluster cib > "$before"
if pcs resource config eni > /dev/null 2>&1; then
    echo "Nothing done: eni is there already."
    exit 0
fi
cp "$before" "$after"
pcs() { command pcs -f "$after" "$@"; }

# When the nodes lose sight of each other, the one with the ENI fences the other: it is 20 s ahead, twice as much as the
# random delay of the fencing device can be.
pcs property set stonith-enabled=true stonith-timeout=600 priority-fencing-delay=20
pcs resource defaults update resource-stickiness=1000 migration-threshold=5000

# EC2 stops the instance at once, without a shutdown in it, and starts it again. Once it is started, EC2 counts it as
# running: should it not let go of the ENI then, only force_detach=after takes it away (below). With
# pcmk_reboot_action=off a fenced node stays off until somebody starts it; EC2 then lets go of the ENI sooner, and the
# default, force_detach=if-down, is enough.
pcs stonith create fence fence_aws region="$region" pcmk_host_map="$node1:$node1_id;$node2:$node2_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

# By force after half of the start's time: by then the node that had it has stopped the resource or has been fenced.
pcs resource create eni ocf:aws:aws-eni-move eni_id="$eni" force_detach=after \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=3 priority=100

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"

# What listens at its addresses follows it: pcs resource group add service eni SERVER
