"""What the link of a moved ENI has in the kernel: addresses, a routing table of its own, and the rules that lead to it.

By them, replies leave by the ENI that the request came in by, although another ENI of the instance may be in the same
subnet; and the return path that a strict rp_filter looks up is the one by which a packet came. Routes and rules carry
a protocol number of their own, and so do addresses where kernel and pyroute2 can: nobody else's are ever touched.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections import namedtuple

from ocf_aws.address import Block, Ip, addresses, displace_address, ip_of, place_address
from ocf_aws.netlink import RTM_GETROUTE, RTM_GETRULE, Changes, dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocf_aws.address import Placed
    from ocf_aws.link import Link

PROTOCOL = 203
"""Mark of what is the agent's own: a number that no routing daemon has (/etc/iproute2/rt_protos)."""

PRIORITY = 4000
"""Of the rules: before those of amazon-ec2-net-utils (10000 and up), cloud-netconfig (30000 and up) and cloud-init."""

_FIRST_TABLE = 1 << 30
_LOCAL_TABLE = 255

_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_TABLE = 15
_RTN_UNICAST = 1
_RTN_LOCAL = 2
_SCOPE_UNIVERSE = 0
_SCOPE_LINK = 253
_SCOPE_HOST = 254
_FRA_SRC = 2
_FRA_TABLE = 15
_FRA_PROTOCOL = 21

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_ANYWHERE: dict[int, Block] = {socket.AF_INET: Block("0.0.0.0/0"), socket.AF_INET6: Block("::/0")}


def table_of(eni_id: str) -> int:
    """The routing table of an ENI: always the same one, and far from the numbers that distributions' tools give.

    30 bits of the id, which EC2 draws by chance, tell apart the few ENIs that an instance can have.
    """
    return _FIRST_TABLE | int(eni_id[-8:], 16) & (_FIRST_TABLE - 1)


class Rule(namedtuple("Rule", "source table")):
    """A rule: packets from the block `source` are routed by `table`."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"rule from {self.source} lookup {self.table}"


class Route(namedtuple("Route", "destination gateway index table")):
    """A route to a block by the link with this index; gateway None: the block is on the link, or in table local itself."""

    __slots__ = ()

    def __str__(self) -> str:
        kind = "local route" if self.table == _LOCAL_TABLE else "route"
        return f"{kind} to {self.destination}{f' via {self.gateway}' if self.gateway else ''} in table {self.table}"


def own_rules(table: int) -> list[Rule]:
    """The agent's own rules that lead to the table."""
    found = []
    for header, attrs in dump(RTM_GETRULE):
        family, _, length, _, small_table = struct.unpack("=BBBBB7x", header)
        protocol = attrs.get(_FRA_PROTOCOL, b"\0")[0]
        if family in _FAMILIES and protocol == PROTOCOL and _number(attrs.get(_FRA_TABLE), small_table) == table:
            found.append(Rule(_block(family, attrs.get(_FRA_SRC), length), table))
    return found


def own_routes(table: int, index: int | None) -> list[Route]:
    """The agent's own routes in the table, and in table local those by the link with this index."""
    found = []
    for header, attrs in dump(RTM_GETROUTE):
        family, length, _, _, small_table, protocol = struct.unpack("=BBBBBB6x", header)
        if family not in _FAMILIES or protocol != PROTOCOL:
            continue
        number = _number(attrs.get(_RTA_TABLE), small_table)
        by = _number(attrs.get(_RTA_OIF), 0)
        if number == table or (number == _LOCAL_TABLE and by == index):
            gateway = ip_of(attrs[_RTA_GATEWAY]) if _RTA_GATEWAY in attrs else None
            found.append(Route(_block(family, attrs.get(_RTA_DST), length), gateway, by, number))
    return found


def _number(value: bytes | None, default: int) -> int:
    return default if value is None else int(struct.unpack("=I", value)[0])


def _block(family: int, packed: bytes | None, length: int) -> Block:
    return Block(f"{ip_of(packed)}/{length}") if packed else _ANYWHERE[family]


class Layout:
    """What the link of an ENI is to have.

    table: number of its routing table. addresses: those to answer at. prefixes: delegated blocks, of which every address
    is answered at. subnets: the blocks of its subnet, at most one of IPv4 and one of IPv6.
    """

    def __init__(self, table: int, ips: Iterable[Ip], prefixes: Iterable[Block], subnets: Iterable[Block]):
        self.table = table
        self.addresses = tuple(ips)
        self.prefixes = tuple(prefixes)
        self.subnets = tuple(subnets)

    @property
    def rules(self) -> list[Rule]:
        """The rules, one for each address and prefix."""
        sources = (*(Block(ip.cidr) for ip in self.addresses), *self.prefixes)
        return [Rule(source, self.table) for source in sources]

    def routes(self, link: Link) -> list[Route]:
        """The routes by this link, in an order in which the kernel takes them: each gateway after the way to it."""
        found = []
        for subnet in self.subnets:
            found.append(Route(subnet, None, link.index, self.table))
            found.append(Route(_ANYWHERE[subnet.family], subnet.first_host, link.index, self.table))
        found += [Route(prefix, None, link.index, _LOCAL_TABLE) for prefix in self.prefixes]
        return found

    def look(self, link: Link) -> Findings:
        """What of it there is."""
        there = {placed.ip for placed in addresses() if placed.index == link.index}
        present = [ip for ip in self.addresses if ip in there]
        missing_addresses = [str(ip) for ip in self.addresses if ip not in there]
        missing = missing_addresses.copy()
        rules, routes = own_rules(self.table), own_routes(self.table, link.index)
        missing += [str(rule) for rule in self.rules if rule not in rules]
        missing += [str(route) for route in self.routes(link) if route not in routes]
        return Findings(bool(present or rules or routes), bool(present), missing_addresses, missing)

    def add(self, link: Link) -> list[str]:
        """Make it so, and take away what else of the agent's own is on the link or in the table.

        Returns what was changed, in words. Raises SoftError, NotInstalled.
        """
        done = []
        rules, routes = own_rules(self.table), own_routes(self.table, link.index)
        placed = _own_addresses(link, rules)
        with Changes() as changes:
            # The address comes last: from its first packet on, what it answers takes the right way.
            for rule in self.rules:
                if rule not in rules and _change_rule(changes, "add", rule):
                    done.append(f"added {rule}")
            for route in self.routes(link):
                if route not in routes and _change_route(changes, "replace", route):
                    done.append(f"added {route}")
            for ip in self.addresses:
                if place_address(changes, ip, link, PROTOCOL):
                    done.append(f"added {ip}")
            done += _take_away(
                changes,
                [rule for rule in rules if rule not in self.rules],
                [route for route in routes if route not in self.routes(link)],
                [each for each in placed if each.ip not in self.addresses],
            )
        return done


class Findings:
    """What a look at a link found.

    is_anything: whether there is any of what a layout wants, or anything else of the agent's own.
    has_address: whether an address is there. missing: what is not, in words; missing_addresses: the addresses of it.
    """

    def __init__(self, is_anything: bool, has_address: bool, missing_addresses: list[str], missing: list[str]):
        self.is_anything = is_anything
        self.has_address = has_address
        self.missing_addresses = missing_addresses
        self.missing = missing


def clear(changes: Changes, table: int, link: Link | None, ips: Iterable[Ip]) -> list[str]:
    """Take away all that `Layout.add` can have added: by its mark, and of addresses those named as well.

    link: the ENI's, None where it is gone. Returns what was removed, in words. Raises SoftError.
    """
    rules = own_rules(table)
    placed = _own_addresses(link, rules, ips) if link is not None else []
    return _take_away(changes, rules, own_routes(table, link.index if link else None), placed)


def _own_addresses(link: Link, rules: list[Rule], more: Iterable[Ip] = ()) -> list[Placed]:
    """The addresses on the link that carry the mark, or for which a rule does, or that are named."""
    known = {rule.source.first for rule in rules if rule.source.is_single}.union(more)
    on_link = [each for each in addresses() if each.index == link.index]
    return [each for each in on_link if each.protocol == PROTOCOL or each.ip in known]


def _take_away(changes: Changes, rules: list[Rule], routes: list[Route], placed: list[Placed]) -> list[str]:
    done = [f"removed {each.ip}" for each in placed if displace_address(changes, each)]
    # With the last IPv4 address of a link the kernel drops the link's routes as well.
    done += [f"removed {route}" for route in reversed(routes) if _change_route(changes, "del", route)]
    done += [f"removed {rule}" for rule in rules if _change_rule(changes, "del", rule)]
    return done


def _change_rule(changes: Changes, command: str, rule: Rule) -> bool:
    return changes.apply(
        f"{command} {rule}",
        "rule",
        command,
        tolerate=(errno.EEXIST, errno.ENOENT),
        family=rule.source.family,
        src=str(rule.source.first),
        src_len=rule.source.length,
        table=rule.table,
        priority=PRIORITY,
        protocol=PROTOCOL,
    )


def _change_route(changes: Changes, command: str, route: Route) -> bool:
    keys: dict[str, object] = {"gateway": str(route.gateway)} if route.gateway else {}
    is_local = route.table == _LOCAL_TABLE
    if route.destination.family == socket.AF_INET:
        scope = _SCOPE_UNIVERSE if route.gateway else _SCOPE_LINK
        keys["scope"] = _SCOPE_HOST if is_local else scope
    return changes.apply(
        f"{command} {route}",
        "route",
        command,
        tolerate=() if command == "replace" else (errno.ESRCH, errno.ENODEV),
        family=route.destination.family,
        dst=str(route.destination),
        oif=route.index,
        table=route.table,
        proto=PROTOCOL,
        type=_RTN_LOCAL if is_local else _RTN_UNICAST,
        **keys,
    )
