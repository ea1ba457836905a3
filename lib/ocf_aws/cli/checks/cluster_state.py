"""What state the cluster has the resource in: in charge or not, failures, bans, nodes in standby."""

from __future__ import annotations

from collections.abc import Iterator

from ocf_aws.cli.checks.in_cluster import in_cluster
from ocf_aws.cli.checks.remedies import reset_meta
from ocf_aws.cli.cluster.cib import Cib, Primitive, is_off
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, passed, warning

CHECKS = Checks()


@CHECKS.add("managed")
@in_cluster
def check_managed(facts: Facts, cib: Cib, primitive: Primitive) -> list[Finding]:
    """Is the cluster in charge of it?"""
    return list(_reasons_unmanaged(cib, primitive)) or [passed("managed")]


def _reasons_unmanaged(cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    if not is_off(cib.properties, "maintenance-mode", "false"):
        yield warning(
            "the cluster is in maintenance mode", "crm_attribute --type crm_config --name maintenance-mode --delete"
        )
    for node, lifetime in cib.nodes_in("maintenance").items():
        yield warning(
            f"{node} is in maintenance",
            f"crm_attribute --node {node} --name maintenance{_lifetime_option(lifetime)} --delete",
        )
    if not is_off(primitive.meta, "maintenance", "false"):
        yield warning(f"{primitive.id} is in maintenance", reset_meta(primitive, "maintenance", "false"))
    if is_off(primitive.meta, "is-managed", "true"):
        yield warning(f"{primitive.id} is unmanaged", reset_meta(primitive, "is-managed", "true"))
    if primitive.is_disabled:
        yield warning(f"{primitive.id} is disabled (target-role)", reset_meta(primitive, "target-role", "Started"))


@CHECKS.add("failures")
@in_cluster
def check_failures(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Has it failed, and is that remembered?"""
    status = facts["cluster"].resources.get(primitive.id)
    for failure in status.failures if status else ():
        yield warning(f"the cluster remembers: {failure}", f"crm_resource --cleanup --resource {primitive.id}")
    if not status or not status.failures:
        yield passed("none remembered")


@CHECKS.add("bans")
@in_cluster
def check_bans(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Constraints that a move left behind."""
    found = [(resource, node, id) for id, resource, node in cib.bans if resource in primitive.names]
    for resource, _, id in found:
        yield warning(f"{id} is left from a move or ban", f"crm_resource --resource {resource} --clear")
    if not found:
        yield passed("none left behind")


@CHECKS.add("standby")
@in_cluster
def check_standby(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Nodes that may run nothing."""
    found = cib.nodes_in("standby")
    for node, lifetime in found.items():
        yield warning(f"{node} is in standby", f"crm_standby --node {node}{_lifetime_option(lifetime)} --delete")
    if not found:
        yield passed("no node is in standby")


def _lifetime_option(lifetime: str) -> str:
    """What finds an attribute that lasts until a reboot; without it the commands look for one that lasts for ever."""
    return " --lifetime reboot" * (lifetime == "reboot")
