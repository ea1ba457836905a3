"""`ocf-aws check`: every precondition of a resource on this node, with a remedy for each that does not hold."""

from __future__ import annotations

import argparse
import os
import socket
from collections import Counter
from collections.abc import Iterable

from ocf_aws.cli.agent_files import OVERLAY_IP
from ocf_aws.cli.checks import (
    access,
    address,
    cluster_state,
    eni,
    fencing,
    node,
    operating_system,
    operations,
    packet_filters,
    peers,
    placement,
    rights,
    routes,
)
from ocf_aws.cli.definition import Definition, find_definitions
from ocf_aws.cli.environment import become_pacemaker
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import FAILED, NOT_APPLICABLE, PASSED, UNKNOWN, WARNING, Check, Finding
from ocf_aws.cli.output import FOUND, OK, Output, Progress
from ocf_aws.cli.output import UNKNOWN as STATUS_UNKNOWN

_WORDS = {PASSED: "ok", FAILED: "FAILED", WARNING: "warning", UNKNOWN: "unknown", NOT_APPLICABLE: "-"}
_COLOURS = {PASSED: "green", FAILED: "red", WARNING: "yellow", UNKNOWN: "blue", NOT_APPLICABLE: "dim"}
_INDENT = " " * 9


def checks_for(definition: Definition) -> list[Check]:
    """All checks of a resource, in the order in which they are told."""
    overlay_ip = (address.CHECKS, routes.CHECKS, packet_filters.CHECKS)
    own = overlay_ip if definition.agent == OVERLAY_IP else (eni.CHECKS,)
    in_cluster = (operations.CHECKS, placement.CHECKS, cluster_state.CHECKS, fencing.CHECKS)
    areas = (node.CHECKS, access.CHECKS, rights.CHECKS, *own, peers.CHECKS, operating_system.CHECKS, *in_cluster)
    return [check for area in areas for check in area]


def examine(facts: Facts) -> list[Finding]:
    """What all checks find."""
    chosen = checks_for(facts.definition)
    if not facts.is_defined:
        # Nothing can be said of an address or an ENI that is not named.
        chosen = [check for check in chosen if check in [*node.CHECKS, *access.CHECKS]]
    return [finding for check in chosen for finding in check.findings(facts, facts.definition.name)]


def exit_status(findings: Iterable[Finding]) -> int:
    """0: all right; 1: something was found; 3: something could not be found out."""
    statuses = {finding.status for finding in findings}
    if statuses & {FAILED, WARNING}:
        return FOUND
    return STATUS_UNKNOWN if UNKNOWN in statuses else OK


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Check what the command line names. Raises UsageError, NothingKnown, Failure."""
    shell_only = become_pacemaker(os.environ)
    found: list[Finding] = []
    for definition in find_definitions(arguments.words):
        with Progress(output, f"asking EC2 about {definition.name}"):
            facts = Facts(definition, shell_only).gather()
            findings = examine(facts)
        _print(output, facts, findings, arguments.all)
        found += findings
    output.results(finding.as_dict() for finding in found)
    return exit_status(found)


def _print(output: Output, facts: Facts, findings: list[Finding], is_all: bool) -> None:
    output.line(output.colour(_headline(facts), "bold"))
    right = []
    for finding in findings:
        if finding.status == PASSED and not is_all:
            right.append(finding.name)
        elif finding.status != NOT_APPLICABLE or is_all:
            word = output.colour(f"{_WORDS[finding.status]:<9}", _COLOURS[finding.status])
            # Colours have no width, so the paragraph is wrapped without them.
            output.wrapped(f"{finding.name}: {finding.detail}", _INDENT, first=word)
            if finding.remedy:
                output.line(f"{_INDENT}{output.colour(finding.remedy, 'bold')}")
    if right:
        output.wrapped(
            ", ".join(dict.fromkeys(right)), _INDENT, first=output.colour(f"{_WORDS[PASSED]:<9}", _COLOURS[PASSED])
        )
    output.line(_summary(facts, findings))
    output.line()


def _headline(facts: Facts) -> str:
    place = ", ".join(
        str(facts.get(name)) for name in ("instance_id", "availability_zone", "vpc_id") if facts.get(name)
    )
    link, eni_id = facts.get("link"), facts.get("eni_id")
    where = f", {link.name} = {eni_id}" if link and eni_id else ""
    subject = facts.p.ip if facts.is_overlay_ip else facts.p.eni_id
    return f"{facts.definition.name} {subject or ''} on {socket.gethostname()}{f' ({place})' if place else ''}{where}"


def _summary(facts: Facts, findings: list[Finding]) -> str:
    count = Counter(finding.status for finding in findings)
    told = [f"{count[PASSED]} passed"]
    told += [
        f"{count[status]} {status}{'s' if status == WARNING and count[status] > 1 else ''}"
        for status in (FAILED, WARNING, UNKNOWN)
        if count[status]
    ]
    others = list(facts.get("peers") or {})
    more = f" Run it on {', '.join(others)} too." if others else ""
    return f"{', '.join(told)}.{more}"
