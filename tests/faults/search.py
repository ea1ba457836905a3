"""What a search may do to two nodes, and what must hold whatever it does.

A resource lives on two nodes. Each step is an action of the agent on one of them, trouble with EC2 or IMDS that begins
or ends, or somebody's hand in the kernel or in EC2. The model is small: it knows which trouble there is, and looks for
itself at the kernel and at EC2, not through the agent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from faults.subjects import wait
from ocf_aws.kernel.policy_routing import default_table
from vpclab.ec2 import effects
from vpclab.ec2.faults import Fault
from vpclab.hosts.pair import Node, Pair
from vpclab.hosts.single_node import Result
from vpclab.vpc import Vpc

IMDS_SILENT = "IMDS is silent"
OLD_SECONDS = 1.5

# What lasts until it ends: what EC2 does, and whether it then tells nothing.
TROUBLE: dict[str, tuple[effects.Effect | None, bool]] = {
    "throttled": (effects.Error("RequestLimitExceeded"), True),
    "reset": (effects.Reset(), True),
    "no answer": (effects.Hang(), True),
    "answers lost": (effects.LostAnswer(), True),
    "nonsense": (effects.Garbage(200, b"<DescribeRouteTablesResponse><unclosed"), True),
    "no right": (effects.Error("UnauthorizedOperation"), True),
    IMDS_SILENT: (None, True),
    "slow": (effects.Delay(0.2), False),
    "old": (effects.Stale(OLD_SECONDS), False),
}
PASSING = {
    "throttled a few times": effects.Error("RequestLimitExceeded"),
    "reset a few times": effects.Reset(),
    "answers lost a few times": effects.LostAnswer(),
    "nonsense a few times": effects.Garbage(200, b"<DescribeRouteTablesResponse><unclosed"),
    "credentials refused a few times": effects.Error("AuthFailure"),
}
"""What a few calls meet."""


NODES = st.sampled_from(["node1", "node2"])
FIRST = st.sampled_from(["node1", "node2", None])
"""Where the resource is started before anything else happens."""

HOLDERS = st.sampled_from(["node1", "node2", "client"])
NAMES = ("ens5", "eth0", "lan", "a-very-long-nam")


def _name(action: str, how: dict[str, Any]) -> str:
    """An action by its name in the table of faults."""
    if action == "monitor" and not how.get("interval"):
        return "probe"
    return f"{action} 10" if how.get("level") else action


def _hand(what: str, *values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """What somebody does, by the end of a method's name, and to what."""
    return st.tuples(st.just(what), *values)


class Search(RuleBasedStateMachine):
    """What both agents have in common."""

    agent: str
    parameters: dict[str, str]

    def __init__(self, pair: Pair, tried: Counter[tuple[str, int]]):
        """`tried` counts how often which action ended with which status."""
        super().__init__()
        self.pair = pair
        self.tried = tried
        self.ec2 = pair.single.ec2
        self.operator = pair.single.ec2.operator()
        self.lasting: dict[str, str] = {}
        self.faults: dict[str, Fault] = {}

    # --- what is -------------------------------------------------------------------------------------------------

    def is_off(self, node: Node) -> bool:
        """Whether the kernel of the node has nothing at which the resource could be reached."""
        raise NotImplementedError

    def is_right(self, node: Node) -> bool:
        """Whether the resource runs on the node, completely."""
        raise NotImplementedError

    def status(self, node: Node, asks_ec2: bool, level: int) -> int:
        """What a monitor is to answer where EC2 tells everything."""
        raise NotImplementedError

    def without_mine(self, lines: list[str]) -> list[str]:
        """Of what the kernel has, what is not the resource's."""
        raise NotImplementedError

    def foreign(self) -> object:
        """Of what EC2 has, what no action may ever change."""
        raise NotImplementedError

    def own(self) -> object:
        """Of what EC2 has, what is the resource's."""
        raise NotImplementedError

    def asks_ec2(self, interval: int, level: int) -> bool:
        """Whether a monitor asks EC2 too."""
        return self.parameters.get("monapi", self.monapi) == "true" or level >= 10

    monapi: str

    def vpc(self) -> Vpc:
        """What EC2 has."""
        return self.ec2.vpc()

    def is_unknown(self, node: Node) -> bool:
        """Whether EC2 tells the node nothing."""
        return node.name in self.lasting and TROUBLE[self.lasting[node.name]][1]

    def is_passing(self, node: Node) -> bool:
        """Whether a call of the node is still to fail."""
        fault = self.faults.get(node.name)
        return fault is not None and bool(fault.times)

    # --- trouble --------------------------------------------------------------------------------------------------

    @rule(name=NODES, what=st.sampled_from([*TROUBLE, *PASSING]), times=st.integers(1, 3))
    def trouble_begins(self, name: str, what: str, times: int) -> None:
        self.trouble_ends(name)
        node = self.pair.nodes[name]
        effect, _ = TROUBLE.get(what, (PASSING.get(what), False))
        if what in TROUBLE:
            self.lasting[name] = what
        if effect is None:
            node.imds.dead.add(node.instance_id)
            return
        self.faults[name] = self.ec2.faults.add(
            caller=node.instance_id, effect=effect, times=times if what in PASSING else None
        )

    @rule(name=NODES)
    def trouble_ends(self, name: str) -> None:
        node = self.pair.nodes[name]
        node.imds.dead.discard(node.instance_id)
        self.lasting.pop(name, None)
        if name in self.faults:
            self.ec2.faults.remove(self.faults.pop(name))

    # --- actions --------------------------------------------------------------------------------------------------

    def act(self, node: Node, action: str, **how: Any) -> Result:
        """Run an action, and look that it touches nothing but what is the resource's."""
        foreign, other = self.foreign(), self.pair.other(node)
        before = self.without_mine(node.kernel())
        elsewhere = self.elsewhere(other)
        result = node.run(self.agent, action, self.parameters, **how)
        self.tried[_name(action, how), result.status] += 1
        assert self.foreign() == foreign, f"{action} touches what is not the resource's in EC2: {result}"
        after = self.without_mine(node.kernel())
        assert after == before, f"{action} touches what is not the resource's: {set(after) ^ set(before)}, {result}"
        assert self.elsewhere(other) == elsewhere, f"{action} changes the other node: {result}"
        return result

    def elsewhere(self, other: Node) -> list[str]:
        """Of what the other node's kernel has, what an action may not change."""
        return other.kernel()

    def settle(self) -> None:
        """Wait until EC2 is done with what it does by itself."""

    def only_looks(self, node: Node, action: str, **how: Any) -> Result:
        """Run an action that may change nothing."""
        self.settle()
        before, own = node.kernel(), self.own()
        result = self.act(node, action, **how)
        changes = set(node.kernel()) ^ set(before)
        assert not changes, f"{action} changes {changes}: {result}"
        assert self.own() == own, f"{action} changes {own}: {result}"
        return result

    @rule(name=NODES)
    def start(self, name: str) -> None:
        self.bring_here(name, "start")

    @rule(name=NODES)
    def reload_agent(self, name: str) -> None:
        if self.is_right(self.pair.nodes[name]):
            self.bring_here(name, "reload-agent")

    def bring_here(self, name: str, action: str) -> None:
        """Start, or reload what runs."""
        node = self.pair.nodes[name]
        refusal = self.refusal(node)
        result = self.act(node, action, timeout=6 if self.is_unknown(node) else 40)
        if self.is_unknown(node):
            assert result.status in ({0, 1, 4} if self.lasting[name] == "no right" else {0, 1}), result
        elif refusal:
            assert result.status == refusal or (self.lasting.get(name) == "old" and result.status == 0), result
            return
        else:
            assert result.status == 0, result
        is_excused = action == "reload-agent" and self.is_unknown(node)
        if result.status == 0 and not is_excused:
            assert self.is_right(node), f"{action} returns 0, and not everything is here: {result}"
            assert node.run(self.agent, "monitor", self.parameters, interval=10, timeout=20).status == 0

    def refusal(self, node: Node) -> int:
        """With which status a start is to refuse the node, 0 where it is not to."""
        return 0

    @rule(name=NODES)
    def stop(self, name: str) -> None:
        node = self.pair.nodes[name]
        self.settle()
        before = self.own()
        result = self.act(node, "stop", timeout=20)
        assert result.status == 0, result
        assert self.is_off(node), f"stopped, and not off: {result}"
        is_certain = name not in self.lasting and not self.is_passing(node)
        self.check_stopped(node, before, is_certain, result)

    def check_stopped(self, node: Node, before: Any, is_certain: bool, result: Result) -> None:
        """Raises AssertionError where a stop did to EC2 what it may not. before: what `own` was."""
        raise NotImplementedError

    @rule(name=NODES, interval=st.sampled_from([0, 10]), level=st.sampled_from([0, 0, 10]))
    def monitor(self, name: str, interval: int, level: int) -> None:
        node = self.pair.nodes[name]
        wanted = {self.status(node, False, level)}
        if wanted == {0} and self.asks_ec2(interval, level) and not self.is_unknown(node):
            truth = self.status(node, True, level)
            is_vague = self.is_passing(node) or self.lasting.get(name) == "old"
            wanted = {0, truth} if is_vague else {truth}
        result = self.only_looks(node, "monitor", interval=interval, level=level, timeout=30)
        assert result.status in wanted, f"not {wanted}: {result}"

    @rule(name=NODES, level=st.sampled_from([0, 10]))
    def validate_all(self, name: str, level: int) -> None:
        node = self.pair.nodes[name]
        result = self.only_looks(node, "validate-all", level=level, timeout=30)
        if not level:
            assert result.status == 0, result
        elif self.is_unknown(node):
            assert result.status in ({1, 4} if self.lasting[name] == "no right" else {0, 1}), result
        elif self.is_passing(node):
            assert result.status in (0, 1, self.refusal(node)), result
        else:
            assert result.status == self.refusal(node) or self.lasting.get(name) == "old", result

    def hand(self, what: str, *values: Any) -> None:
        """Somebody does something."""
        getattr(self, f"somebody_{what}")(*values)

    # --- the end --------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        for name, node in self.pair.nodes.items():
            self.trouble_ends(name)
            node.imds.dead.discard(node.instance_id)
        self.clean()

    def clean(self) -> None:
        """Leave both nodes and EC2 as they were found."""
        raise NotImplementedError


class OverlayIpSearch(Search):
    """An overlay IP in one or two of three route tables; the neighbours of its entry are other people's."""

    agent = "aws-overlay-ip"
    monapi = "true"

    @initialize(
        ip=st.sampled_from(["192.168.10.10", "fd01:10::10"]),
        tables=st.sampled_from([("a",), ("a", "b")]),
        monapi=st.booleans(),
        is_deleting=st.booleans(),
        check=st.sampled_from(["verify", "disable", "ignore"]),
        first=FIRST,
    )
    def define(
        self, ip: str, tables: tuple[str, ...], monapi: bool, is_deleting: bool, check: str, first: str | None
    ) -> None:
        self.ip = ip
        self.cidr = f"{ip}/128" if ":" in ip else f"{ip}/32"
        self.tables = {name: self.pair.single.vpc.route_tables[name] for name in tables}
        self.check = check
        self.is_deleting = is_deleting
        self.parameters = {
            "ip": ip,
            "routing_table": ",".join(self.tables.values()),
            "monapi": str(monapi).lower(),
            "delete_route_on_stop": str(is_deleting).lower(),
            "source_dest_check": check,
            "api_timeout": "2",
        }
        self.links = {name: node.link for name, node in self.pair.nodes.items()}
        for node in self.pair.nodes.values():
            self.set_check(node, False)
        if first:
            self.bring_here(first, "start")

    def entry(self, table: str) -> str | None:
        found = [each for each in self.vpc().route_tables if each.id == self.tables[table]]
        return next((route.eni_id for route in found[0].routes if route.destination == self.cidr), None)

    def has_check(self, node: Node) -> bool:
        return next(eni.source_dest_check for eni in self.vpc().enis if eni.id == node.eni)

    def set_check(self, node: Node, is_on: bool) -> None:
        change = {"Value": is_on}
        self.operator.modify_network_interface_attribute(NetworkInterfaceId=node.eni, SourceDestCheck=change)

    def on_node(self, node: Node) -> list[str]:
        """The links of the node that have the address."""
        lines = node.ip(f"-oneline address show to {self.cidr}").splitlines()
        return [line.split()[1] for line in lines]

    def is_off(self, node: Node) -> bool:
        return not self.on_node(node)

    def is_right(self, node: Node) -> bool:
        is_open = self.check == "ignore" or not self.has_check(node)
        return bool(self.on_node(node)) and all(self.entry(t) == node.eni for t in self.tables) and is_open

    def status(self, node: Node, asks_ec2: bool, level: int) -> int:
        if self.is_off(node):
            return 7
        if not asks_ec2:
            return 0
        is_closed = level >= 10 and self.check != "ignore" and self.has_check(node)
        return int(is_closed or any(self.entry(table) != node.eni for table in self.tables))

    def refusal(self, node: Node) -> int:
        return 2 if self.check == "verify" and self.has_check(node) else 0

    def without_mine(self, lines: list[str]) -> list[str]:
        return [line for line in lines if not {self.ip, self.cidr} & set(line.split())]

    def own(self) -> Any:
        checks = [self.has_check(node) for node in self.pair.nodes.values()]
        return {table: self.entry(table) for table in self.tables}, checks

    def foreign(self) -> object:
        vpc = self.vpc()
        routes = {
            (table.id, route)
            for table in vpc.route_tables
            for route in table.routes
            if table.id not in self.tables.values() or route.destination != self.cidr
        }
        enis = [replace(eni, source_dest_check=self.check == "disable" or eni.source_dest_check) for eni in vpc.enis]
        return routes, enis

    def check_stopped(self, node: Node, before: Any, is_certain: bool, result: Result) -> None:
        for table, holder in before[0].items():
            now = self.entry(table)
            if not self.is_deleting:
                assert now == holder, f"{table} is changed: {result}"
            elif holder == node.eni:
                assert now in (None, holder) and not (is_certain and now), f"{table} sends it here still: {result}"
            elif self.lasting.get(node.name) != "old":
                assert now == holder, f"the entry of {table} does not lead here, and is changed: {result}"

    # --- hands ----------------------------------------------------------------------------------------------------

    @rule(
        hand=st.one_of(
            _hand("sets_the_route", st.sampled_from("ab"), HOLDERS),
            _hand("deletes_the_route", st.sampled_from("ab")),
            _hand("removes_the_address", NODES),
            _hand("adds_the_address", NODES),
            _hand("renames_the_link", NODES, st.sampled_from(NAMES)),
            _hand("sets_the_check", NODES, st.booleans()),
        )
    )
    def somebody(self, hand: tuple[Any, ...]) -> None:
        self.hand(*hand)

    def somebody_sets_the_route(self, table: str, to: str) -> None:
        if table in self.tables:
            self.delete_entry(table)
            eni = self.pair.nodes[to].eni if to in self.pair.nodes else self.pair.single.primary_eni(to)
            self.pair.single.create_route(table, self.cidr, eni)

    def somebody_deletes_the_route(self, table: str) -> None:
        if table in self.tables:
            self.delete_entry(table)

    def delete_entry(self, table: str) -> None:
        if self.entry(table):
            kind = "DestinationIpv6CidrBlock" if ":" in self.ip else "DestinationCidrBlock"
            self.operator.delete_route(RouteTableId=self.tables[table], **{kind: self.cidr})

    def somebody_removes_the_address(self, name: str) -> None:
        node = self.pair.nodes[name]
        for link in self.on_node(node):
            node.ip(f"address del {self.cidr} dev {link}")

    def somebody_adds_the_address(self, name: str) -> None:
        node = self.pair.nodes[name]
        if self.is_off(node):
            node.ip(f"address add {self.cidr} dev {self.links[name]}{' nodad' if ':' in self.ip else ''}")
            # The kernel makes an IPv6 address's route a little later.
            wait(lambda: any(line.startswith(f"local {self.ip} ") for line in node.kernel()))

    def somebody_renames_the_link(self, name: str, link: str) -> None:
        if link != self.links[name]:
            self.pair.nodes[name].ip(f"link set {self.links[name]} name {link}")
            self.links[name] = link

    def somebody_sets_the_check(self, name: str, is_on: bool) -> None:
        self.set_check(self.pair.nodes[name], is_on)

    def clean(self) -> None:
        for table in getattr(self, "tables", ()):
            self.delete_entry(table)
        for name, node in self.pair.nodes.items() if hasattr(self, "links") else ():
            self.somebody_removes_the_address(name)
            self.somebody_renames_the_link(name, node.link)


class EniSearch(Search):
    """An ENI with two IPv4 addresses, an IPv6 one and a delegated prefix, in the zone of both nodes."""

    agent = "aws-eni-move"
    monapi = "false"

    @initialize(monapi=st.booleans(), detach=st.booleans(), at=st.sampled_from(["node1", "client", None]), first=FIRST)
    def define(self, monapi: bool, detach: bool, at: str | None, first: str | None) -> None:
        answer = self.operator.create_network_interface(
            SubnetId=self.pair.single.vpc.subnets["a"],
            PrivateIpAddresses=[
                {"PrivateIpAddress": a, "Primary": a == "10.0.1.50"} for a in ("10.0.1.50", "10.0.1.51")
            ],
            Ipv6Addresses=[{"Ipv6Address": "2001:db8:100:1::50"}],
            Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.64/28"}],
        )["NetworkInterface"]
        self.id = answer["NetworkInterfaceId"]
        self.mac = answer["MacAddress"]
        self.table = default_table(self.id)
        self.is_detaching = detach
        self.forgotten: set[str] = set()
        self.parameters = {
            "eni_id": self.id,
            "monapi": str(monapi).lower(),
            "detach_on_stop": str(detach).lower(),
            "api_timeout": "2",
        }
        if at:
            self.somebody_attaches_it(at)
        if first:
            self.bring_here(first, "start")

    def attachment(self) -> dict[str, Any]:
        return dict(self.pair.single.describe_eni(self.id).get("Attachment") or {})  # type: ignore[call-overload]

    def holder(self) -> str | None:
        """The instance that has the ENI, or gets it."""
        attachment = self.attachment()
        return attachment["InstanceId"] if attachment.get("Status") in ("attaching", "attached") else None

    def link(self, node: Node) -> str | None:
        """Name of the ENI's link on the node."""
        for line in node.ip("-oneline link show").splitlines():
            if f"link/ether {self.mac} " in line:
                return line.split()[1].partition("@")[0].rstrip(":")
        return None

    def parts(self, node: Node) -> dict[str, bool]:
        """What the node is to have of it, and whether it has."""
        lines = node.kernel()
        link = self.link(node)
        addresses = ("10.0.1.50/32", "10.0.1.51/32", "2001:db8:100:1::50/128")
        sources = ("10.0.1.50", "10.0.1.51", "2001:db8:100:1::50", "10.0.1.64/28")
        routes = ("10.0.1.0/24 ", "default via 10.0.1.1 ", "2001:db8:100:1::/64 ", "default via 2001:db8:100:1::1 ")
        return {
            **{a: any(f"{link} " in each and f" {a} " in each for each in lines) for a in addresses},
            **{f"from {s}": any(f"from {s} lookup {self.table}" in each for each in lines) for s in sources},
            **{r: any(each.startswith(r) and f" table {self.table} " in each for each in lines) for r in routes},
            "local": any(each.startswith(f"local 10.0.1.64/28 dev {link} ") for each in lines),
        }

    def is_up(self, node: Node) -> bool:
        return ",UP" in node.ip(f"link show {self.link(node)}")

    def is_off(self, node: Node) -> bool:
        rest = [each for each in node.kernel() if str(self.table) in each]
        return not rest and (not self.link(node) or not (any(self.parts(node).values()) or self.is_up(node)))

    def is_right(self, node: Node) -> bool:
        is_here = bool(self.link(node)) and self.is_up(node) and all(self.parts(node).values())
        return is_here and self.holder() == node.instance_id

    def status(self, node: Node, asks_ec2: bool, level: int) -> int:
        if not self.link(node) or not any(self.parts(node).values()):
            return 7
        return 0 if self.is_up(node) and all(self.parts(node).values()) else 1

    def own(self) -> Any:
        return self.attachment()

    def foreign(self) -> object:
        vpc = self.vpc()
        return vpc.route_tables, [eni for eni in vpc.enis if eni.id != self.id]

    def without_mine(self, lines: list[str]) -> list[str]:
        link = f" {self.mac} "
        mine = [line.split()[1].rstrip(":") for line in lines if link in line]
        names = {part for name in mine for part in name.split("@")}
        rest = []
        for line in lines:
            words = line.replace("@", " ").replace(":", " ").split()
            is_wire = "-wire" in line
            if not names & set(words) and str(self.table) not in line and not is_wire:
                rest.append(line)
        return rest

    def elsewhere(self, other: Node) -> list[str]:
        return self.without_mine(other.kernel())

    def check_stopped(self, node: Node, before: Any, is_certain: bool, result: Result) -> None:
        self.forgotten.discard(node.name)
        now = self.own()
        was_here = before.get("InstanceId") == node.instance_id
        if not was_here or not self.is_detaching:
            assert now == before, f"another node's attachment is changed: {result}"
        elif is_certain:
            assert now.get("Status") in (None, "detaching"), f"it is not detached: {result}"

    def act(self, node: Node, action: str, **how: Any) -> Result:
        result = super().act(node, action, **how)
        if action == "start" and result.status == 0:
            self.forgotten.discard(node.name)
        return result

    def settle(self) -> None:
        """Wait until EC2 is done with attaching and detaching."""
        wait(lambda: self.attachment().get("Status") in (None, "attached"))

    # --- hands ----------------------------------------------------------------------------------------------------

    @rule(
        hand=st.one_of(
            _hand("attaches_it", HOLDERS),
            _hand("detaches_it"),
            _hand("removes_an_address", NODES, st.sampled_from(["10.0.1.50/32", "2001:db8:100:1::50/128"])),
            _hand("removes_a_rule", NODES, st.sampled_from(["10.0.1.50", "10.0.1.64/28", "2001:db8:100:1::50"])),
            _hand("flushes_the_table", NODES),
            _hand("sets_the_link", NODES, st.booleans()),
            _hand("renames_the_link", NODES, st.sampled_from(NAMES[1:])),
            _hand("removes_the_record", NODES),
        )
    )
    def somebody(self, hand: tuple[Any, ...]) -> None:
        self.hand(*hand)

    def somebody_attaches_it(self, to: str) -> None:
        self.settle()
        if not self.attachment():
            instance_id = self.pair.single.hosts[to]
            self.operator.attach_network_interface(NetworkInterfaceId=self.id, InstanceId=instance_id, DeviceIndex=1)
        self.settle()

    def somebody_detaches_it(self) -> None:
        self.settle()
        if self.attachment():
            self.operator.detach_network_interface(AttachmentId=self.attachment()["AttachmentId"], Force=True)
        self.settle()

    def somebody_removes_an_address(self, name: str, address: str) -> None:
        node = self.pair.nodes[name]
        if self.parts(node)[address]:
            node.ip(f"address del {address} dev {self.link(node)}")

    def somebody_removes_a_rule(self, name: str, source: str) -> None:
        node = self.pair.nodes[name]
        if name not in self.forgotten and self.parts(node)[f"from {source}"]:
            family = "-6" if ":" in source else "-4"
            node.ip(f"{family} rule del from {source} lookup {self.table}")

    def somebody_flushes_the_table(self, name: str) -> None:
        self.pair.nodes[name].ip(f"route flush table {self.table}", check=False)

    def somebody_sets_the_link(self, name: str, is_up: bool) -> None:
        node = self.pair.nodes[name]
        if link := self.link(node):
            node.ip(f"link set {link} {'up' if is_up else 'down'}")

    def somebody_renames_the_link(self, name: str, to: str) -> None:
        node = self.pair.nodes[name]
        if (link := self.link(node)) and link != to:
            node.ip(f"link set {link} name {to}")

    def somebody_removes_the_record(self, name: str) -> None:
        node = self.pair.nodes[name]
        parts = self.parts(node)
        if all(has for part, has in parts.items() if part.startswith("from")):
            for file in node.state.glob("aws-eni-move-*"):
                file.unlink()
                self.forgotten.add(name)

    def clean(self) -> None:
        if not hasattr(self, "id"):
            return
        self.somebody_detaches_it()
        for node in self.pair.nodes.values():
            for family in ("-4", "-6"):
                # It removes one rule at a time, until there is none.
                while f"lookup {self.table}" in node.ip(f"{family} rule"):
                    node.ip(f"{family} rule del lookup {self.table}")
            for file in node.state.glob("*"):
                file.unlink()
        self.operator.delete_network_interface(NetworkInterfaceId=self.id)
