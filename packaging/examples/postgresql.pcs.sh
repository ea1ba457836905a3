#!/bin/sh
# A PostgreSQL pair with synchronous streaming replication, for pcs (RHEL, Debian, Ubuntu, Amazon Linux).
#
# Two nodes in two availability zones. The overlay IP follows the primary: clients and the standby connect to it. Run
# once, as root, on one node of a cluster without resources; before that, README.md tells what to prepare.
set -eu

# Replace each word between two @.
node1=@NODE1@            # names of the nodes in the cluster, and their instance ids
node2=@NODE2@
node1_id=@NODE1_ID@
node2_id=@NODE2_ID@
region=@REGION@
ip=@OVERLAY_IP@          # outside the CIDR blocks of the VPC
tables=@ROUTE_TABLES@    # ids of all route tables whose subnets have clients or nodes, separated by commas
bin=@PGBIN@              # directory of pg_ctl:       /usr/lib/postgresql/15/bin (Debian, Ubuntu), /usr/bin (RHEL)
data=@PGDATA@            # directory of the database: /var/lib/postgresql/15/main, /var/lib/pgsql/data
config=@PGCONFIG@        # postgresql.conf:           /etc/postgresql/15/main/postgresql.conf, PGDATA/postgresql.conf
tmp=@PGTMP@              # the agent's own directory: /var/lib/postgresql/pgsql, /var/lib/pgsql/tmp

# Before that, PostgreSQL is set up for streaming replication on both nodes: a user replicator that pg_hba.conf lets in,
# listen_addresses='*', no synchronous_standby_names, which is the agent's. The second node is a copy of the first
# (pg_basebackup), and both are stopped and disabled (on Debian by start.conf, too).
#
# A primary that has stopped while it had a standby stays down, until a person has copied it anew from the new primary,
# removed PGSQL.lock in the agent's directory, and cleaned up: the agent cannot know what the standby has not got. PAF
# can (postgresql-paf.pcs.sh). On Debian 12 the agent needs a repair, which README.md has.

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$node1 $node2 $node1_id $node2_id $region $ip $tables $bin $data $config $tmp" in
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

# When the nodes lose sight of each other, the one with the primary fences the other: it is 20 s ahead, twice as much as
# the random delay of the fencing device can be.
pcs property set stonith-enabled=true stonith-timeout=600 priority-fencing-delay=20
pcs resource defaults update resource-stickiness=1000 migration-threshold=1

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create fence fence_aws region="$region" pcmk_host_map="$node1:$node1_id;$node2:$node2_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

pcs resource create postgresql ocf:heartbeat:pgsql pgctl="$bin/pg_ctl" psql="$bin/psql" pgdata="$data" \
    config="$config" socketdir=/var/run/postgresql tmpdir="$tmp" \
    rep_mode=sync node_list="$node1 $node2" master_ip="$ip" repuser=replicator \
    primary_conninfo_opt='connect_timeout=10 keepalives_idle=60 keepalives_interval=5 keepalives_count=5' \
    op start interval=0 timeout=120 op stop interval=0 timeout=120 \
    op promote interval=0 timeout=120 op demote interval=0 timeout=120 op notify interval=0 timeout=90 \
    op monitor interval=9 role=Promoted timeout=60 op monitor interval=10 role=Unpromoted timeout=60 \
    meta priority=100 \
    promotable
pcs resource meta postgresql-clone notify=true clone-max=2 clone-node-max=1

pcs resource create overlay-ip ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=5000

# The address comes once there is a primary, and goes when there is none any more.
pcs constraint colocation add overlay-ip with Promoted postgresql-clone INFINITY
pcs constraint order promote postgresql-clone then start overlay-ip symmetrical=false
pcs constraint order demote postgresql-clone then stop overlay-ip symmetrical=false kind=Optional

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"
