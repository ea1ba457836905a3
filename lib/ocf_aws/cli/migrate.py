"""`ocf-aws migrate`: a running aws-vpc-move-ip resource becomes ours, and the address never leaves its node.

Each step changes the live CIB once, and says nothing that the CIB does not: a run that was killed is repeated, and goes on
where it stopped. That a migration is under way shows in a set of meta-attributes of its own, which holds the resource in
maintenance meanwhile.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ocf_aws.cli.agent_files import OVERLAY_IP, load_agent
from ocf_aws.cli.check import examine
from ocf_aws.cli.cib import Cib, Primitive
from ocf_aws.cli.cib_xml import query_cib
from ocf_aws.cli.cluster_commands import run as run_command
from ocf_aws.cli.cluster_status import query_status
from ocf_aws.cli.definition import Definition, UsageError
from ocf_aws.cli.environment import become_pacemaker
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import FAILED, PASSED
from ocf_aws.cli.output import FOUND, OK, Output, Progress
from ocf_aws.ocf.errors import Failure, SoftError, Unknown

OLD_TYPE = "aws-vpc-move-ip"
BACKUPS = Path("/var/lib/ocf-aws")
VERIFY_SECONDS = 60.0
POLL_SECONDS = 0.5
_NODE_SECONDS = 90.0


@dataclass(frozen=True)
class Type:
    """A resource's type: provider and name."""

    provider: str
    name: str

    def __str__(self) -> str:
        return f"ocf:{self.provider}:{self.name}"


OURS = Type("aws", OVERLAY_IP)


@dataclass(frozen=True)
class Step:
    """A change of the cluster: what it does, and the command that does it."""

    text: str
    command: tuple[str, ...]


class Migration:
    """The change of one resource's type. before, after: the types. nodes: where it is active, and has to stay."""

    def __init__(self, primitive: Primitive, before: Type, after: Type):
        self.primitive = primitive
        self.before = before
        self.after = after
        self.marker = f"{primitive.id}-ocf-aws-migrate"
        self.is_under_way, kept = self._read_marker()
        # Between a refresh and the new agent's look, Pacemaker has it active nowhere.
        self.nodes = kept or active_nodes(primitive.id)

    @property
    def backup(self) -> Path:
        """Where the definition is kept as it was."""
        return BACKUPS / f"{self.primitive.id}-before.xml"

    def steps(self) -> Iterator[Step]:
        """The steps forward."""
        name = self.primitive.id
        yield Step(f"put {name} alone into maintenance", self._hold())
        yield Step(f"change its type to {self.after}", self._set_type(self.after))
        yield Step(f"let the new agent look: refresh; require {name} on {' '.join(self.nodes)}", self._refresh())
        yield Step("end maintenance", self._release())

    def _hold(self) -> tuple[str, ...]:
        pair = f'<nvpair id="{self.marker}-maintenance" name="maintenance" value="true"/>'
        pair += f'<nvpair id="{self.marker}-nodes" name="ocf-aws-nodes" value="{" ".join(self.nodes)}"/>'
        # Sets with a higher score come first ("Rules", Pacemaker Explained).
        held = f'<meta_attributes id="{self.marker}" score="1000000">{pair}</meta_attributes>'
        return self._modify(f'<primitive id="{self.primitive.id}">{held}</primitive>')

    def _set_type(self, type: Type) -> tuple[str, ...]:
        return self._modify(
            f'<primitive id="{self.primitive.id}" class="ocf" provider="{type.provider}" type="{type.name}"/>'
        )

    def _modify(self, xml: str) -> tuple[str, ...]:
        return ("cibadmin", "--modify", "--allow-create", "--scope", "resources", "--xml-text", xml)

    def _refresh(self) -> tuple[str, ...]:
        return ("crm_resource", "--refresh", "--resource", self.primitive.id)

    def _release(self) -> tuple[str, ...]:
        return ("cibadmin", "--delete", "--scope", "resources", "--xml-text", f'<meta_attributes id="{self.marker}"/>')

    def apply(self, output: Output) -> None:
        """Do the steps, verify after each, go back when one fails. Raises SoftError with what failed."""
        self._save_backup()
        try:
            for number, step in enumerate(self.steps(), 1):
                with Progress(output, step.text):
                    run_command(*step.command, timeout=_NODE_SECONDS)
                    self._verify(number)
                output.line(f"  {number} {step.text}: done")
        except Failure as error:
            with Progress(output, "going back"):
                self._go_back()
            raise SoftError(f"went back to {self.before}: {error}") from error

    def _verify(self, number: int) -> None:
        """What a step has to have done. Raises Unknown where it has not."""
        element = self._element()
        is_held = element.find(f"meta_attributes[@id='{self.marker}']") is not None
        if is_held != (number < 4):
            raise Unknown(f"maintenance is {'still ' if is_held else 'not '}on")
        if number >= 2 and (element.get("provider"), element.get("type")) != (self.after.provider, self.after.name):
            raise Unknown(f"the type is not {self.after}")
        if number >= 3:
            self._wait_active(self.after)

    def _wait_active(self, type: Type) -> None:
        """Wait until the agent of that type has found the resource on the same nodes, and on no other."""
        deadline = time.monotonic() + VERIFY_SECONDS
        while (found := probed_nodes(self.primitive.id, type)) != self.nodes or active_nodes(
            self.primitive.id
        ) != self.nodes:
            if time.monotonic() > deadline:
                raise Unknown(f"{type} finds it on {' '.join(found) or 'no node'}, not on {' '.join(self.nodes)}")
            time.sleep(POLL_SECONDS)

    def _go_back(self) -> None:
        for command in (self._hold(), self._set_type(self.before), self._refresh()):
            run_command(*command, timeout=_NODE_SECONDS)
        self._wait_active(self.before)
        run_command(*self._release())

    def _element(self) -> ElementTree.Element:
        found = run_command("cibadmin", "--query", "--xpath", f"//primitive[@id='{self.primitive.id}']")
        return ElementTree.fromstring(found)

    def _read_marker(self) -> tuple[bool, tuple[str, ...]]:
        """Whether a migration has begun and not ended, and the nodes that had the resource active then."""
        marker = self._element().find(f"meta_attributes[@id='{self.marker}']")
        if marker is None:
            return False, ()
        pair = marker.find("nvpair[@name='ocf-aws-nodes']")
        return True, tuple((pair.get("value", "") if pair is not None else "").split())

    def _save_backup(self) -> None:
        """Keep the definition as it was before the first change; a run that goes on keeps what the first one saved."""
        element = self._element()
        if (
            element.get("provider") == OURS.provider
            or element.find(f"meta_attributes[@id='{self.marker}']") is not None
        ):
            return
        BACKUPS.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.backup.with_suffix(".new")
        fresh.write_text(ElementTree.tostring(element, encoding="unicode") + "\n")
        os.replace(fresh, self.backup)


def active_nodes(name: str) -> tuple[str, ...]:
    """The nodes on which Pacemaker has a resource active. Raises Unknown."""
    status = query_status().resources.get(name)
    return tuple(sorted(status.nodes)) if status else ()


def probed_nodes(name: str, type: Type) -> tuple[str, ...]:
    """The nodes on which an agent of that type found the resource active: its last look, by the history. Raises Unknown."""
    root = ElementTree.fromstring(run_command("cibadmin", "--query", "--scope", "status"))
    found = []
    for state in root.iter("node_state"):
        history = state.find(f"lrm/lrm_resources/lrm_resource[@id='{name}']")
        if history is None or (history.get("provider"), history.get("type")) != (type.provider, type.name):
            continue
        operations = sorted(history.iterfind("lrm_rsc_op"), key=lambda each: int(each.get("call-id", "0")))
        if any(each.get("rc-code") == "0" and each.get("operation") in ("monitor", "start") for each in operations):
            found.append(state.get("uname", ""))
    return tuple(sorted(found))


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Show the steps, and do them with --apply. Raises UsageError, NothingKnown, Failure."""
    become_pacemaker(os.environ)
    cib = query_cib()
    primitive = cib.find(arguments.resource)
    if primitive is None:
        raise UsageError(f"no resource is called '{arguments.resource}'")
    if primitive.type not in (OLD_TYPE, OVERLAY_IP):
        raise UsageError(f"{primitive.id} is of type {primitive.spec}, not of {OLD_TYPE}")
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
            raise SoftError(f"{primitive.id} is active on no node: change its type while it is stopped, by pcs or crm")
        migration.apply(output)
        output.line(
            f"{primitive.id} is {after} on {' '.join(migration.nodes)} now. Back: ocf-aws migrate {primitive.id} --revert --apply"
        )
    told = [{"text": step.text, "command": list(step.command)} for step in steps]
    output.results([{"resource": primitive.id, "type": str(after), "applied": arguments.apply, "steps": told}])
    return OK


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
