"""What is known about one resource on this node: asked once, side by side; what has no answer is unknown when it is used.

First the node and IMDS, then all questions to EC2 at the same time, then by DryRun what the resource may do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ocf_aws.aws.client import open_ec2
from ocf_aws.aws.imds import Imds, open_imds
from ocf_aws.aws.vpc import Instance, Interface, Table
from ocf_aws.cli.agent_files import ENI_MOVE, OVERLAY_IP
from ocf_aws.cli.cluster.status import query_status
from ocf_aws.cli.definition import Definition, load
from ocf_aws.cli.policies.statements import Place
from ocf_aws.cli.questions import dry_run, ec2, imds
from ocf_aws.kernel.address import list_addresses
from ocf_aws.kernel.link import list_links
from ocf_aws.ocf.errors import Failure, Unknown, as_failure
from ocf_aws.threads import outcomes

IMDS_SECONDS = 3.0
API_SECONDS = 5
"""For one question to EC2: all are asked at the same time, so that nobody waits much longer than that for an unknown."""

TOTAL_SECONDS = 30.0

HERE = "here"
"""What this node is called where there may be no cluster that names it."""


class Facts:
    """Facts by name: `facts["eni"]` is the fact, or raises the Failure by which it is not known.

    definition, module, context: the resource, its agent and a call of it. shell_only: variables that only this shell has.
    """

    def __init__(self, definition: Definition, shell_only: Mapping[str, str] | None = None):
        self.definition = definition
        self.shell_only = dict(shell_only or {})
        self.module: Any = load(definition)
        self.context = definition.context(self.module, TOTAL_SECONDS, API_SECONDS)
        self.p: Any = self.context.parameters
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        found = self._found.get(name, self.failure("answer") or Unknown(f"{name.replace('_', ' ')}: not asked"))
        if isinstance(found, Failure):
            raise found
        return found

    def get(self, name: str) -> Any:
        """As facts[name], None where it is not known."""
        found = self._found.get(name)
        return None if isinstance(found, Failure) else found

    def failure(self, name: str) -> Failure | None:
        """Why a fact is not known, None where it is."""
        found = self._found.get(name)
        return found if isinstance(found, Failure) else None

    @property
    def is_overlay_ip(self) -> bool:
        """Whether it is about an overlay IP."""
        return self.definition.agent == OVERLAY_IP

    @property
    def is_eni_move(self) -> bool:
        """Whether it is about an ENI that moves."""
        return self.definition.agent == ENI_MOVE

    @property
    def is_defined(self) -> bool:
        """Whether all required parameters are given and right, so that there is something to look at."""
        return not self.p.wrong

    # --- gathering ----------------------------------------------------------------------------------------------------

    def gather(self, *, has_trials: bool = True) -> Facts:
        """Find everything out; changes nothing. has_trials: ask by DryRun as well. Returns itself."""
        self._learn("links", list_links)
        self._learn("addresses", list_addresses)
        service = open_imds(self.context, IMDS_SECONDS)
        for name, ask in imds.questions(self, service).items():
            self._learn(name, ask)
        self._gather_cluster()
        # Credentials may have to be renewed when the time for the facts of IMDS is over.
        self._gather_ec2(service if self.failure("token") else open_imds(self.context), has_trials)
        return self

    def _gather_ec2(self, service: Imds, has_trials: bool) -> None:
        if not self._learn("ec2", lambda: open_ec2(self.context, service, is_whole=True)):
            return
        role = self.p.routing_table_role if self.is_overlay_ip else None
        self._learn(
            "tables_ec2",
            (lambda: open_ec2(self.context, service, role, is_whole=True)) if role else (lambda: self["ec2"]),
        )
        # Alone, so that its time is that of one call; and where it gets no answer, none of the others is waited for.
        self._learn("answer", partial(ec2.first_call, self))
        silence = self.failure("answer")
        if isinstance(silence, Unknown):
            self._found.update(dict.fromkeys(ec2.questions(self, service), silence))
            return
        self._learn_all(ec2.questions(self, service))
        if has_trials:
            self._learn_all(dry_run.questions(self))

    def _learn(self, name: str, ask: Callable[[], Any]) -> bool:
        self._found[name] = _outcome(ask)
        return not isinstance(self._found[name], Failure)

    def _learn_all(self, questions: Mapping[str, Callable[[], Any]]) -> None:
        found = outcomes(partial(_outcome, ask) for ask in questions.values())
        self._found.update(zip(questions, found))

    def _gather_cluster(self) -> None:
        cib = self.definition.cib
        self._found["cib"] = cib if cib else Unknown("no cluster runs on this node")
        self._learn("cluster", query_status if cib else lambda: self["cib"])

    # --- what several checks ask --------------------------------------------------------------------------------------

    def find_node(self, instance_id: str | None, eni_id: str | None = None) -> str | None:
        """The node that is this instance or has this ENI: HERE, or another's name; None where no node is known to."""
        target = self.get("target")
        if instance_id and instance_id == self.get("instance_id") or target and eni_id == target.eni_id:
            return HERE
        peers = (self.get("peers") or {}).items()
        return next(
            (n for n, each in peers if each and (each.id == instance_id or eni_id in [e.id for e in each.interfaces])),
            None,
        )

    @property
    def unknown_nodes(self) -> list[str]:
        """The other nodes of which EC2 tells no instance."""
        return [name for name, peer in (self.get("peers") or {}).items() if peer is None]

    def why_unknown(self, node: str | None = None) -> str:
        """Why it is not known which instance that node is, or any node without a name; empty where it is known.

        Unless it is empty, an instance that find_node does not find may be a node all the same.
        """
        try:
            if node in (None, HERE):
                self["instance_id"]
            if node != HERE:
                self["peers"]
        except Failure as failure:
            return str(failure)
        missing = [name for name in self.unknown_nodes if node in (None, name)]
        return f"no instance is known for node {', '.join(missing)}" if missing else ""

    def carrier(self, peer: Instance) -> Interface | None:
        """The ENI of another node that carries the overlay IP while that node is active; None where nobody tells.

        The primary one as here, else the one with the same device index as here, else the one that a route leads to.
        """
        mac, own = self.get("mac"), self.get("own_eni")
        if self.is_eni_move or not self.p.interface or mac and mac == self.get("primary_mac"):
            return peer.primary
        targets = [route.entry.get("NetworkInterfaceId") for route in self.get("routes") or [] if route.entry]
        alike = [each for each in peer.interfaces if own and each.device_index == own.device_index]
        led_to = [each for each in peer.interfaces if each.id in targets]
        return next(iter(alike + led_to), None)

    def subnets_of(self, table: Table) -> list[str]:
        """The ids of the subnets that use a route table: those that name it, and of the main one those that name none."""
        named = {subnet for each in self["tables"] for subnet in each.subnets}
        others = [subnet.id for subnet in self.get("subnets") or [] if subnet.id not in named]
        return [*table.subnets, *(others if table.is_main else [])]

    def place(self) -> Place:
        """The ids for a policy; words in capitals between @ where one is not known."""
        identity = self.get("identity") or {}
        peers = self.get("peers")
        others = [None] if peers is None else list(peers.values())
        nodes, enis = [self.get("instance_id") or "@NODE1_ID@"], [self.get("eni_id") or "@ENI_1@"]
        for number, peer in enumerate(others, 2):
            nodes.append(peer.id if peer else f"@NODE{number}_ID@")
            carrier = self.carrier(peer) if peer else None
            enis.append(carrier.id if carrier else f"@ENI_{number}@")
        selector = self.p.routing_table if self.is_overlay_ip else None
        roles = self.get("role") or []
        return Place(
            self.get("partition") or "@PARTITION@",
            self.p.region or self.get("region") or "@REGION@",
            identity.get("accountId") or "@ACCOUNT@",
            roles[0] if roles else "@NODE_ROLE@",
            tuple(nodes),
            tuple(enis),
            selector.ids if selector else ("@ROUTE_TABLE@",) * self.is_overlay_ip,
            selector.tags if selector else (),
            (self.p.eni_id if self.is_eni_move else "") or "@ENI@",
            self.p.routing_table_role if self.is_overlay_ip else None,
        )


def _outcome(ask: Callable[[], Any]) -> Any:
    """The answer, or the Failure in its place, whatever happens."""
    try:
        return ask()
    except Exception as error:
        return as_failure(error)
