"""The link-layer address of a neighbour: who answers, where the address is on link."""

from __future__ import annotations

import ipaddress
import struct

from ocf_aws.kernel.netlink import RTM_GETNEIGH, dump
from ocf_aws.ocf.errors import Failure

# <linux/neighbour.h>; the second member of nda_cacheinfo is how long ago the kernel has last sent to it.
_NDA_DST, _NDA_LLADDR, _NDA_CACHEINFO = 1, 2, 3
_CACHEINFO = struct.Struct("=IIII")


def find_mac(family: int, address: str) -> str | None:
    """The MAC of the neighbour with this address, None where the kernel knows none.

    On several links may be one, where the address has moved from one to another: then the one that is sent to.
    """
    packed = ipaddress.ip_address(address.partition("%")[0]).packed
    try:
        neighbours = [attributes for _, attributes in dump(RTM_GETNEIGH, family)]
    except Failure:
        return None
    found = {
        _CACHEINFO.unpack_from(attributes[_NDA_CACHEINFO])[1]: attributes[_NDA_LLADDR]
        for attributes in neighbours
        if attributes.get(_NDA_DST) == packed and any(attributes.get(_NDA_LLADDR, b""))
    }
    return found[min(found)].hex(":") if found else None
