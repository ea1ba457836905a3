"""The router of a VPC: a network namespace that forwards between the ENIs."""

from __future__ import annotations

from collections.abc import Iterable

from vpclab.network import iproute
from vpclab.network.topology import (
    BLACKHOLE,
    EMPTY,
    INSIDE_VPC,
    IPV4,
    IPV6,
    Lease,
    Link,
    Topology,
    family,
)

NETNS = "router"

MTU = 9001

_GUEST = {IPV4: "169.254.0.2", IPV6: "fe80::2"}
"""Next hop of every route to an ENI: never a real address, resolved to the ENI's MAC
by a permanent neighbour of its link, so that no guest is ever asked who it is."""

_ROUTER_LINK_LOCAL = "fe80::1"

_PREFER_INSIDE = 100
_PREFER_ROUTE_TABLE = 200
_PREFER_DROP = 300


class Router:
    """Makes its namespace equal to a topology. It changes only what differs."""

    def __init__(self) -> None:
        iproute.add_namespace(NETNS)
        self._done = EMPTY
        self._tables = {INSIDE_VPC: 254}
        iproute.sysctl(
            NETNS,
            [
                "net.ipv4.ip_forward=1",
                "net.ipv4.conf.all.proxy_arp=1",
                "net.ipv4.conf.all.rp_filter=0",
                "net.ipv4.conf.default.rp_filter=0",
                "net.ipv4.conf.all.send_redirects=0",
                "net.ipv4.conf.default.send_redirects=0",
                "net.ipv6.conf.all.forwarding=1",
                "net.ipv6.conf.all.proxy_ndp=1",
                "net.ipv6.conf.default.accept_dad=0",
            ],
        )
        rules = [
            # A VPC's local route wins over any other entry of a route table.
            f"rule add preference {_PREFER_INSIDE} lookup main",
            f"rule add preference {_PREFER_DROP} type blackhole",
        ]
        iproute.ip(NETNS, rules)
        iproute.ip(NETNS, rules, ipv6=True)

    def apply(self, topology: Topology) -> None:
        """Make the namespace equal to a topology.

        Raises RuntimeError if the kernel refuses, for instance a link whose name is taken.
        """
        was = self._done
        gone = was.links - topology.links
        gone_names = {link.name for link in gone}
        kept_routes = {key: link for key, link in was.routes.items() if link not in gone_names}
        # With a link, the kernel drops its routes, neighbours and proxies.
        commands = [f"link delete {link.name}" for link in gone]
        commands += [command for link in topology.links - was.links for command in _plug(link)]
        commands += [f"address add {gateway} dev lo" for gateway in topology.gateways - was.gateways]
        commands += [f"address delete {gateway} dev lo" for gateway in was.gateways - topology.gateways]
        commands += [
            f"route replace {self._route(*key, link)}"
            for key, link in topology.routes.items()
            if kept_routes.get(key) != link
        ]
        commands += [
            f"route delete {self._route(*key, link)}" for key, link in kept_routes.items() if key not in topology.routes
        ]
        commands += [
            f"neighbour add proxy {address} dev {link}"
            for link, address in topology.proxies - _of_others(was.proxies, gone_names)
        ]
        commands += [
            f"neighbour delete proxy {address} dev {link}"
            for link, address in _of_others(was.proxies, gone_names) - topology.proxies
        ]
        iproute.ip(NETNS, commands)
        for link in topology.links - was.links:
            if link.name in topology.leases:
                lease = topology.leases[link.name]
                iproute.ip(link.netns, _configure(link.guest_name, lease))
        rules = self._rules("delete", was.rules - topology.rules)
        rules += self._rules("add", topology.rules - was.rules)
        iproute.ip(NETNS, rules)
        iproute.ip(NETNS, rules, ipv6=True)
        self._done = topology

    def _route(self, route_table: str, destination: str, link: str) -> str:
        """A route in the words of `ip route`."""
        table = self._table(route_table)
        if link == BLACKHOLE:
            return f"blackhole {destination} table {table}"
        via = f"via {_GUEST[family(destination)]} dev {link} onlink"
        return f"{destination} {via} table {table}"

    def _table(self, route_table: str) -> int:
        """The kernel's number for a route table, given out at its first use."""
        return self._tables.setdefault(route_table, 1000 + len(self._tables))

    def _rules(self, verb: str, rules: Iterable[tuple[str, str]]) -> list[str]:
        return [
            f"rule {verb} preference {_PREFER_ROUTE_TABLE} iif {link} lookup {self._table(route_table)}"
            for link, route_table in rules
        ]


def _plug(link: Link) -> list[str]:
    """Make the pair: the guest's end is down and has no address, as a hot-plugged one."""
    return [
        f"link add {link.name} mtu {MTU} type veth peer name {link.guest_name}"
        f" mtu {MTU} address {link.mac} netns {link.netns}",
        f"link property add dev {link.name} altname {link.eni_id}",
        f"link set {link.name} up",
        f"address add {_ROUTER_LINK_LOCAL}/64 dev {link.name} nodad",
        # The kernel answers for others only after up to 0.8 s, a VPC at once.
        f"ntable change name arp_cache dev {link.name} proxy_delay 0",
        f"ntable change name ndisc_cache dev {link.name} proxy_delay 0",
        *(f"neighbour add {guest} lladdr {link.mac} dev {link.name} nud permanent" for guest in _GUEST.values()),
    ]


def _configure(guest_name: str, lease: Lease) -> list[str]:
    """What an instance's network service does with a lease and router advertisements."""
    commands = [f"link set {guest_name} up"]
    commands += [f"address add {address} dev {guest_name} nodad" for address in lease.addresses]
    commands.append(f"route add 0.0.0.0/0 via {lease.gateway}")
    if lease.ipv6_prefix is not None:
        commands += [
            f"route add {lease.ipv6_prefix} dev {guest_name}",
            f"route add ::/0 via {_ROUTER_LINK_LOCAL} dev {guest_name}",
        ]
    return commands


def _of_others(proxies: frozenset[tuple[str, str]], links: set[str]) -> set[tuple[str, str]]:
    """The proxies that are not of these links."""
    return {(link, address) for link, address in proxies if link not in links}
