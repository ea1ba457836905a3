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
bin=@PGBIN@              # directory of pg_ctl and psql
data=@PGDATA@            # directory of the database

# Nothing starts before all is there.
pcs property set maintenance-mode=true

# When the nodes lose sight of each other, the one with the primary fences the other: it is 20 s ahead, twice as much as
# the random delay of the fencing device can be.
pcs property set stonith-enabled=true stonith-timeout=600 priority-fencing-delay=20
pcs resource defaults update resource-stickiness=1000 migration-threshold=1

# EC2 stops the instance at once, without a shutdown in it.
pcs stonith create fence fence_aws region="$region" pcmk_host_map="$node1:$node1_id;$node2:$node2_id" \
    skip_os_shutdown=true pcmk_delay_max=10 pcmk_reboot_timeout=600 pcmk_reboot_retries=4 \
    op start interval=0 timeout=600 op stop interval=0 timeout=180 op monitor interval=300 timeout=60

pcs resource create postgresql ocf:heartbeat:pgsql pgctl="$bin/pg_ctl" psql="$bin/psql" pgdata="$data" \
    rep_mode=sync node_list="$node1 $node2" master_ip="$ip" repuser=replicator \
    primary_conninfo_opt='keepalives_idle=60 keepalives_interval=5 keepalives_count=5' \
    op start interval=0 timeout=120 op stop interval=0 timeout=120 \
    op promote interval=0 timeout=120 op demote interval=0 timeout=120 op notify interval=0 timeout=90 \
    op monitor interval=9 role=Promoted timeout=60 op monitor interval=10 role=Unpromoted timeout=60 \
    meta priority=100 \
    promotable meta notify=true clone-max=2 clone-node-max=1

pcs resource create overlay-ip ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=20 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=3

# The address comes once there is a primary, and goes when there is none any more.
pcs constraint colocation add overlay-ip with Promoted postgresql-clone INFINITY
pcs constraint order promote postgresql-clone then start overlay-ip symmetrical=false
pcs constraint order demote postgresql-clone then stop overlay-ip symmetrical=false kind=Optional

pcs property set maintenance-mode=false
