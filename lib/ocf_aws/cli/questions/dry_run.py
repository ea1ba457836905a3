"""Questions to EC2 by DryRun: what the resource may do. Each answer is a list of (object, Failure), empty where all would work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ocf_aws.aws import attach_requirements, network_interfaces, source_dest_check
from ocf_aws.aws.client import Client
from ocf_aws.aws.errors import Unanswered
from ocf_aws.aws.route_update import RouteUpdate
from ocf_aws.ocf.errors import Failure

if TYPE_CHECKING:
    from ocf_aws.cli.facts import Facts


def questions(facts: Facts) -> dict[str, Callable[[], Any]]:
    """What to ask EC2 by DryRun, by the name of the fact: each gives a list of (object, Failure)."""
    ec2: Client = facts["ec2"]
    asked: dict[str, Callable[[], Any]] = {}
    if facts.is_overlay_ip and facts.is_defined:
        asked["route_trials"] = partial(_try_routes, facts)
        if facts.p.source_dest_check == "disable":
            asked["modify_trial"] = lambda: _denied(
                facts["eni_id"],
                lambda: source_dest_check.disable(ec2, facts["eni_id"], DryRun=True),
            )
    if facts.is_eni_move and facts.is_defined:
        asked["attach_trial"] = partial(_try_attach, facts)
        asked["detach_trial"] = partial(_try_detach, facts)
    if facts.get("peers") and any(each.type == "fence_aws" for each in facts["cib"].fencing_devices):
        for verb in ("stop", "start"):
            asked[f"{verb}_trial"] = partial(_try_power, facts, verb)
    return asked


def _try_routes(facts: Facts) -> list[tuple[str, Failure]]:
    p = facts.p
    visible = [route for route in facts["routes"] if route.is_visible and not route.is_managed]
    update = RouteUpdate(facts["tables_ec2"], p.routing_table, p.ip, facts["target"], p.create_route, facts.context.log)
    return update.dry_run_failures(visible, p.delete_route_on_stop)


def _try_attach(facts: Facts) -> list[tuple[str, Failure]]:
    eni_id, instance_id = facts.p.eni_id, facts["instance_id"]
    index = facts.p.device_index or attach_requirements.lowest_free_index(instance_id, facts["used_indexes"])
    ask = partial(attach_requirements.check_attach_permission, facts["ec2"], eni_id, instance_id, index)
    return _denied(eni_id, ask)


def _try_detach(facts: Facts) -> list[tuple[str, Failure]]:
    eni = facts["moved_eni"]
    if eni is None or not eni.attachment_id or eni.unmovable_reason:
        return []
    return _denied(eni.id, lambda: network_interfaces.detach(facts["ec2"], eni.attachment_id, DryRun=True))


def _try_power(facts: Facts, verb: str) -> list[tuple[str, Failure]]:
    found: list[tuple[str, Failure]] = []
    for name, peer in facts["peers"].items():
        if peer:
            ask = partial(facts["ec2"].call, f"{verb}_instances", retry=False, InstanceIds=[peer.id], DryRun=True)
            found += _denied(name, ask)
    return found


def _denied(name: str, ask: Callable[[], Any]) -> list[tuple[str, Failure]]:
    """By DryRun: nothing where it would work, else the object and why not. Raises Unanswered."""
    try:
        ask()
    except Unanswered:
        raise
    except Failure as failure:
        return [(name, failure)]
    return []
