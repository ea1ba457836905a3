"""`ocf-aws migrate`: a running aws-vpc-move-ip resource becomes ours, and the address never leaves its node."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from xml.etree import ElementTree

from ocf_aws.cli.agent_files import OVERLAY_IP, load_agent
from ocf_aws.cli.check import examine
from ocf_aws.cli.cluster.cib import Cib, Primitive
from ocf_aws.cli.cluster.cib_xml import query_cib
from ocf_aws.cli.definition import ChangeFailed, Definition, UsageError
from ocf_aws.cli.environment import become_pacemaker
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import FAILED, PASSED
from ocf_aws.cli.migration import BACKUPS, OLD_TYPE, OURS, Migration, Type
from ocf_aws.cli.output import FOUND, OK, Output, Progress


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Show the steps, and do them with --apply. Raises UsageError, ChangeFailed, NothingKnown, Failure."""
    # What has begun in the cluster is ended, whether or not anybody reads of it.
    output.is_needed = not arguments.apply
    become_pacemaker(os.environ)
    cib = query_cib()
    primitive = cib.find(arguments.resource)
    if primitive is None:
        raise UsageError(f"no resource is called '{arguments.resource}'")
    if primitive.type not in (OLD_TYPE, OVERLAY_IP):
        raise UsageError(f"{primitive.id} is of type {primitive.spec}, not of {OLD_TYPE}")
    if primitive.template:
        raise UsageError(
            f"{primitive.id} has its type from the template {primitive.template}: give it a definition of its own first"
        )
    before, after = _old_type(primitive), OURS
    if arguments.revert:
        before, after = after, before
    migration = Migration(primitive, before, after)
    output.line(
        output.colour(f"{primitive.id}: {primitive.spec}, active on {' '.join(migration.nodes) or 'no node'}", "bold")
    )
    if (primitive.provider, primitive.type) == (after.provider, after.name) and not migration.is_under_way:
        output.line(f"ok       it is of type {after} already")
        output.results([{"resource": primitive.id, "type": str(after), "applied": False, "steps": []}])
        return OK
    if migration.is_under_way:
        output.line("note     a migration has begun and not ended: it goes on")
    elif not arguments.revert and not _is_ready(primitive, cib, output, arguments.force):
        output.results([{"resource": primitive.id, "type": primitive.spec, "applied": False, "steps": []}])
        return FOUND
    steps = list(migration.steps())
    if not arguments.apply:
        output.line(f"Would do (--apply does it; backup: {migration.backup}):")
        for number, step in enumerate(steps, 1):
            output.line(f"  {number} {step.text}")
            output.line(f"    {' '.join(_quoted(word) for word in step.command)}")
    else:
        if not migration.nodes:
            raise ChangeFailed(
                f"{primitive.id} is active on no node: change its type while it is stopped, by pcs or crm"
            )
        _apply(migration, output)
        output.line(
            f"{primitive.id} is {after} on {' '.join(migration.nodes)} now. Back: ocf-aws migrate {primitive.id} --revert --apply"
        )
    told = [{"text": step.text, "command": list(step.command)} for step in steps]
    output.results([{"resource": primitive.id, "type": str(after), "applied": arguments.apply, "steps": told}])
    return OK


def _apply(migration: Migration, output: Output) -> None:
    """Do the steps. Raises ChangeFailed, Failure."""
    # A terminal that is closed must not leave the resource half way.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        migration.apply(output)
    except KeyboardInterrupt:
        print("ocf-aws: interrupted: run the same command again, which goes on where this one stopped", file=sys.stderr)
        raise


def _old_type(primitive: Primitive) -> Type:
    """The type that it has, or had: SUSE's older packages have a provider of their own."""
    if primitive.type == OLD_TYPE:
        return Type(primitive.provider, OLD_TYPE)
    try:
        kept = ElementTree.fromstring((BACKUPS / f"{primitive.id}-before.xml").read_text())
        return Type(kept.get("provider") or "heartbeat", OLD_TYPE)
    except (OSError, ElementTree.ParseError):
        return Type("heartbeat", OLD_TYPE)


def _is_ready(primitive: Primitive, cib: Cib, output: Output, is_forced: bool) -> bool:
    """Whether the new agent could run it here, by `check`; tells what it finds."""
    module = load_agent(OVERLAY_IP)
    output.line(
        f"ok       the agent is installed here; on the other nodes: test -x /usr/lib/ocf/resource.d/aws/{OVERLAY_IP}"
    )
    definition = Definition(OVERLAY_IP, primitive.id, primitive.parameters, primitive, cib)
    with Progress(output, "checking"):
        findings = examine(Facts(definition).gather())
    failed = [each for each in findings if each.status == FAILED]
    for each in failed:
        output.line(f"{output.colour('FAILED', 'red')}   {each.name}: {each.detail}")
        output.line(f"         {each.remedy}")
    passed = len([each for each in findings if each.status == PASSED])
    output.line(f"{'ok    ' if not failed else '      '}   check: {passed} passed, {len(failed)} failed")
    idle = [p.name for p in module.AGENT.parameters if not p.has_effect and p.name in primitive.parameters]
    if idle:
        output.line(f"note     {', '.join(idle)}: no effect any more")
    if failed and not is_forced:
        output.line("Refused: apply the remedies, or say --force.")
    return not failed or is_forced


def _quoted(word: str) -> str:
    from shlex import quote

    return quote(word)
