#!/bin/sh
# SAP HANA scale-up with system replication, cost-optimised, for pcs (RHEL).
#
# Two nodes in two availability zones. A test system (QAS, instance 10) runs on the second node beside the secondary of
# the productive one, and is stopped before that becomes primary. The overlay IP follows the productive primary. Run
# once, as root, on one node of a cluster without resources; before that, README.md tells what to prepare.
set -eu

# Replace each word between two @.
node1=@NODE1@            # names of the nodes in the cluster, and their instance ids
node2=@NODE2@            # the one that the test system is installed on
node1_id=@NODE1_ID@
node2_id=@NODE2_ID@
region=@REGION@
ip=@OVERLAY_IP@          # outside the CIDR blocks of the VPC
tables=@ROUTE_TABLES@    # ids of all route tables whose subnets have clients or nodes, separated by commas

# Replace PRD and 00, QAS and 10 below by the SIDs and instance numbers of the productive and of the test system.

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$node1 $node2 $node1_id $node2_id $region $ip $tables" in
    *@*) echo "Nothing done: replace each word between two @ first." >&2; exit 1 ;;
esac
before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
pcs cluster cib > "$before"
if pcs resource config rsc_ip_PRD_HDB00 > /dev/null 2>&1; then
    echo "Nothing done: rsc_ip_PRD_HDB00 is there already."
    exit 0
fi
cp "$before" "$after"
pcs() { command pcs -f "$after" "$@"; }

# When the nodes lose sight of each other, the one with the primary fences the other: it is 20 s ahead, twice as much as
# the random delay of the fencing device can be.
pcs property set stonith-enabled=true stonith-timeout=600 priority-fencing-delay=20
pcs resource defaults update resource-stickiness=1000 migration-threshold=5000
pcs resource op defaults update timeout=600

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create rsc_fence_aws fence_aws region="$region" pcmk_host_map="$node1:$node1_id;$node2:$node2_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

pcs resource create rsc_SAPHanaTopology_PRD_HDB00 ocf:heartbeat:SAPHanaTopology SID=PRD InstanceNumber=00 \
    op start interval=0 timeout=600 op stop interval=0 timeout=300 op monitor interval=10 timeout=600 \
    clone
pcs resource meta rsc_SAPHanaTopology_PRD_HDB00-clone clone-max=2 clone-node-max=1 interleave=true
# The secondary has loaded no tables and takes its time to become primary: a primary that failed is restarted first, and
# a person registers it again after a takeover, once the memory limits of both systems are right.
pcs resource create rsc_SAPHana_PRD_HDB00 ocf:heartbeat:SAPHana SID=PRD InstanceNumber=00 \
    PREFER_SITE_TAKEOVER=false DUPLICATE_PRIMARY_TIMEOUT=7200 AUTOMATED_REGISTER=false \
    op start interval=0 timeout=3600 op stop interval=0 timeout=3600 \
    op promote interval=0 timeout=3600 op demote interval=0 timeout=3600 \
    op monitor interval=59 role=Promoted timeout=700 op monitor interval=61 role=Unpromoted timeout=700 \
    meta priority=100 \
    promotable
pcs resource meta rsc_SAPHana_PRD_HDB00-clone notify=true clone-max=2 clone-node-max=1 interleave=true

pcs resource create rsc_ip_PRD_HDB00 ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=60 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=5000

# Not critical: else Pacemaker 3 moves the primary back to the first node, so that QAS can run on the second.
pcs resource create rsc_SAP_QAS_HDB10 ocf:heartbeat:SAPInstance InstanceName="QAS_HDB10_$node2" \
    START_PROFILE="/usr/sap/QAS/SYS/profile/QAS_HDB10_$node2" MONITOR_SERVICES='hdbindexserver|hdbnameserver' \
    op start interval=0 timeout=600 op stop interval=0 timeout=600 op monitor interval=120 timeout=700 \
    meta critical=false

pcs constraint order start rsc_SAPHanaTopology_PRD_HDB00-clone then rsc_SAPHana_PRD_HDB00-clone symmetrical=false
# 2000 and not INFINITY: tools can reach SAP's start service by the address while no database is primary.
pcs constraint colocation add rsc_ip_PRD_HDB00 with Promoted rsc_SAPHana_PRD_HDB00-clone 2000
pcs constraint location rsc_SAP_QAS_HDB10 avoids "$node1"
pcs constraint colocation add rsc_SAP_QAS_HDB10 with Promoted rsc_SAPHana_PRD_HDB00-clone -- -INFINITY
pcs constraint order stop rsc_SAP_QAS_HDB10 then promote rsc_SAPHana_PRD_HDB00-clone symmetrical=false

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"
