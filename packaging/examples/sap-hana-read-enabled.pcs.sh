#!/bin/sh
# SAP HANA with a read-enabled secondary (operation mode logreplay_readaccess), for pcs (RHEL).
#
# A second overlay IP that follows the secondary database; while there is none, the primary has both. An addition to
# sap-hana-performance-optimised.pcs.sh: run it after that, as root, on one node.
set -eu

# Replace each word between two @.
ip=@READER_IP@           # outside the CIDR blocks of the VPC
tables=@ROUTE_TABLES@    # ids of all route tables whose subnets have clients or nodes, separated by commas

# All or nothing: the configuration is made and verified in a file, and pushed once.
case "$ip $tables" in
    *@*) echo "Nothing done: replace each word between two @ first." >&2; exit 1 ;;
esac
before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
pcs cluster cib > "$before"
if pcs resource config rsc_ip_PRD_HDB00_readenabled > /dev/null 2>&1; then
    echo "Nothing done: rsc_ip_PRD_HDB00_readenabled is there already."
    exit 0
fi
cp "$before" "$after"
pcs() { command pcs -f "$after" "$@"; }

pcs resource create rsc_ip_PRD_HDB00_readenabled ocf:aws:aws-overlay-ip ip="$ip" routing_table="$tables" \
    op start interval=0 timeout=180 op stop interval=0 timeout=180 \
    op monitor interval=60 timeout=60 op monitor interval=120 timeout=60 OCF_CHECK_LEVEL=10 \
    meta failure-timeout=600 migration-threshold=3
pcs constraint colocation add rsc_ip_PRD_HDB00_readenabled with Unpromoted rsc_SAPHana_PRD_HDB00-clone 2000

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"
