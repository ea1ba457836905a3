"""The links, routes and rules that the kernel needs so that the network behaves as EC2 describes the VPC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from zlib import crc32

from vpclab.vpc import Eni, Subnet, Vpc

IPV4 = 4
IPV6 = 6

BLACKHOLE = "blackhole"
"""In place of a link: packets are dropped without an ICMP error, as in a VPC."""

TRANSIT_GATEWAY_NETNS = "transit-gateway"

INSIDE_VPC = ""
"""In place of the id of a route table: the part that all route tables have in common."""


@dataclass(frozen=True)
class Link:
    """A veth pair, one for each ENI that a running instance has, and for each that a transit gateway has."""

    name: str
    """The router's end."""

    eni_id: str
    mac: str
    netns: str
    guest_name: str


@dataclass(frozen=True)
class Lease:
    """What an instance's DHCP client would learn for its primary ENI when it boots."""

    addresses: tuple[str, ...]
    """With prefix length: the primary IPv4 with the subnet's, IPv6 ones with 128."""

    gateway: str
    ipv6_prefix: str | None


@dataclass(frozen=True)
class Topology:
    """All of it. Addresses and destinations are in the kernel's own spelling."""

    links: frozenset[Link]
    gateways: frozenset[str]
    routes: Mapping[tuple[str, str], str]
    """(route table id or INSIDE_VPC, CIDR) -> name of a link, or BLACKHOLE."""

    rules: frozenset[tuple[str, str]]
    """(name of a link, id of the route table for what comes in by it)."""

    proxies: frozenset[tuple[str, str]]
    """(name of a link, IPv6 address of a neighbour for which the router answers)."""

    leases: Mapping[str, Lease]
    """By name of the link."""


EMPTY = Topology(frozenset(), frozenset(), {}, frozenset(), frozenset(), {})


def build_topology(vpc: Vpc, namespaces: Mapping[str, str]) -> Topology:
    """The topology of a VPC.

    `namespaces`: the network namespace of each instance that has power, by its id.
    """
    subnets = {subnet.id: subnet for subnet in vpc.subnets}
    plugged = [eni for eni in vpc.enis if eni.instance_id in namespaces and eni.device_index is not None]
    routes = {(INSIDE_VPC, _canonical(cidr)): BLACKHOLE for cidr in vpc.cidrs}
    for eni in plugged:
        for cidr in eni.addresses + eni.prefixes:
            routes[INSIDE_VPC, _canonical(cidr)] = link_name(eni.id)
    names = {eni.id: link_name(eni.id) for eni in plugged}
    for table in vpc.route_tables:
        for route in table.routes:
            # To an ENI that is detached, or whose instance has no power: a blackhole.
            routes[table.id, _canonical(route.destination)] = names.get(route.eni_id, BLACKHOLE)
    transit = {subnet_id: transit_link_name(subnet_id) for a in vpc.attachments for subnet_id in a.subnet_ids}
    for table in vpc.route_tables:
        for cidr in table.to_transit_gateway:
            # All of its interfaces lead to the same transit gateway.
            routes[table.id, _canonical(cidr)] = next(iter(transit.values()), BLACKHOLE)
    return Topology(
        links=frozenset(_link(eni, namespaces) for eni in plugged) | frozenset(map(_transit_link, transit)),
        gateways=frozenset(gateway for subnet in vpc.subnets for gateway in _gateways(subnet)),
        routes=routes,
        rules=frozenset(
            (link_name(eni.id), table.id)
            for eni in plugged
            for table in vpc.route_tables
            if eni.subnet_id in table.subnet_ids
        )
        | {(link, table.id) for id, link in transit.items() for table in vpc.route_tables if id in table.subnet_ids},
        proxies=frozenset(_proxies(plugged, subnets)),
        leases={link_name(eni.id): _lease(eni, subnets[eni.subnet_id]) for eni in plugged if eni.device_index == 0},
    )


def link_name(eni_id: str) -> str:
    """The router's end of an ENI's link: the id's end, for a name has 15 characters."""
    return "e" + eni_id.removeprefix("eni-")[-14:]


def transit_link_name(subnet_id: str) -> str:
    """Both ends of the link of a transit gateway's interface in a subnet."""
    return "t" + subnet_id.removeprefix("subnet-")[-14:]


def family(address: str) -> int:
    """IPV4 or IPV6, of an address or a CIDR."""
    return IPV6 if ":" in address else IPV4


def _link(eni: Eni, namespaces: Mapping[str, str]) -> Link:
    assert eni.instance_id is not None and eni.device_index is not None
    # A Nitro instance's first ENI sits in PCI slot 5, the others in those after it.
    guest_name = f"ens{5 + eni.device_index}"
    netns = namespaces[eni.instance_id]
    return Link(link_name(eni.id), eni.id, eni.mac, netns, guest_name)


def _transit_link(subnet_id: str) -> Link:
    name = transit_link_name(subnet_id)
    mac = "02:54:" + crc32(subnet_id.encode()).to_bytes(4, "big").hex(":")
    return Link(name, f"transit-{subnet_id}", mac, TRANSIT_GATEWAY_NETNS, name)


def _lease(eni: Eni, subnet: Subnet) -> Lease:
    primary, *others = eni.addresses
    # Secondary IPv4 addresses are not told by DHCP, IPv6 ones all are.
    addresses = [f"{primary}/{ip_network(subnet.cidr).prefixlen}"]
    addresses += [f"{other}/128" for other in others if family(other) == IPV6]
    return Lease(tuple(addresses), first_host(subnet.cidr), subnet.ipv6_cidr)


def _proxies(plugged: list[Eni], subnets: Mapping[str, Subnet]) -> Iterator[tuple[str, str]]:
    """The kernel answers ARP for all it can route, but ND only for configured proxy entries."""
    for eni in plugged:
        targets = set(_gateways(subnets[eni.subnet_id]))
        for other in plugged:
            if other.subnet_id == eni.subnet_id and other is not eni:
                targets.update(other.addresses)
        for target in targets:
            if family(target) == IPV6:
                yield link_name(eni.id), str(ip_address(target))


def _gateways(subnet: Subnet) -> list[str]:
    cidrs = [subnet.cidr] + ([subnet.ipv6_cidr] if subnet.ipv6_cidr else [])
    return [first_host(cidr) for cidr in cidrs]


def first_host(cidr: str) -> str:
    """The address of a subnet's gateway."""
    return str(ip_network(cidr)[1])


def _canonical(cidr: str) -> str:
    return str(ip_interface(cidr).network)
