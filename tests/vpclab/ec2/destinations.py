"""Which destinations a route may have."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from moto.ec2.models.vpcs import VPC

from vpclab.ec2.backend import Backend
from vpclab.ec2.errors import ApiError, invalid_value, missing_parameter

Network = IPv4Network | IPv6Network

_RESERVED = (ip_network("169.254.168.0/22"), ip_network("fd00:ec2::/32"))
"""Where IMDS, DNS and time are; AWS routes them by itself."""

_NAMES = {4: "DestinationCidrBlock", 6: "DestinationIpv6CidrBlock"}


def destination_name(destination: Network) -> str:
    """The parameter that carries such a destination."""
    return _NAMES[destination.version]


def read_destination(parameters: dict[str, Any], canonical: bool) -> Network:
    """The destination that a call names; raises ApiError.

    `canonical`: host bits are cut off, as CreateRoute does, and not an error.
    """
    given = {v: parameters[name] for v, name in _NAMES.items() if name in parameters}
    if not given:
        raise missing_parameter("destinationCidrBlock")
    if len(given) > 1:
        raise ApiError(
            "InvalidParameterCombination",
            "Exactly one destination must be specified.",
        )
    ((version, text),) = given.items()
    try:
        network = ip_network(text, strict=not canonical)
    except ValueError:
        network = None
    if network is None or network.version != version or "/" not in text:
        name = _NAMES[version]
        why = "This is not a valid CIDR block."
        raise invalid_value(name[0].lower() + name[1:], text, why)
    return network


def check_destination(backend: Backend, vpc: VPC, destination: Network) -> None:
    """Raise ApiError unless a table of the VPC may have a route there.

    Within the VPC's own blocks only the whole of a subnet can be routed elsewhere.
    """
    if any(_covers(reserved, destination) for reserved in _RESERVED):
        raise ApiError(
            "InvalidParameterValue",
            f"The destination CIDR block {destination} is reserved.",
        )
    local = [
        ip_network(block["cidr_block"])
        for ipv6 in (False, True)
        for block in vpc.get_cidr_block_association_set(ipv6=ipv6)
    ]
    if not any(_covers(block, destination) for block in local):
        return
    subnets = [s for s in backend.all_subnets() if s.vpc_id == vpc.id]
    if destination not in local and destination not in _blocks_of(subnets):
        raise ApiError(
            "InvalidParameterValue",
            f"The destination CIDR block {destination} is more specific than one of "
            "this VPC's CIDR blocks but doesn't match any of its subnets.",
        )


def _covers(block: Network, destination: Network) -> bool:
    """Whether the destination lies within the block."""
    return block.version == destination.version and destination.subnet_of(block)  # type: ignore[arg-type]


def _blocks_of(subnets: list[Any]) -> set[Network]:
    """All CIDR blocks of subnets."""
    blocks = {ip_network(subnet.cidr_block) for subnet in subnets if subnet.cidr_block}
    for subnet in subnets:
        for association in subnet.ipv6_cidr_block_associations.values():
            blocks.add(ip_network(association["ipv6CidrBlock"]))
    return blocks
