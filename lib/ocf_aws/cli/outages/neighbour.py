"""The link-layer address of a neighbour: who answers, where the address is on link."""

from __future__ import annotations

import ipaddress

from ocf_aws.kernel.netlink import RTM_GETNEIGH, dump
from ocf_aws.ocf.errors import Failure

# <linux/neighbour.h>
_NDA_DST, _NDA_LLADDR = 1, 2


def find_mac(family: int, address: str) -> str | None:
    """The MAC of the neighbour with this address, None where the kernel knows none."""
    packed = ipaddress.ip_address(address.partition("%")[0]).packed
    try:
        neighbours = dump(RTM_GETNEIGH, family)
    except Failure:
        return None
    for _, attributes in neighbours:
        if attributes.get(_NDA_DST) == packed and any(attributes.get(_NDA_LLADDR, b"")):
            return attributes[_NDA_LLADDR].hex(":")
    return None
