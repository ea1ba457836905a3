#!/bin/sh
# SQL Server availability group, for pcs (RHEL, Ubuntu).
#
# Three nodes in three availability zones: two synchronous replicas and one that holds the configuration only (or a
# third replica). The overlay IP follows the primary replica. Run once, as root, on one node of a cluster without
# resources; before that, README.md tells what to prepare.
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

# Replace ag1 below by the name of the availability group (CLUSTER_TYPE = EXTERNAL).

# mssql-server-ha is installed on all nodes, and /var/opt/mssql/secrets/passwd has the login of the cluster.

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

# Microsoft's guide asks for the short recheck interval; older Pacemaker needs it to see that a failure has expired.
pcs property set stonith-enabled=true stonith-timeout=600 cluster-recheck-interval=120
pcs resource defaults update resource-stickiness=1000 migration-threshold=5000

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create fence fence_aws region="$region" \
    pcmk_host_map="$node1:$node1_id;$node2:$node2_id;$node3:$node3_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

# Microsoft's guide says failure-timeout=60, which is no longer than a start may take (docs/values.md).
pcs resource create ag_cluster ocf:mssql:ag ag_name=ag1 \
    op start interval=0 timeout=60 op stop interval=0 timeout=60 \
    op promote interval=0 timeout=60 op demote interval=0 timeout=10 op notify interval=0 timeout=60 \
    op monitor interval=10 timeout=60 \
    op monitor interval=11 role=Promoted timeout=60 op monitor interval=12 role=Unpromoted timeout=60 \
    meta failure-timeout=90 \
    promotable
pcs resource meta ag_cluster-clone notify=true clone-max=3 clone-node-max=1

pcs resource create overlay-ip ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=5000

pcs constraint colocation add overlay-ip with Promoted ag_cluster-clone INFINITY
pcs constraint order promote ag_cluster-clone then start overlay-ip

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"
