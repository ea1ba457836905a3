"""What the link of a moved ENI has in the kernel: addresses, a routing table of its own, and the rules that lead to it.

They route replies through the ENI that the request came in by, although another ENI of the instance may be in the same
subnet; a strict rp_filter looks up the same way back. Routes and rules carry a protocol number of their own, and so do
addresses where kernel and pyroute2 can: nobody else's are ever touched.
"""

from __future__ import annotations

import errno
from struct import unpack

from ocf_aws.ip import AF_INET, AF_INET6, IpAddress, IpNetwork
from ocf_aws.kernel.address import PROTOCOL, add_address, list_addresses, remove_address
from ocf_aws.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    dump,
    encode,
)
from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ocf_aws.kernel.address import LinkAddress
    from ocf_aws.kernel.link import Link
    from ocf_aws.kernel.netlink import Rtnl

PRIORITY = 4000
"""Of the rules: before those of amazon-ec2-net-utils (10000 and up), cloud-netconfig (30000 and up) and cloud-init."""

_FIRST_TABLE = 1 << 30
_COMPATIBILITY_TABLE = 252
"""What the fixed part of a message says where the number of the table needs an attribute (RT_TABLE_COMPAT)."""

_MAIN_TABLE = 254
_LOCAL_TABLE = 255

_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_PRIORITY = 6
_RTA_TABLE = 15
_RTN_UNICAST = 1
_RTN_LOCAL = 2
_SCOPE_UNIVERSE = 0
_SCOPE_LINK = 253
_SCOPE_HOST = 254
_SCOPE_NOWHERE = 255
_FRA_SRC = 2
_FRA_TABLE = 15
_FRA_PROTOCOL = 21
_FR_ACT_TO_TBL = 1

_DEFAULT = {AF_INET: IpNetwork.parse("0.0.0.0/0"), AF_INET6: IpNetwork.parse("::/0")}


def default_table(eni_id: str) -> int:
    """The routing table of an ENI: always the same one, and far from the numbers that distributions' tools give.

    30 bits of the id, which EC2 draws at random, tell apart the few ENIs that an instance can have.
    """
    return _FIRST_TABLE | int(eni_id[-8:], 16) & (_FIRST_TABLE - 1)


class Rule(Record):
    """A rule: packets from the block `source` are routed by `table`."""

    source: IpNetwork
    table: int

    def __str__(self) -> str:
        return f"rule from {self.source} lookup {self.table}"


class Route(Record):
    """A route to a block by the link with this index; gateway None: the block is on the link, or in table local itself."""

    destination: IpNetwork
    gateway: IpAddress | None
    index: int
    table: int

    def __str__(self) -> str:
        kind = "local route" if self.table == _LOCAL_TABLE else "route"
        return f"{kind} to {self.destination}{f' via {self.gateway}' if self.gateway else ''} in table {self.table}"


def own_rules(table: int) -> list[Rule]:
    """The agent's own rules that lead to the table. Raises SoftError."""
    found = []
    for header, attributes in dump(RTM_GETRULE):
        family, _, length, _, small_table = unpack("=BBBBB7x", header)
        protocol = attributes.get(_FRA_PROTOCOL, b"\0")[0]
        if family in _DEFAULT and protocol == PROTOCOL and _number(attributes.get(_FRA_TABLE), small_table) == table:
            found.append(Rule(_network(family, attributes.get(_FRA_SRC), length), table))
    return found


def own_routes(table: int, index: int | None) -> list[Route]:
    """The agent's own routes in the table, and in table local those by the link with this index. Raises SoftError."""
    return [
        route
        for protocol, _, route in _list_routes()
        if protocol == PROTOCOL and (route.table == table or (route.table == _LOCAL_TABLE and route.index == index))
    ]


def carries_default_route(link: Link) -> bool:
    """Whether the node's own traffic leaves by this link: by its best default route of IPv4 or of IPv6. Raises SoftError.

    NetworkManager and systemd-networkd give each link with DHCP a default route, amazon-ec2-net-utils one in a table of
    its own. The kernel takes the one with the lowest metric in table main; of equal ones, the first that it lists.
    """
    routes = [(metric, route) for _, metric, route in _list_routes() if route.table == _MAIN_TABLE]
    for default in _DEFAULT.values():
        found = [(metric, route.index) for metric, route in routes if route.destination == default]
        if found and min(found, key=lambda each: each[0])[1] == link.index:
            return True
    return False


def _list_routes() -> list[tuple[int, int, Route]]:
    """All IPv4 and IPv6 routes, each with the number of the protocol that made it, and with its metric."""
    found = []
    for header, attributes in dump(RTM_GETROUTE):
        family, length, _, _, small_table, protocol = unpack("=BBBBBB6x", header)
        if family in _DEFAULT:
            gateway = IpAddress(attributes[_RTA_GATEWAY]) if _RTA_GATEWAY in attributes else None
            destination = _network(family, attributes.get(_RTA_DST), length)
            index = _number(attributes.get(_RTA_OIF), 0)
            table = _number(attributes.get(_RTA_TABLE), small_table)
            metric = _number(attributes.get(_RTA_PRIORITY), 0)
            found.append((protocol, metric, Route(destination, gateway, index, table)))
    return found


def _number(value: bytes | None, default: int) -> int:
    return default if value is None else int(unpack("=I", value)[0])


def _network(family: int, packed: bytes | None, length: int) -> IpNetwork:
    return IpNetwork(packed, length) if packed else _DEFAULT[family]


class Drift(Record):
    """How a link differs from what it is to have.

    has_any: whether it has any part of it, or anything else of the agent's own. has_address: whether it has an address.
    missing: what it lacks, in words; missing_addresses: the addresses of that.
    """

    has_any: bool
    has_address: bool
    missing_addresses: list[str]
    missing: list[str]


class LinkConfig(Record):
    """What the link of an ENI is to have.

    table: number of its routing table. addresses: IpAddresses to answer at. prefixes: delegated IpNetworks, of which
    every address is answered at. subnets: the blocks of its subnet, at most one of IPv4 and one of IPv6.
    """

    table: int
    addresses: tuple[IpAddress, ...]
    prefixes: tuple[IpNetwork, ...]
    subnets: tuple[IpNetwork, ...]

    @property
    def rules(self) -> list[Rule]:
        """The rules, one for each address and prefix."""
        sources = (*(ip.network for ip in self.addresses), *self.prefixes)
        return [Rule(source, self.table) for source in sources]

    def routes(self, link: Link) -> list[Route]:
        """The routes by this link, in an order in which the kernel takes them: each gateway after the way to it."""
        found = []
        for subnet in self.subnets:
            found.append(Route(subnet, None, link.index, self.table))
            found.append(Route(_DEFAULT[subnet.family], subnet.gateway, link.index, self.table))
        found += [Route(prefix, None, link.index, _LOCAL_TABLE) for prefix in self.prefixes]
        return found

    def check(self, link: Link) -> Drift:
        """Compare the link with it. Raises SoftError."""
        present = {address.ip for address in list_addresses() if address.index == link.index}
        missing_addresses = [str(ip) for ip in self.addresses if ip not in present]
        has_address = len(missing_addresses) < len(self.addresses)
        rules, routes = own_rules(self.table), own_routes(self.table, link.index)
        missing = missing_addresses + [str(rule) for rule in self.rules if rule not in rules]
        missing += [str(route) for route in self.routes(link) if route not in routes]
        return Drift(bool(has_address or rules or routes), has_address, missing_addresses, missing)

    def apply(self, rtnl: Rtnl, link: Link) -> list[str]:
        """Make it so, and remove what else of the agent's own is on the link or in the table.

        Returns what was changed, in words. Raises SoftError, NotInstalled.
        """
        rules, routes = own_rules(self.table), own_routes(self.table, link.index)
        addresses = _own_addresses(link, rules)
        done = [f"added {rule}" for rule in self.rules if rule not in rules and _add_rule(rtnl, rule)]
        done += [f"added {route}" for route in self.routes(link) if route not in routes and _add_route(rtnl, route)]
        # Addresses come last: from its first packet on, an answer takes the right way.
        done += [f"added {ip}" for ip in self.addresses if add_address(rtnl, ip, link)]
        return done + _remove(
            rtnl,
            [rule for rule in rules if rule not in self.rules],
            [route for route in routes if route not in self.routes(link)],
            [address for address in addresses if address.ip not in self.addresses],
        )

    def remove(self, rtnl: Rtnl, link: Link | None, *, named: bool = True) -> list[str]:
        """Remove all that `apply` can have added: by its mark, and of addresses those of the configuration as well.

        link: the ENI's, None where it is gone. named: False leaves addresses that do not carry the mark.
        Returns what was removed, in words. Raises SoftError, NotInstalled.
        """
        rules = own_rules(self.table)
        addresses = _own_addresses(link, rules, self.addresses if named else ()) if link is not None else []
        return _remove(rtnl, rules, own_routes(self.table, link.index if link else None), addresses)


def find_marks(table: int) -> tuple[LinkConfig, int | None] | None:
    """What rules and routes with the agent's mark tell: the configuration with this table, and the index of its link.

    None where there are none. Raises SoftError.
    """
    sources = [rule.source for rule in own_rules(table)]
    if not sources:
        return None
    routes = own_routes(table, None)
    config = LinkConfig(
        table,
        tuple(each.first for each in sources if each.is_single),
        tuple(each for each in sources if not each.is_single),
        tuple(route.destination for route in routes if not route.gateway),
    )
    indexes = [route.index for route in routes]
    # A link that somebody brought down has no routes.
    indexes += [address.index for address in list_addresses() if address.ip in config.addresses]
    return config, indexes[0] if indexes else None


def _own_addresses(link: Link, rules: list[Rule], more: Iterable[IpAddress] = ()) -> list[LinkAddress]:
    """The addresses on the link that carry the mark, or for which a rule does, or that are named."""
    known = {rule.source.first for rule in rules if rule.source.is_single}.union(more)
    on_link = [address for address in list_addresses() if address.index == link.index]
    return [address for address in on_link if address.protocol == PROTOCOL or address.ip in known]


def _remove(rtnl: Rtnl, rules: list[Rule], routes: list[Route], addresses: list[LinkAddress]) -> list[str]:
    done = [f"removed {address.ip}" for address in addresses if remove_address(rtnl, address)]
    # With the last IPv4 address of a link the kernel drops the link's routes as well.
    done += [f"removed {route}" for route in reversed(routes) if _remove_route(rtnl, route)]
    done += [f"removed {rule}" for rule in rules if _remove_rule(rtnl, rule)]
    return done


def _add_rule(rtnl: Rtnl, rule: Rule) -> bool:
    return rtnl.request(
        f"add {rule}", RTM_NEWRULE, _encode_rule(rule), flags=NLM_F_CREATE | NLM_F_EXCL, tolerate=(errno.EEXIST,)
    )


def _remove_rule(rtnl: Rtnl, rule: Rule) -> bool:
    return rtnl.request(f"remove {rule}", RTM_DELRULE, _encode_rule(rule), tolerate=(errno.ENOENT,))


def _encode_rule(rule: Rule) -> bytes:
    header = {
        "family": rule.source.family,
        "src_len": rule.source.prefix_length,
        "table": _small(rule.table),
        "action": _FR_ACT_TO_TBL,
    }
    attributes = [
        ("FRA_SRC", str(rule.source.first)),
        ("FRA_TABLE", rule.table),
        ("FRA_PRIORITY", PRIORITY),
        ("FRA_PROTOCOL", PROTOCOL),
    ]
    return encode("fibmsg", header, attributes)


def _add_route(rtnl: Rtnl, route: Route) -> bool:
    scope = _scope(route)
    return rtnl.request(f"add {route}", RTM_NEWROUTE, _encode_route(route, scope), flags=NLM_F_CREATE | NLM_F_REPLACE)


def _remove_route(rtnl: Rtnl, route: Route) -> bool:
    body = _encode_route(route, _SCOPE_NOWHERE)
    return rtnl.request(f"remove {route}", RTM_DELROUTE, body, tolerate=(errno.ESRCH, errno.ENODEV))


def _scope(route: Route) -> int:
    if route.destination.family == AF_INET6 or route.gateway:
        return _SCOPE_UNIVERSE
    return _SCOPE_HOST if route.table == _LOCAL_TABLE else _SCOPE_LINK


def _encode_route(route: Route, scope: int) -> bytes:
    header = {
        "family": route.destination.family,
        "dst_len": route.destination.prefix_length,
        "table": _small(route.table),
        "proto": PROTOCOL,
        "scope": scope,
        "type": _RTN_LOCAL if route.table == _LOCAL_TABLE else _RTN_UNICAST,
    }
    attributes: list[tuple[str, Any]] = [("RTA_TABLE", route.table), ("RTA_OIF", route.index)]
    if route.destination.prefix_length:
        attributes.append(("RTA_DST", str(route.destination.first)))
    if route.gateway:
        attributes.append(("RTA_GATEWAY", str(route.gateway)))
    return encode("rtmsg", header, attributes)


def _small(table: int) -> int:
    return table if table < 256 else _COMPATIBILITY_TABLE
