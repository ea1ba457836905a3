"""A VPC as immutable values, between the emulated EC2 and the network.

`ec2` makes a `Vpc` from its own state, `network` turns one into links, addresses and kernel routes;
neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Eni:
    """An elastic network interface, attached or not."""

    id: str
    mac: str
    subnet_id: str
    addresses: tuple[str, ...]
    """Private addresses, the primary IPv4 first, then the other IPv4 and the IPv6 ones."""

    prefixes: tuple[str, ...] = ()
    """Delegated prefixes (CIDR, IPv4 and IPv6)."""

    source_dest_check: bool = True
    instance_id: str | None = None
    """The instance whose guest can see the link now; None while detached or still attaching."""

    device_index: int | None = None


@dataclass(frozen=True)
class Route:
    """An entry of a route table; only those that point to an ENI are given."""

    destination: str
    eni_id: str


@dataclass(frozen=True)
class RouteTable:
    """A VPC route table and the subnets that use it (the implicit associations too)."""

    id: str
    subnet_ids: tuple[str, ...]
    routes: tuple[Route, ...]
    to_transit_gateway: tuple[str, ...] = ()
    """The destinations that it sends to the transit gateway."""


@dataclass(frozen=True)
class Subnet:
    """A subnet. Its gateway is the first host of each CIDR, as in AWS."""

    id: str
    zone: str
    cidr: str
    ipv6_cidr: str | None = None


@dataclass(frozen=True)
class Attachment:
    """What the transit gateway is attached to: the VPC, or a VPN connection."""

    id: str
    subnet_ids: tuple[str, ...] = ()
    """Where the VPC's attachment has an interface, one subnet in a zone; none for a VPN."""

    routes: tuple[tuple[str, str | None], ...] = ()
    """(destination, id of an attachment or None for a blackhole), of the transit gateway route table that decides on
    what comes in by this attachment."""


@dataclass(frozen=True)
class Vpc:
    """All of a VPC that decides where a packet goes."""

    cidrs: tuple[str, ...]
    subnets: tuple[Subnet, ...]
    enis: tuple[Eni, ...]
    route_tables: tuple[RouteTable, ...]
    attachments: tuple[Attachment, ...] = ()
    """Those of the transit gateway; none without one."""
