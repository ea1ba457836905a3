"""What IAM lets this node do: each right that the resource needs, asked by DryRun or by itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ocf_aws.aws.errors import AccessDenied
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, unknown, warning
from ocf_aws.cli.policies import statements as policy
from ocf_aws.ocf.errors import Failure

CHECKS = Checks()


def statement_for(facts: Facts, action: str) -> str:
    """The IAM statement, in one line, that allows a call of this resource (ec2:ReplaceRoute)."""
    place = facts.place()
    statements: list[dict[str, Any]] = policy.fencing_statements(place)
    if facts.is_overlay_ip:
        statements = policy.overlay_ip_statements(place, facts.p) + policy.owner_statements(place, facts.p) + statements
    else:
        statements = policy.eni_move_statements(place) + statements
    for statement in statements:
        actions = statement["Action"]
        if action in ([actions] if isinstance(actions, str) else actions):
            return json.dumps(statement)
    return json.dumps(policy.check_statements()[0])


def _denied(failure: Failure | None) -> bool:
    return isinstance(failure, AccessDenied)


def _reading(facts: Facts, action: str, name: str) -> Finding:
    """A right that the resource cannot do without, by the call itself."""
    failure = facts.failure(name)
    if _denied(failure):
        return failed(f"{action} is denied: {failure}", statement_for(facts, action))
    facts[name]
    return passed(f"{action} is allowed")


@CHECKS.add("rights-describe")
def check_describe(facts: Facts) -> Iterator[Finding]:
    """May it see what it moves?"""
    if facts.is_eni_move:
        yield _reading(facts, "ec2:DescribeNetworkInterfaces", "moved_eni")
        return
    yield _reading(facts, "ec2:DescribeRouteTables", "routes")
    if facts.p.source_dest_check != "ignore":
        failure = facts.failure("own_eni")
        if _denied(failure):
            yield warning(
                "ec2:DescribeNetworkInterfaces is denied: start cannot verify the source/destination check",
                statement_for(facts, "ec2:DescribeNetworkInterfaces"),
            )
        else:
            facts["own_eni"]


@CHECKS.add("rights-routes")
def check_routes(facts: Facts) -> Iterator[Finding]:
    """May it write each route table?"""
    if not facts.is_overlay_ip:
        yield not_applicable("an ENI moves without route tables")
        return
    yield from _trials(facts, "route_trials", "each route table can be written")


@CHECKS.add("rights-source-dest-check")
def check_modify(facts: Facts) -> Iterator[Finding]:
    """May it turn off the source/destination check, where it is to?"""
    if not facts.is_overlay_ip or facts.p.source_dest_check != "disable":
        yield not_applicable("the agent is not to turn it off")
        return
    yield from _trials(facts, "modify_trial", "ec2:ModifyNetworkInterfaceAttribute is allowed")


@CHECKS.add("rights-eni")
def check_eni(facts: Facts) -> Iterator[Finding]:
    """May it attach the ENI here, and detach it from who has it?"""
    if not facts.is_eni_move:
        yield not_applicable("an overlay IP moves without its ENI")
        return
    yield from _trials(facts, "attach_trial", "ec2:AttachNetworkInterface is allowed")
    yield from _trials(facts, "detach_trial", "ec2:DetachNetworkInterface is allowed")


@CHECKS.add("rights-optional")
def check_optional(facts: Facts) -> Iterator[Finding]:
    """What makes the move of an ENI safer, and is missed only when it matters."""
    if not facts.is_eni_move:
        yield not_applicable("for an ENI only")
        return
    denied = [
        action
        for action, name in (("ec2:DescribeSubnets", "subnets"), ("ec2:DescribeInstances", "peers"))
        if _denied(facts.failure(name))
    ]
    for action in denied:
        yield warning(f"{action} is denied", statement_for(facts, action))
    if not denied:
        yield passed("ec2:DescribeSubnets and ec2:DescribeInstances are allowed")


@CHECKS.add("rights-fencing")
def check_fencing(facts: Facts) -> Iterator[Finding]:
    """May this node stop and start the others, as fence_aws does?"""
    if facts.get("cib") is None or not any(each.type == "fence_aws" for each in facts["cib"].fencing_devices):
        yield not_applicable("no device of fence_aws is configured")
        return
    for verb, action in (("stop", "ec2:StopInstances"), ("start", "ec2:StartInstances")):
        denied = [(name, failure) for name, failure in facts[f"{verb}_trial"] if _denied(failure)]
        if denied:
            yield failed(
                f"{action} on {_names(denied)} is denied: a node that is lost cannot be fenced",
                statement_for(facts, action),
            )
    if not any(_denied(failure) for verb in ("stop", "start") for _, failure in facts[f"{verb}_trial"]):
        yield passed("ec2:StopInstances and ec2:StartInstances are allowed on the other nodes")


def _trials(facts: Facts, name: str, told: str) -> Iterator[Finding]:
    """What came of the calls by DryRun: refused for rights, or for another reason, or not at all."""
    refused: list[tuple[str, Failure]] = facts[name]
    by_action: dict[str, list[str]] = {}
    for each, failure in refused:
        if _denied(failure):
            by_action.setdefault(_action(failure), []).append(each)
    for action, objects in by_action.items():
        yield failed(f"{action} on {', '.join(objects)} is denied{_role(facts)}", statement_for(facts, action))
    for each, failure in refused:
        if not _denied(failure):
            yield unknown(f"{each}: {failure}")
    if not refused:
        yield passed(told)


def _action(failure: Failure) -> str:
    """The call that was refused, by its name in IAM."""
    return next((word.strip(":,.") for word in failure.full_text.split() if word.startswith(("ec2:", "sts:"))), "ec2:?")


def _role(facts: Facts) -> str:
    role = facts.p.routing_table_role if facts.is_overlay_ip else None
    roles = facts.get("role")
    return f" to role {role or roles[0]}" if role or roles else ""


def _names(failures: Iterable[tuple[str, Failure]]) -> str:
    return ", ".join(name for name, _ in failures)
