#!/bin/sh
# An overlay IP in a cluster of three nodes, for pcs (RHEL, Debian, Ubuntu, Amazon Linux).
#
# Three nodes in three availability zones. Two that see each other go on; one that is alone stops what it runs. The
# overlay IP runs on any of them. Run once, as root, on one node of a cluster without resources; before that, README.md
# tells what to prepare.
set -eu

# Replace each word between two @.
node1=@NODE1@            # names of the nodes in the cluster, and their instance ids
node2=@NODE2@
node3=@NODE3@
node1_id=@NODE1_ID@
node2_id=@NODE2_ID@
node3_id=@NODE3_ID@
region=@REGION@
ip=@OVERLAY_IP@          # outside the CIDR blocks of the VPC
tables=@ROUTE_TABLES@    # ids of all route tables whose subnets have clients or nodes, separated by commas

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$node1 $node2 $node3 $node1_id $node2_id $node3_id $region $ip $tables" in
    *@*) echo "Nothing done: replace each word between two @ first." >&2; exit 1 ;;
esac
before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
pcs cluster cib > "$before"
if pcs resource config overlay-ip > /dev/null 2>&1; then
    echo "Nothing done: overlay-ip is there already."
    exit 0
fi
cp "$before" "$after"
pcs() { command pcs -f "$after" "$@"; }

# Three nodes need no delay of the fencing: the one that is alone has no quorum, and fences nobody.
pcs property set stonith-enabled=true stonith-timeout=600 no-quorum-policy=stop
pcs resource defaults update resource-stickiness=1000 migration-threshold=5000

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create fence fence_aws region="$region" \
    pcmk_host_map="$node1:$node1_id;$node2:$node2_id;$node3:$node3_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

pcs resource create overlay-ip ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=3

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"

# What listens at the address follows it: pcs resource group add service overlay-ip SERVER
