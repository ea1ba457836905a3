#!/bin/sh
# SAP ASE on shared storage, for pcs (RHEL).
#
# Two nodes in two availability zones; one of them mounts /sybase from FSx for NetApp ONTAP, has the overlay IP and runs
# the database. Run once, as root, on one node of a cluster without resources; before that, README.md tells what to
# prepare.
set -eu

# Replace each word between two @.
node1=@NODE1@            # names of the nodes in the cluster, and their instance ids
node2=@NODE2@
node1_id=@NODE1_ID@
node2_id=@NODE2_ID@
region=@REGION@
ip=@OVERLAY_IP@          # outside the CIDR blocks of the VPC
nfs=@NFS@                # name and path of the NFS share, HOST:/PATH
tables=@ROUTE_TABLES@    # ids of all route tables whose subnets have clients or nodes, separated by commas

# Replace PRD below by your SID.

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$node1 $node2 $node1_id $node2_id $region $ip $nfs $tables" in
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

# When the nodes lose sight of each other, the one with the database fences the other: it is 20 s ahead, twice as
# much as the random delay of the fencing device can be.
pcs property set stonith-enabled=true stonith-timeout=600 priority-fencing-delay=20
pcs resource defaults update resource-stickiness=1000 migration-threshold=5000
pcs resource op defaults update timeout=600

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create rsc_fence_aws fence_aws region="$region" pcmk_host_map="$node1:$node1_id;$node2:$node2_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

pcs resource create rsc_fs_PRD_sybase ocf:heartbeat:Filesystem device="$nfs" directory=/sybase fstype=nfs4 \
    options=rw,noatime,vers=4.1,rsize=262144,wsize=262144,hard,timeo=600,retrans=2 force_unmount=safe \
    op start interval=0 timeout=60 op stop interval=0 timeout=120 op monitor interval=20 timeout=40 \
    --group grp_ase_PRD
pcs resource create rsc_ip_PRD ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=3 \
    --group grp_ase_PRD
# SAP's host agent, which the agent asks, runs on both nodes and outside of the cluster.
pcs resource create rsc_ase_PRD ocf:heartbeat:SAPDatabase SID=PRD DBTYPE=SYB STRICT_MONITORING=true \
    AUTOMATIC_RECOVER=true \
    op start interval=0 timeout=1800 op stop interval=0 timeout=1800 op monitor interval=120 timeout=60 \
    --group grp_ase_PRD
pcs resource meta grp_ase_PRD priority=100

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"
