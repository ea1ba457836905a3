#!/bin/sh
# SAP central services with the old enqueue server (ENSA1), for pcs (RHEL).
#
# The ASCS starts where the ERS has the copy of the lock table, and fails over instead of restarting in place. An
# addition to sap-ascs-ers.pcs.sh: run it after that, as root, on one node. S/4HANA 1809 and later have ENSA2 and must
# not have this.
set -eu

# All or nothing: the configuration is made and verified in a file, and pushed once.
before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
pcs cluster cib > "$before"
if grep -q 'id="loc_sap_PRD_failover_to_ers"' "$before"; then
    echo "Nothing done: loc_sap_PRD_failover_to_ers is there already."
    exit 0
fi
cp "$before" "$after"
pcs() { command pcs -f "$after" "$@"; }

# The vendors' guides say failure-timeout=60: a start that takes longer could begin on the other node too (docs/values.md).
pcs resource meta rsc_sap_PRD_ASCS00 failure-timeout=700 migration-threshold=1
# SAPInstance sets the attribute on the node that the ERS runs on.
pcs constraint location rsc_sap_PRD_ASCS00 rule constraint-id=loc_sap_PRD_failover_to_ers score=2000 runs_ers_PRD eq 1

crm_verify -V --xml-file "$after"
command pcs cluster cib-push "$after" diff-against="$before"
