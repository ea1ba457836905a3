"""Addresses on the links of this instance."""

from __future__ import annotations

import errno
from struct import unpack

from ocf_aws.ip import AF_UNSPEC, IpAddress, IpNetwork
from ocf_aws.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR, dump, encode
from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocf_aws.kernel.link import Link
    from ocf_aws.kernel.netlink import Rtnl

_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_PROTO = 11
_IFA_F_NODAD = 0x02
_IFA_F_NOPREFIXROUTE = 0x200
_FOREVER = 0xFFFFFFFF


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
    Raises SoftError.
    """
    addresses = list_addresses(ip.family)
    placed = next((each for each in addresses if each.ip == ip), None)
    if placed is not None and placed.prefix_length != ip.bits:
        return True
    indexes = {link_index} | ({placed.index} if placed else set())
    return any(each.index in indexes and each.ip != ip and ip in each.network for each in addresses)


def add_address(
    rtnl: Rtnl, ip: IpAddress, link: Link, *, label: str | None = None, protocol: int = 0, is_source: bool = True
) -> bool:
    """Put the address on the link, alone in its prefix and with no route but its own.

    label: what `ip address` shows beside it, IPv4 only. protocol: the mark that says whose it is, where the kernel and
    pyroute2 can keep one. is_source: whether connections that the node opens may leave with it; IPv6 only (RFC 6724, rule 3).
    Returns False when it was there. Raises SoftError, NotInstalled.
    """
    flags = _IFA_F_NOPREFIXROUTE
    attributes: list[tuple[str, Any]] = [("IFA_ADDRESS", str(ip))]
    if ip.is_ipv6:
        # EC2 gives an address to one ENI: waiting for duplicate address detection only delays the service.
        flags |= _IFA_F_NODAD
        if not is_source:
            # An address that is deprecated from the start answers, and is not chosen as a source.
            attributes.append(("IFA_CACHEINFO", {"ifa_preferred": 0, "ifa_valid": _FOREVER}))
    else:
        attributes += [("IFA_LOCAL", str(ip))] + ([("IFA_LABEL", label)] if label else [])
    attributes.append(("IFA_FLAGS", flags))
    if protocol:
        attributes.append(("IFA_PROTO", protocol))
    header = {"family": ip.family, "prefixlen": ip.bits, "index": link.index}
    return rtnl.request(
        f"add {ip.network} to {link.name}",
        RTM_NEWADDR,
        encode("ifaddrmsg", header, attributes),
        flags=NLM_F_CREATE | NLM_F_EXCL,
        tolerate=(errno.EEXIST,),
    )


def remove_address(rtnl: Rtnl, address: LinkAddress) -> bool:
    """Take an address off its link. Returns False when it was gone. Raises SoftError, NotInstalled."""
    header = {"family": address.ip.family, "prefixlen": address.prefix_length, "index": address.index}
    attribute = "IFA_ADDRESS" if address.ip.is_ipv6 else "IFA_LOCAL"
    return rtnl.request(
        f"remove {address.ip}/{address.prefix_length} from this node",
        RTM_DELADDR,
        encode("ifaddrmsg", header, [(attribute, str(address.ip))]),
        tolerate=(errno.EADDRNOTAVAIL, errno.ENODEV),
    )
