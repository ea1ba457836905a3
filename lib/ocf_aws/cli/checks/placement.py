"""Where Pacemaker places the resource: what keeps it, moves it and bans it, and who else has the address."""

from __future__ import annotations

from collections.abc import Iterator

from ocf_aws.cli.checks.in_cluster import in_cluster
from ocf_aws.cli.checks.remedies import set_meta
from ocf_aws.cli.cluster.cib import Cib, Primitive, is_off
from ocf_aws.cli.cluster.cib_xml import seconds
from ocf_aws.cli.cluster.commands import cluster_shell
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, warning
from ocf_aws.ip import IpAddress

CHECKS = Checks()

_FAILURE_TIMEOUT = 600.0
"""Seconds that the documentation recommends."""

_NO_THRESHOLD = 5000
"""So many failures do not come together: what the guides for SAP HANA set."""


@CHECKS.add("failure-handling")
@in_cluster
def check_failure_handling(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """When do failures ban a node, and when are they forgotten?"""
    threshold = primitive.meta.get("migration-threshold", "INFINITY")
    expires = seconds(primitive.meta.get("failure-timeout"))
    slowest = max(cib.timeout(primitive, name) for name in ("start", "stop"))
    remedy = set_meta(primitive, "failure-timeout", f"{max(_FAILURE_TIMEOUT, slowest * 2):g}")
    # Pacemaker applies it to an action that still runs: a test with its scheduler shows it.
    if 0 < expires <= slowest:
        return failed(
            f"failure-timeout {expires:g} s is not longer than the {slowest:g} s that a start or stop may take: Pacemaker can"
            " forget a start that still runs, and start it on the other node too",
            remedy,
        )
    if not expires and (threshold == "1" or not is_off(cib.properties, "start-failure-is-fatal", "true")):
        return warning("no failure-timeout: one failed start bans the node until somebody cleans up", remedy)
    follows = [each.other for each in cib.colocations if each.is_with_primary and each.resource in primitive.names]
    if follows and threshold.isdecimal() and int(threshold) < _NO_THRESHOLD:
        return warning(
            f"migration-threshold {threshold}: a ban of {primitive.id} moves the primary of {follows[0]} too",
            set_meta(primitive, "migration-threshold", f"{_NO_THRESHOLD}"),
        )
    return passed(f"migration-threshold {threshold}, failure-timeout {expires:g} s")


@CHECKS.add("stickiness")
@in_cluster
def check_stickiness(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """Does the resource stay where it is while something else changes?"""
    # Pacemaker adds up what the members of a group have.
    group = [each for each in cib.primitives if primitive.parents and each.parents == primitive.parents]
    scores = [each.meta.get("resource-stickiness", "0") for each in group or [primitive]]
    if all(score.strip("+0") == "" or score.startswith("-") for score in scores):
        return warning(
            "resource-stickiness is 0: Pacemaker moves a healthy address when it balances the nodes anew",
            set_meta(primitive, "resource-stickiness", "1000"),
        )
    return passed(f"resource-stickiness {', '.join(scores)}")


@CHECKS.add("colocation")
@in_cluster
def check_colocation(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """Does the address follow what it serves?"""
    if len([each for each in cib.primitives if set(each.parents) & set(primitive.parents)]) > 1:
        return passed(f"in group {primitive.parents[0]}")
    if any(primitive.names & {each.resource, each.other} for each in cib.colocations):
        return passed("colocated")
    others = [each for each in cib.primitives if each.standard != "stonith" and each.id != primitive.id]
    if not others:
        return not_applicable("there is no other resource")
    # Others, such as a clone of a topology agent, run on both nodes.
    service = next((each for each in others if each.is_promotable), others[0])
    other = (*reversed(service.parents), service.id)[0]
    colocate = f"pcs constraint colocation add {primitive.id} with{' Promoted' * service.is_promotable} {other}"
    if cluster_shell() == "crm":
        role = ":Promoted" * service.is_promotable
        colocate = f"crm configure colocation {primitive.id}-with-{other} inf: {primitive.id} {other}{role}"
    return warning(f"{primitive.id} is colocated with nothing: it follows no service", colocate)


@CHECKS.add("same-address")
@in_cluster
def check_same_address(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Another resource with the same address or ENI."""
    found = [each for each in cib.primitives if each.id != primitive.id and _clash(primitive, each)]
    for each in found:
        yield failed(
            f"{each.id} ({each.spec}) has the same address or ENI",
            set_meta(each, "target-role", "Stopped"),
        )
    if not found:
        yield passed("no other resource has it")


def _clash(one: Primitive, other: Primitive) -> bool:
    if other.is_disabled:
        return False
    if one.parameters.get("eni_id"):
        return one.parameters["eni_id"] == other.parameters.get("eni_id")
    own = _address(one)
    return own is not None and own == _address(other)


def _address(primitive: Primitive) -> IpAddress | None:
    text = primitive.parameters.get("ip") or primitive.parameters.get("address") or ""
    try:
        return IpAddress.parse(text.strip())
    except ValueError:
        return None
