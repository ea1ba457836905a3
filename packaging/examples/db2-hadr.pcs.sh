#!/bin/sh
# IBM Db2 with HADR, for pcs (RHEL).
#
# Two nodes in two availability zones with a database in HADR, mode SYNC or NEARSYNC. The overlay IP follows the
# primary. Run once, as root, on one node of a cluster without resources; before that, README.md tells what to prepare.
set -eu

# Replace each word between two @.
node1=@NODE1@            # names of the nodes in the cluster, and their instance ids
node2=@NODE2@
node1_id=@NODE1_ID@
node2_id=@NODE2_ID@
region=@REGION@
ip=@OVERLAY_IP@          # outside the CIDR blocks of the VPC
tables=@ROUTE_TABLES@    # ids of all route tables whose subnets have clients or nodes, separated by commas

# Replace db2prd below by the instance owner and PRD by the database.

# HADR_PEER_WINDOW is more than a fencing takes (600 s): the agent takes over by force only within it. Hosts of HADR are
# the nodes' own addresses, not the overlay IP.

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$node1 $node2 $node1_id $node2_id $region $ip $tables" in
    *@*) echo "Nothing done: replace each word between two @ first." >&2; exit 1 ;;
esac
before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
pcs cluster cib > "$before"
if pcs resource config rsc_ip_PRD > /dev/null 2>&1; then
    echo "Nothing done: rsc_ip_PRD is there already."
    exit 0
fi
cp "$before" "$after"
pcs() { command pcs -f "$after" "$@"; }

# When the nodes lose sight of each other, the one with the primary fences the other: it is 20 s ahead, twice as
# much as the random delay of the fencing device can be.
pcs property set stonith-enabled=true stonith-timeout=600 priority-fencing-delay=20
pcs resource defaults update resource-stickiness=1000 migration-threshold=5000
pcs resource op defaults update timeout=600

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create rsc_fence_aws fence_aws region="$region" pcmk_host_map="$node1:$node1_id;$node2:$node2_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

pcs resource create rsc_db2_PRD ocf:heartbeat:db2 instance=db2prd dblist=PRD \
    op start interval=0 timeout=130 op stop interval=0 timeout=120 \
    op promote interval=0 timeout=120 op demote interval=0 timeout=120 op notify interval=0 timeout=60 \
    op monitor interval=31 role=Promoted timeout=60 op monitor interval=30 role=Unpromoted timeout=60 \
    meta priority=100 \
    promotable msl_db2_PRD
pcs resource meta msl_db2_PRD notify=true clone-max=2 clone-node-max=1 interleave=true

pcs resource create rsc_ip_PRD ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=5000

pcs constraint colocation add rsc_ip_PRD with Promoted msl_db2_PRD INFINITY
pcs constraint order promote msl_db2_PRD then start rsc_ip_PRD

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"
