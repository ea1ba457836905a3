"""What is known about one resource on this node: asked once, side by side; what has no answer is unknown when it is used.

First the node and IMDS, then all questions to EC2 at the same time, then by DryRun what the resource may do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from json import loads
from time import monotonic, time
from typing import Any

from ocf_aws.aws import attach_requirements, network_interfaces, source_dest_check, vpc
from ocf_aws.aws.client import Client, open_ec2
from ocf_aws.aws.errors import Unanswered
from ocf_aws.aws.imds import Imds, open_imds
from ocf_aws.aws.route_tables import describe_routes, find_target
from ocf_aws.aws.route_update import RouteUpdate
from ocf_aws.cli.agent_files import ENI_MOVE, OVERLAY_IP
from ocf_aws.cli.cluster_status import ClusterStatus, query_status
from ocf_aws.cli.definition import Definition, load
from ocf_aws.cli.policy_statements import Place
from ocf_aws.ip import IpAddress
from ocf_aws.kernel.address import list_addresses
from ocf_aws.kernel.link import find_link_by_mac, list_links
from ocf_aws.ocf.errors import Failure, Unknown, as_failure
from ocf_aws.threads import outcomes

IMDS_SECONDS = 3.0
API_SECONDS = 5
"""For one question to EC2: all are asked at the same time, so that nobody waits much longer than that for an unknown."""

TOTAL_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """How EC2 answered the first call: seconds that it took, and how far its clock is ahead of ours (None: not told)."""

    seconds: float
    clock_ahead: float | None


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
        self._gather_node()
        imds = open_imds(self.context, IMDS_SECONDS)
        self._gather_imds(imds)
        self._gather_cluster()
        # Credentials may have to be renewed when the time for the facts of IMDS is over.
        imds = imds if self.failure("token") else open_imds(self.context)
        if self._learn("ec2", lambda: open_ec2(self.context, imds, is_whole=True)):
            role = self.p.routing_table_role if self.is_overlay_ip else None
            self._learn(
                "tables_ec2",
                (lambda: open_ec2(self.context, imds, role, is_whole=True)) if role else (lambda: self["ec2"]),
            )
            # Alone, so that its time is that of one call; and where it gets no answer, none of the others is waited for.
            self._learn("answer", self._first_call)
            if not isinstance(self.failure("answer"), Unknown):
                self._learn_all(self._questions(imds))
                self._learn_all(self._trials() if has_trials else {})
            else:
                self._found.update(dict.fromkeys(self._questions(imds), self.failure("answer")))
        return self

    def _learn(self, name: str, ask: Callable[[], Any]) -> bool:
        self._found[name] = _outcome(ask)
        return not isinstance(self._found[name], Failure)

    def _learn_all(self, questions: Mapping[str, Callable[[], Any]]) -> None:
        found = outcomes(partial(_outcome, ask) for ask in questions.values())
        self._found.update(zip(questions, found))

    def _gather_node(self) -> None:
        self._learn("links", list_links)
        self._learn("addresses", list_addresses)

    def _gather_imds(self, imds: Imds) -> None:
        # One by one: the first that gets no answer makes all others fail at once.
        self._learn("token", lambda: imds.get("meta-data/"))
        for name in ("instance_id", "instance_type", "region", "availability_zone", "primary_mac"):
            self._learn(name, partial(getattr, imds, name))
        self._learn("role", lambda: _words(imds.get("meta-data/iam/security-credentials/")))
        self._learn("identity", lambda: loads(imds.require("dynamic/instance-identity/document")))
        self._learn("partition", lambda: imds.get("meta-data/services/partition") or "aws")
        self._learn("used_indexes", imds.device_indexes)
        if self.is_overlay_ip and self.is_defined:
            self._learn("link", lambda: self.module.find_own_link(self.context, imds))
            self._learn("mac", lambda: imds.eni_mac(self["link"].mac))
        else:
            self._learn("mac", lambda: self["primary_mac"])
            self._learn("link", lambda: find_link_by_mac(self["mac"]))
        self._learn("vpc_cidrs", lambda: imds.vpc_cidrs(self["mac"]))
        for name, fact in (("vpc_id", "vpc-id"), ("subnet_id", "subnet-id"), ("eni_id", "interface-id")):
            self._learn(name, lambda fact=fact: _require(imds.interface(self["mac"], fact), fact))  # type: ignore[misc]
        self._learn(
            "group_ids",
            lambda: _require(imds.interface(self["mac"], "security-group-ids"), "security-group-ids").split(),
        )

    def _gather_cluster(self) -> None:
        cib = self.definition.cib
        self._found["cib"] = cib if cib else Unknown("no cluster runs on this node")
        self._learn("cluster", query_status if cib else lambda: self["cib"])

    def _questions(self, imds: Imds) -> dict[str, Callable[[], Any]]:
        """What to ask EC2, by the name of the fact."""
        ec2: Client = self["ec2"]
        asked: dict[str, Callable[[], Any]] = {
            "peers": self._find_peers,
            "subnets": lambda: vpc.describe_vpc_subnets(ec2, self["vpc_id"]),
            "acl": lambda: vpc.describe_network_acl(ec2, self["subnet_id"]),
        }
        if self.is_overlay_ip and self.is_defined:
            ip: IpAddress = self.p.ip
            held = "ipv6-addresses.ipv6-address" if ip.is_ipv6 else "addresses.private-ip-address"
            asked |= {
                "target": lambda: find_target(ec2, imds, self["link"].mac, self["link"].name),
                "routes": self._describe_routes,
                "tables": lambda: vpc.describe_vpc_tables(self["tables_ec2"], self["vpc_id"]),
                "own_eni": lambda: network_interfaces.reread_interface(ec2, self["eni_id"]),
                "foreign_enis": lambda: network_interfaces.describe_interfaces(ec2, held, str(ip)),
                "groups": lambda: vpc.describe_security_groups(ec2, self["group_ids"]),
            }
        if self.is_eni_move and self.is_defined:
            asked |= {
                "moved_eni": lambda: network_interfaces.find_interface(ec2, self.p.eni_id),
                "limit": lambda: attach_requirements.max_interfaces(ec2, self["instance_type"]),
                "own_enis": lambda: network_interfaces.describe_interfaces(
                    ec2, "attachment.instance-id", self["instance_id"]
                ),
            }
        return asked

    def _describe_routes(self) -> Any:
        selector = self.p.routing_table
        # Only tags select by the VPC.
        vpc_id = self["vpc_id"] if selector.tags else ""
        return describe_routes(self["tables_ec2"], selector, self.p.ip, vpc_id)

    def _first_call(self) -> Answer:
        """One call that the agent makes as well, timed, with what EC2 takes for the time."""
        if self.is_overlay_ip:
            client, operation = self["tables_ec2"], "describe_route_tables"
            ids = list(self.p.routing_table.ids) if self.is_defined else []
            filters = [{"Name": "route-table-id", "Values": ids or ["rtb-00000000"]}]
        else:
            client, operation = self["ec2"], "describe_network_interfaces"
            filters = [{"Name": "network-interface-id", "Values": [self.p.eni_id or "eni-00000000"]}]
        before = time()
        start = monotonic()
        answer = client.call(operation, Filters=filters)
        took = monotonic() - start
        date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
        # The header has whole seconds, cut off.
        ahead = parsedate_to_datetime(date).timestamp() + 0.5 - (before + took / 2) if date else None
        return Answer(took, ahead)

    def _find_peers(self) -> dict[str, vpc.Instance | None]:
        """The other nodes' instances by node name: by the fencing device's map, else by tag Name or private DNS name."""
        ec2: Client = self["ec2"]
        cluster: ClusterStatus = self["cluster"]
        names = [name for name in self["cib"].nodes if name != cluster.local]
        mapped = self["cib"].instance_ids()
        ids = [mapped[name] for name in names if name in mapped]
        found: dict[str, vpc.Instance | None] = dict.fromkeys(names)
        if ids:
            by_id = {each.id: each for each in vpc.describe_instances(ec2, "instance-id", ids)}
            found.update({name: by_id.get(mapped[name]) for name in names if name in mapped})
        unmapped = [name for name in names if name not in mapped]
        if unmapped:
            instances = vpc.describe_instances(ec2, "tag:Name", unmapped)
            instances += vpc.describe_instances(ec2, "private-dns-name", [f"{name}*" for name in unmapped])
            for name in unmapped:
                found[name] = next((each for each in instances if name in _names(each)), None)
        return found

    def _trials(self) -> dict[str, Callable[[], Any]]:
        """What to ask EC2 by DryRun, by the name of the fact: each gives a list of (object, Failure)."""
        ec2: Client = self["ec2"]
        asked: dict[str, Callable[[], Any]] = {}
        if self.is_overlay_ip and self.is_defined:
            asked["route_trials"] = self._try_routes
            if self.p.source_dest_check == "disable":
                asked["modify_trial"] = lambda: _denied(
                    self["eni_id"],
                    lambda: source_dest_check.disable(ec2, self["eni_id"], DryRun=True),
                )
        if self.is_eni_move and self.is_defined:
            asked["attach_trial"] = self._try_attach
            asked["detach_trial"] = self._try_detach
        if self.get("peers") and any(each.type == "fence_aws" for each in self["cib"].fencing_devices):
            for verb in ("stop", "start"):
                asked[f"{verb}_trial"] = partial(self._try_power, verb)
        return asked

    def _try_routes(self) -> list[tuple[str, Failure]]:
        p = self.p
        visible = [route for route in self["routes"] if route.is_visible and not route.is_managed]
        update = RouteUpdate(
            self["tables_ec2"], p.routing_table, p.ip, self["target"], p.create_route, self.context.log
        )
        return update.dry_run_failures(visible, p.delete_route_on_stop)

    def _try_attach(self) -> list[tuple[str, Failure]]:
        eni_id, instance_id = self.p.eni_id, self["instance_id"]
        index = self.p.device_index or attach_requirements.lowest_free_index(instance_id, self["used_indexes"])
        ask = partial(attach_requirements.check_attach_permission, self["ec2"], eni_id, instance_id, index)
        return _denied(eni_id, ask)

    def _try_detach(self) -> list[tuple[str, Failure]]:
        eni = self["moved_eni"]
        if eni is None or not eni.attachment_id or eni.unmovable_reason:
            return []
        return _denied(eni.id, lambda: network_interfaces.detach(self["ec2"], eni.attachment_id, DryRun=True))

    def _try_power(self, verb: str) -> list[tuple[str, Failure]]:
        found: list[tuple[str, Failure]] = []
        for name, peer in self["peers"].items():
            if peer:
                ask = partial(self["ec2"].call, f"{verb}_instances", retry=False, InstanceIds=[peer.id], DryRun=True)
                found += _denied(name, ask)
        return found

    # --- what several checks ask --------------------------------------------------------------------------------------

    def place(self) -> Place:
        """The ids for a policy; words in capitals between @ where one is not known."""
        identity = self.get("identity") or {}
        peers = [each for each in (self.get("peers") or {}).values() if each]
        nodes = [self.get("instance_id") or "@NODE1_ID@"] + ([each.id for each in peers] or ["@NODE2_ID@"])
        enis = [self.get("eni_id") or "@ENI_1@"]
        enis += [each.primary.id for each in peers if each.primary] or ["@ENI_2@"]
        selector = self.p.routing_table if self.is_overlay_ip else None
        roles = self.get("role") or []
        return Place(
            self.get("partition") or "@PARTITION@",
            self.p.region or self.get("region") or "@REGION@",
            identity.get("accountId") or "@ACCOUNT@",
            roles[0] if roles else "@NODE_ROLE@",
            tuple(nodes),
            tuple(enis),
            selector.ids if selector else (),
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


def _denied(name: str, ask: Callable[[], Any]) -> list[tuple[str, Failure]]:
    """By DryRun: nothing where it would work, else the object and why not. Raises Unanswered."""
    try:
        ask()
    except Unanswered:
        raise
    except Failure as failure:
        return [(name, failure)]
    return []


def _require(text: str | None, fact: str) -> str:
    if not text:
        raise Unknown(f"IMDS has no {fact} of this ENI")
    return text


def _words(text: str | None) -> list[str]:
    return (text or "").split()


def _names(instance: vpc.Instance) -> tuple[str, ...]:
    return (instance.name, instance.private_dns_name, instance.private_dns_name.partition(".")[0])
