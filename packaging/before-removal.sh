#!/bin/sh
# Before the package goes: warn if a resource of these agents runs on this node. A stop without its agent fails, and a
# failed stop gets the node fenced (Pacemaker Explained, on-fail: the default of stop is `fence`).
set -e

resources_here() {
    node=$(timeout 20 crm_node --name) &&
        timeout 20 crm_mon --one-shot --output-as=xml | awk -v here="name=\"$node\"" '
            /<resource / {
                split($0, part, "\"")
                id = /resource_agent="ocf::?aws:/ && / active="true"/ ? part[2] : ""
            }
            /<\/resource>/ { id = "" }
            id && /<node / && index($0, here) { print id }'
}

warn() {
    resources=$(resources_here 2>/dev/null | sort -u | tr '\n' ' ')
    [ -n "$resources" ] || return 0
    echo "WARNING: resource-agents-aws is removed while this node runs: $resources"
    echo "Without their agent they cannot be stopped, and the cluster fences this node."
    echo "Install the package again at once. Then first run, before you remove it: crm_standby --update=on"
} >&2

# dpkg says "remove", and rpm how many packages of this name stay. An upgrade is neither.
case "$1" in
    remove | 0) warn || true ;;
esac
