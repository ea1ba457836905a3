"""Addresses and prefixes of ENIs: which are free, and which may be given."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from moto.ec2.models.subnets import Subnet

from vpclab.ec2.backend import Backend
from vpclab.ec2.errors import ApiError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PREFIX_LENGTH = {4: 28, 6: 80}
"""Lengths of the prefixes that can be delegated to an ENI."""


def subnet_block(subnet: Subnet, version: int) -> Network:
    """The CIDR block of a subnet in one address family; raises ApiError if it has none."""
    if version == 4:
        return ip_network(subnet.cidr_block)
    for association in subnet.ipv6_cidr_block_associations.values():
        return ip_network(association["ipv6CidrBlock"])
    raise ApiError("InvalidParameterValue", f"The subnet {subnet.id} has no IPv6 CIDR block.")


def free_address(backend: Backend, subnet: Subnet) -> str:
    """The lowest IPv4 address of the subnet that no ENI has; raises ApiError if there is none."""
    taken, block = _taken(backend), subnet_block(subnet, 4)
    for address in block:
        if not _is_reserved(block, address) and address not in taken:
            return str(address)
    raise ApiError("InsufficientFreeAddressesInSubnet", f"The subnet {subnet.id} has no free address.")


def check_addresses(backend: Backend, subnet: Subnet, addresses: Iterable[str], version: int) -> None:
    """Raise ApiError unless all addresses belong to the subnet and are free."""
    taken, block = _taken(backend), subnet_block(subnet, version)
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            raise ApiError("InvalidParameterValue", f"Invalid IP address: [{text}]") from None
        if address not in block or _is_reserved(block, address):
            raise ApiError(
                "InvalidParameterValue",
                f"Address {text} does not fall within the subnet's address range, or is reserved.",
            )
        if address in taken:
            raise ApiError("InvalidIPAddress.InUse", f"Address {text} is in use.")


def check_prefixes(backend: Backend, subnet: Subnet, prefixes: Iterable[str]) -> None:
    """Raise ApiError unless all prefixes belong to the subnet and are free."""
    for text in prefixes:
        prefix = ip_network(text)
        block = subnet_block(subnet, prefix.version)
        if prefix.prefixlen != _PREFIX_LENGTH[prefix.version] or not prefix.subnet_of(block):  # type: ignore[arg-type]
            raise ApiError("InvalidParameterValue", f"The prefix {text} is invalid.")
        if any(prefix.overlaps(other) for other in _delegated(backend)) or any(
            a.version == prefix.version and a in prefix for a in _taken(backend)
        ):
            raise ApiError("InvalidParameterValue", f"The prefix {text} is in use.")


def _taken(backend: Backend) -> set[Address]:
    """The addresses that ENIs have."""
    return {ip_address(a) for eni in backend.enis.values() for a in eni.addresses}


def _delegated(backend: Backend) -> list[Network]:
    """The prefixes that ENIs have."""
    return [ip_network(p) for eni in backend.enis.values() for p in eni.prefixes]


def _is_reserved(block: Network, address: Address) -> bool:
    """Whether AWS keeps the address: the first four of a subnet and the last one."""
    offset = int(address) - int(block.network_address)
    return offset < 4 or address == block.broadcast_address
