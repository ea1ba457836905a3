"""Addresses on the links of this instance."""

from __future__ import annotations

import errno
from struct import pack, unpack

from ocf_aws.ip import AF_UNSPEC, IpAddress, IpNetwork
from ocf_aws.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    RTM_DELADDR,
    RTM_GETADDR,
    RTM_NEWADDR,
    dump,
    encode_attribute,
)
from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocf_aws.kernel.link import Link
    from ocf_aws.kernel.netlink import Rtnl

_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_LABEL = 3
_IFA_CACHEINFO = 6
_IFA_FLAGS = 8
_IFA_PROTO = 11
_IFA_F_NODAD = 0x02
_IFA_F_NOPREFIXROUTE = 0x200
_FOREVER = 0xFFFFFFFF

PROTOCOL = 203
"""Mark of what is the agents' own: a number that no routing daemon has (/etc/iproute2/rt_protos)."""


class LinkAddress(Record):
    """An address as it is on a link. index: the link's. protocol: number of who added it, 0 where the kernel has none."""

    ip: IpAddress
    prefix_length: int
    index: int
    protocol: int

    @property
    def network(self) -> IpNetwork:
        """The subnet that the kernel takes to be on the link."""
        return IpNetwork.around(self.ip, self.prefix_length)


def list_addresses(family: int = AF_UNSPEC) -> list[LinkAddress]:
    """All addresses of this network namespace, link-local and loopback ones too. Raises SoftError."""
    found = []
    for header, attributes in dump(RTM_GETADDR, family):
        _, prefix_length, _, _, index = unpack("=BBBBI", header)
        # IFA_ADDRESS is the other end on a point-to-point link; IFA_LOCAL, which IPv6 leaves out, is ours.
        packed = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, b""))
        if len(packed) in (4, 16):
            # Linux has IFA_PROTO since 5.18.
            protocol = attributes.get(_IFA_PROTO, b"\0")[0]
            found.append(LinkAddress(IpAddress(packed), prefix_length, index, protocol))
    return found


def find_address(ip: IpAddress) -> LinkAddress | None:
    """Where this very address is; None when it is on no link of this instance. Raises SoftError."""
    return next((each for each in list_addresses(ip.family) if each.ip == ip), None)


def is_own_address(ip: IpAddress, link_index: int | None) -> bool:
    """Whether the address is one that this instance lives by, or lies among them, and so can be no overlay IP.

    link_index: of the link that is to carry it, None while that is not known. An overlay IP stands on its link alone in
    its prefix, and outside of the subnets of the link. Other links, such as bridges of containers, forbid nothing.
    One that carries the agents' mark is none, whatever else came to its link since. Raises SoftError.
    """
    addresses = list_addresses(ip.family)
    placed = next((each for each in addresses if each.ip == ip), None)
    if placed is not None and placed.prefix_length != ip.bits:
        return True
    if placed is not None and placed.protocol == PROTOCOL:
        return False
    indexes = {link_index} | ({placed.index} if placed else set())
    return any(each.index in indexes and each.ip != ip and ip in each.network for each in addresses)


def add_address(rtnl: Rtnl, ip: IpAddress, link: Link, *, label: str | None = None, is_source: bool = True) -> bool:
    """Put the address on the link, alone in its prefix, with no route but its own, and with the agents' mark.

    Linux before 5.18 keeps no mark of an address. label: what `ip address` shows beside it, IPv4 only.
    is_source: whether connections that the node opens may leave with it; IPv6 only (RFC 6724, rule 3).
    Returns False when it was there. Raises SoftError.
    """
    flags = _IFA_F_NOPREFIXROUTE
    body = _identify(ip, ip.bits, link.index)
    if ip.is_ipv6:
        # EC2 gives an address to one ENI: waiting for duplicate address detection only delays the service.
        flags |= _IFA_F_NODAD
        if not is_source:
            # An address that is deprecated from the start (ifa_prefered 0) answers, and is not chosen as a source.
            body += encode_attribute(_IFA_CACHEINFO, pack("=IIII", 0, _FOREVER, 0, 0))
    elif label:
        body += encode_attribute(_IFA_LABEL, label.encode() + b"\0")
    body += encode_attribute(_IFA_FLAGS, pack("=I", flags))
    body += encode_attribute(_IFA_PROTO, bytes([PROTOCOL]))
    return rtnl.request(
        f"add {ip.network} to {link.name}",
        RTM_NEWADDR,
        body,
        flags=NLM_F_CREATE | NLM_F_EXCL,
        tolerate=(errno.EEXIST,),
    )


def remove_address(rtnl: Rtnl, address: LinkAddress) -> bool:
    """Take an address off its link. Returns False when it was gone. Raises SoftError."""
    return rtnl.request(
        f"remove {address.ip}/{address.prefix_length} from this node",
        RTM_DELADDR,
        _identify(address.ip, address.prefix_length, address.index),
        tolerate=(errno.EADDRNOTAVAIL, errno.ENODEV),
    )


def _identify(ip: IpAddress, prefix_length: int, index: int) -> bytes:
    """What says to the kernel which address is meant: struct ifaddrmsg, and the address.

    Packed here as it is read here: a stop that loads pyroute2's message class for it takes 2.5 times as long, and fails,
    which fences the node, where pyroute2 is missing.
    """
    header = pack("=BBBBI", ip.family, prefix_length, 0, 0, index)
    # Without IFA_ADDRESS there is no other end (rtm_to_ifaddr() in net/ipv4/devinet.c, extract_addr() in net/ipv6/addrconf.c).
    return header + encode_attribute(_IFA_LOCAL, ip.packed)
