"""The change of a running resource's type, step by step, in the live CIB.

Each step changes the live CIB once, and says nothing that the CIB does not: a run that was killed is repeated, and goes on
where it stopped. That a migration is under way shows in a set of meta-attributes of its own, which holds the resource in
maintenance meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ocf_aws.cli.agent_files import OVERLAY_IP
from ocf_aws.cli.cluster.cib import Primitive
from ocf_aws.cli.cluster.commands import run as run_command
from ocf_aws.cli.cluster.status import query_status
from ocf_aws.cli.definition import ChangeFailed
from ocf_aws.cli.output import Output, Progress
from ocf_aws.ocf.errors import Unknown, as_failure

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
        # Without --force, all members of its group are probed anew (crm_resource(8)), which are in no maintenance.
        return ("crm_resource", "--refresh", "--force", "--resource", self.primitive.id)

    def _release(self) -> tuple[str, ...]:
        return ("cibadmin", "--delete", "--scope", "resources", "--xml-text", f'<meta_attributes id="{self.marker}"/>')

    def apply(self, output: Output) -> None:
        """Do the steps, verify after each, go back when one fails. Raises ChangeFailed with what failed; before the first, Failure."""
        self._save_backup()
        try:
            for number, step in enumerate(self.steps(), 1):
                with Progress(output, step.text):
                    run_command(*step.command, timeout=_NODE_SECONDS)
                    self._verify(number)
                output.line(f"  {number} {step.text}: done")
        # Whatever it is, the resource must not stay in maintenance because of it.
        except Exception as error:
            failed = as_failure(error)
            try:
                with Progress(output, "going back"):
                    self._go_back()
            except Exception as stuck:
                raise ChangeFailed(
                    f"run the same command again: {self.primitive.id} may be left in maintenance ({failed}; {as_failure(stuck)})"
                ) from stuck
            raise ChangeFailed(f"went back to {self.before}: {failed}") from error

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
