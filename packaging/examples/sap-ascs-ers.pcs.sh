#!/bin/sh
# SAP NetWeaver or S/4HANA central services, ASCS and ERS with the enqueue server 2 (ENSA2), for pcs (RHEL).
#
# Two nodes in two availability zones; ASCS and ERS each have an overlay IP and a directory on EFS. Run once, as root, on
# one node of a cluster without resources; before that, README.md tells what to prepare.
set -eu

# Replace each word between two @.
node1=@NODE1@            # names of the nodes in the cluster, and their instance ids
node2=@NODE2@
node1_id=@NODE1_ID@
node2_id=@NODE2_ID@
region=@REGION@
ascs_ip=@ASCS_IP@        # the overlay IPs, outside the CIDR blocks of the VPC
ers_ip=@ERS_IP@
tables=@ROUTE_TABLES@    # ids of all route tables whose subnets have clients or nodes, separated by commas
efs=@EFS@                # name of the file system's mount target

# Replace PRD by your SID, 00 and 10 by the instance numbers, sapascs and sapers by the virtual host names, which are the
# names of the overlay IPs.

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$node1 $node2 $node1_id $node2_id $region $ascs_ip $ers_ip $tables $efs" in
    *@*) echo "Nothing done: replace each word between two @ first." >&2; exit 1 ;;
esac
before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
pcs cluster cib > "$before"
if pcs resource config rsc_ip_PRD_ASCS00 > /dev/null 2>&1; then
    echo "Nothing done: rsc_ip_PRD_ASCS00 is there already."
    exit 0
fi
cp "$before" "$after"
pcs() { command pcs -f "$after" "$@"; }

# When the nodes lose sight of each other, the one with the ASCS fences the other: it is 20 s ahead, twice as much as the
# random delay of the fencing device can be.
pcs property set stonith-enabled=true stonith-timeout=600 priority-fencing-delay=20
pcs resource defaults update resource-stickiness=1 migration-threshold=3
pcs resource op defaults update timeout=600

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create rsc_fence_aws fence_aws region="$region" pcmk_host_map="$node1:$node1_id;$node2:$node2_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

nfs=rw,noatime,vers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2

pcs resource create rsc_fs_PRD_ASCS00 ocf:heartbeat:Filesystem device="$efs:/PRD_ASCS00" directory=/usr/sap/PRD/ASCS00 \
    fstype=nfs4 options="$nfs" force_unmount=safe \
    op start interval=0 timeout=60 op stop interval=0 timeout=120 op monitor interval=20 timeout=40 \
    --group grp_PRD_ASCS00
pcs resource create rsc_ip_PRD_ASCS00 ocf:aws:aws-overlay-ip ip="$ascs_ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=3 \
    --group grp_PRD_ASCS00
pcs resource create rsc_sap_PRD_ASCS00 ocf:heartbeat:SAPInstance InstanceName=PRD_ASCS00_sapascs \
    START_PROFILE=/sapmnt/PRD/profile/PRD_ASCS00_sapascs AUTOMATIC_RECOVER=false MINIMAL_PROBE=true \
    op start interval=0 timeout=600 op stop interval=0 timeout=600 op monitor interval=20 timeout=60 on-fail=restart \
    meta resource-stickiness=5000 priority=100 \
    --group grp_PRD_ASCS00
pcs resource meta grp_PRD_ASCS00 resource-stickiness=3000

pcs resource create rsc_fs_PRD_ERS10 ocf:heartbeat:Filesystem device="$efs:/PRD_ERS10" directory=/usr/sap/PRD/ERS10 \
    fstype=nfs4 options="$nfs" force_unmount=safe \
    op start interval=0 timeout=60 op stop interval=0 timeout=120 op monitor interval=20 timeout=40 \
    --group grp_PRD_ERS10
pcs resource create rsc_ip_PRD_ERS10 ocf:aws:aws-overlay-ip ip="$ers_ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=3 \
    --group grp_PRD_ERS10
pcs resource create rsc_sap_PRD_ERS10 ocf:heartbeat:SAPInstance InstanceName=PRD_ERS10_sapers \
    START_PROFILE=/sapmnt/PRD/profile/PRD_ERS10_sapers AUTOMATIC_RECOVER=false IS_ERS=true MINIMAL_PROBE=true \
    op start interval=0 timeout=600 op stop interval=0 timeout=600 op monitor interval=20 timeout=60 on-fail=restart \
    --group grp_PRD_ERS10

# Apart while there are two nodes. After a failover the ERS gives way once the ASCS has read the lock table.
pcs constraint colocation add grp_PRD_ERS10 with grp_PRD_ASCS00 -- -5000
pcs constraint order start grp_PRD_ASCS00 then stop grp_PRD_ERS10 symmetrical=false kind=Optional

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"
