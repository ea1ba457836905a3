"""Fencing: is it on, and does the device know the nodes?"""

from __future__ import annotations

from collections.abc import Iterator

from ocf_aws.cli.checks.in_cluster import in_cluster
from ocf_aws.cli.checks.remedies import reset_meta, set_parameter_of
from ocf_aws.cli.cluster.cib import Cib, Primitive, is_off
from ocf_aws.cli.cluster.commands import cluster_shell, run
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, warning
from ocf_aws.ocf.errors import Unknown

CHECKS = Checks()


@CHECKS.add("fencing")
@in_cluster
def check_fencing(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Without fencing two nodes may serve at once."""
    if is_off(cib.properties, "stonith-enabled", "true"):
        yield failed(
            "fencing is off: two nodes may have the address at once",
            "crm_attribute --type crm_config --name stonith-enabled --update true",
        )
        return
    if not cib.fencing_devices:
        yield failed("no fencing device is configured", _create_fencing(facts, cib))
        return
    # Pacemaker's fencer takes a device that is disabled out of its list.
    enabled = [each for each in cib.fencing_devices if not each.is_disabled]
    disabled = [each for each in cib.fencing_devices if each.is_disabled]
    tell = warning if enabled else failed
    for device in disabled:
        yield tell(
            f"{device.id} is disabled (target-role): it fences nobody", reset_meta(device, "target-role", "Started")
        )
    if not disabled:
        yield passed(", ".join(f"{each.id} ({each.type})" for each in enabled))


def _create_fencing(facts: Facts, cib: Cib) -> str:
    ids = {name: peer.id for name, peer in (facts.get("peers") or {}).items() if peer}
    ids[facts["cluster"].local] = facts.get("instance_id") or "INSTANCE"
    hosts = ";".join(f"{name}:{ids.get(name, 'INSTANCE')}" for name in cib.nodes)
    options = f'region={facts.get("region") or "REGION"} pcmk_host_map="{hosts}"'
    try:
        # Without it EC2 waits for a shutdown of a system that may hang; older versions do not know it.
        options += " skip_os_shutdown=true" * ("skip_os_shutdown" in run("fence_aws", "-o", "metadata"))
    except Unknown:
        pass
    if cluster_shell() == "crm":
        return f"crm configure primitive fence stonith:fence_aws params {options}"
    return f"pcs stonith create fence fence_aws {options}"


@CHECKS.add("fencing-map")
@in_cluster
def check_fencing_map(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Does fence_aws know each node's instance?"""
    devices = [each for each in cib.fencing_devices if each.type == "fence_aws" and not each.is_disabled]
    if not devices:
        yield not_applicable("no device of fence_aws is enabled")
        return
    mapped = {name: id for each in devices for name, id in each.instance_ids().items()}
    cluster, own = facts["cluster"], facts.get("instance_id")
    complete = dict(mapped)
    for name, peer in (facts.get("peers") or {}).items():
        if peer:
            complete[name] = peer.id
    if own:
        complete[cluster.local] = own
    hosts = ";".join(f"{name}:{complete.get(name, 'INSTANCE')}" for name in cib.nodes)
    remedy = set_parameter_of(devices[0].id, "pcmk_host_map", hosts)
    missing = [name for name in cib.nodes if name not in mapped]
    wrong = own and mapped.get(cluster.local, own) != own
    if missing and any("pcmk_host_map" in each.parameters for each in devices):
        yield failed(f"pcmk_host_map does not name {', '.join(missing)}", remedy)
    elif wrong:
        yield failed(f"pcmk_host_map says {mapped[cluster.local]} for {cluster.local}, which is {own}", remedy)
    else:
        yield passed("names each node")
