#!/bin/sh
# SAP HANA scale-out with system replication and a majority maker, for pcs (RHEL).
#
# Two sites of two nodes each in two availability zones (NODE1 and NODE2, NODE3 and NODE4), and a small instance in a
# third zone (NODE5) that runs no database: it decides which site goes on when they lose sight of each other. The
# overlay IP follows the active master name server of the primary site. Run once, as root, on one node of a cluster
# without resources; before that, README.md tells what to prepare.
set -eu

# Replace each word between two @.
node1=@NODE1@            # names of the nodes in the cluster, and their instance ids
node2=@NODE2@
node3=@NODE3@
node4=@NODE4@
node5=@NODE5@
node1_id=@NODE1_ID@
node2_id=@NODE2_ID@
node3_id=@NODE3_ID@
node4_id=@NODE4_ID@
node5_id=@NODE5_ID@
region=@REGION@
ip=@OVERLAY_IP@          # outside the CIDR blocks of the VPC
tables=@ROUTE_TABLES@    # ids of all route tables whose subnets have clients or nodes, separated by commas

# Replace PRD and 00 below by your SID and instance number.

# The agents are those of SAPHanaSR-angi (SUSE, provider suse) and of sap-hana-ha (Red Hat, provider heartbeat). They
# differ by the provider alone: replace it on the other system. HANA calls the hooks of that package (global.ini):
# susHanaSR and susChkSrv, or HanaSR and ChkSrv.

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$node1 $node2 $node3 $node4 $node5 $node1_id $node2_id $node3_id $node4_id $node5_id $region $ip $tables" in
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

# A part of the cluster without quorum keeps what it runs and starts nothing. Several nodes are fenced at the same time.
pcs property set stonith-enabled=true stonith-timeout=600 no-quorum-policy=freeze concurrent-fencing=true
pcs resource defaults update resource-stickiness=1000 migration-threshold=50
pcs resource op defaults update timeout=600

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create rsc_fence_aws fence_aws region="$region" \
    pcmk_host_map="$node1:$node1_id;$node2:$node2_id;$node3:$node3_id;$node4:$node4_id;$node5:$node5_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

pcs resource create rsc_SAPHanaTop_PRD_HDB00 ocf:heartbeat:SAPHanaTopology SID=PRD InstanceNumber=00 \
    op start interval=0 timeout=600 op stop interval=0 timeout=300 op monitor interval=30 timeout=300 \
    clone cln_SAPHanaTop_PRD_HDB00
pcs resource meta cln_SAPHanaTop_PRD_HDB00 clone-node-max=1 interleave=true

# Writes to /hana/shared/PRD; fences a primary whose file system hangs while the secondary is in sync.
pcs resource create rsc_SAPHanaFil_PRD_HDB00 ocf:heartbeat:SAPHanaFilesystem SID=PRD InstanceNumber=00 \
    ON_FAIL_ACTION=fence \
    op start interval=0 timeout=10 op stop interval=0 timeout=20 on-fail=fence \
    op monitor interval=120 timeout=180 \
    clone cln_SAPHanaFil_PRD_HDB00
pcs resource meta cln_SAPHanaFil_PRD_HDB00 clone-node-max=1 interleave=true

# ON_FAIL_ACTION=fence instead of proceed fences a primary that failed, where HANA needs long for its stop.
pcs resource create rsc_SAPHanaCon_PRD_HDB00 ocf:heartbeat:SAPHanaController SID=PRD InstanceNumber=00 \
    PREFER_SITE_TAKEOVER=true DUPLICATE_PRIMARY_TIMEOUT=7200 AUTOMATED_REGISTER=true ON_FAIL_ACTION=proceed \
    op start interval=0 timeout=3600 op stop interval=0 timeout=3600 on-fail=fence \
    op promote interval=0 timeout=900 op demote interval=0 timeout=320 \
    op monitor interval=59 role=Promoted timeout=700 op monitor interval=61 role=Unpromoted timeout=700 \
    meta priority=100 \
    promotable cln_SAPHanaCon_PRD_HDB00
pcs resource meta cln_SAPHanaCon_PRD_HDB00 clone-node-max=1 interleave=true maintenance=true

pcs resource create rsc_ip_PRD_HDB00 ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=60 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=5000

pcs constraint location cln_SAPHanaTop_PRD_HDB00 avoids "$node5"
pcs constraint location cln_SAPHanaFil_PRD_HDB00 avoids "$node5"
pcs constraint location cln_SAPHanaCon_PRD_HDB00 avoids "$node5"
pcs constraint location rsc_ip_PRD_HDB00 avoids "$node5"
pcs constraint order start cln_SAPHanaTop_PRD_HDB00 then cln_SAPHanaCon_PRD_HDB00 symmetrical=false
# 2000 and not INFINITY: tools can reach SAP's start service by the address while no database is primary.
pcs constraint colocation add rsc_ip_PRD_HDB00 with Promoted cln_SAPHanaCon_PRD_HDB00 2000

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"

# The controller starts in maintenance. Once SAPHanaSR-showAttr shows both sites and their roles:
#   pcs resource refresh cln_SAPHanaCon_PRD_HDB00
#   pcs resource meta cln_SAPHanaCon_PRD_HDB00 maintenance=
