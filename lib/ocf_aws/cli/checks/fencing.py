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


def _hosts(facts: Facts, cib: Cib) -> str:
    """A map with the instance of each node."""
    ids = cib.instance_ids()
    ids.update({name: peer.id for name, peer in (facts.get("peers") or {}).items() if peer})
    if facts.get("instance_id"):
        ids[facts["cluster"].local] = facts["instance_id"]
    return ";".join(f"{name}:{ids.get(name, 'INSTANCE')}" for name in cib.nodes)


def _create_fencing(facts: Facts, cib: Cib) -> str:
    options = f'region={facts.get("region") or "REGION"} pcmk_host_map="{_hosts(facts, cib)}"'
    try:
        # Without it EC2 waits for a shutdown of a system that may hang; older versions do not know it.
        options += " skip_os_shutdown=true" * ("skip_os_shutdown" in run("fence_aws", "-o", "metadata"))
    except Unknown:
        pass
    name = "fence-all" if cib.find("fence") else "fence"
    if cluster_shell() == "crm":
        return f"crm configure primitive {name} stonith:fence_aws params {options}"
    return f"pcs stonith create {name} fence_aws {options}"


@CHECKS.add("fencing-map")
@in_cluster
def check_fencing_map(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Does fence_aws know each node's instance?"""
    devices = [each for each in cib.fencing_devices if each.type == "fence_aws" and not each.is_disabled]
    if not devices:
        yield not_applicable("no device of fence_aws is enabled")
        return
    mapped = {name: id for each in devices for name, id in each.instance_ids().items()}
    missing = [name for name in cib.nodes if name not in mapped]
    own, local = facts.get("instance_id"), facts["cluster"].local
    wrong = [each for each in devices if own and each.instance_ids().get(local, own) != own]
    if missing:
        # A device for one instance cannot learn of another.
        device = next((each for each in devices if not each.own_instance_name), None)
        remedy = (
            set_parameter_of(device.id, "pcmk_host_map", _hosts(facts, cib)) if device else _create_fencing(facts, cib)
        )
        yield failed(f"no device of fence_aws knows the instance of {', '.join(missing)}", remedy)
    for device in wrong:
        name, value = "pcmk_host_map", _hosts(facts, cib)
        if device.own_instance_name:
            name, value = device.own_instance_name, own
        yield failed(
            f"{device.id} takes {device.instance_ids()[local]} for {local}, which is {own}",
            set_parameter_of(device.id, name, value),
        )
    if not missing and not wrong:
        yield passed("names each node")
