"""Links: the network interfaces that the kernel of this instance has."""

from __future__ import annotations

import errno
import struct
import sys

from ocf_aws.netlink import RTM_GETLINK, attributes, dump
from ocf_aws.status import NotInstalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocf_aws.netlink import Changes

_IFF_UP = 0x1
_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_LINKINFO = 18
_IFLA_PROP_LIST = 52
_IFLA_INFO_KIND = 1
_IFLA_ALT_IFNAME = 53

# Links that are made on top of another one and may have its MAC.
_STACKED = frozenset((b"vlan", b"macvlan", b"ipvlan", b"bridge", b"bond", b"team", b"macsec"))


class Link:
    """A link: index, name, altname (None without one), mac (lower case), mtu, is_up, is_stacked on another one."""

    def __init__(self, header: bytes, attrs: dict[int, bytes]):
        _, _, self.index, flags, _ = struct.unpack("=BxHiII", header)
        self.name = _text(attrs[_IFLA_IFNAME])
        names = attributes(attrs.get(_IFLA_PROP_LIST, b""))
        self.altname = _text(names[_IFLA_ALT_IFNAME]) if _IFLA_ALT_IFNAME in names else None
        self.mac = attrs.get(_IFLA_ADDRESS, b"").hex(":")
        self.mtu = int.from_bytes(attrs.get(_IFLA_MTU, b""), sys.byteorder)
        self.is_up = bool(flags & _IFF_UP)
        kind = attributes(attrs.get(_IFLA_LINKINFO, b"")).get(_IFLA_INFO_KIND, b"")
        self.is_stacked = kind.rstrip(b"\0") in _STACKED


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def links() -> list[Link]:
    """All links of this network namespace."""
    return [Link(header, attrs) for header, attrs in dump(RTM_GETLINK)]


def find_link(name: str) -> Link | None:
    """The link with this name or alternative name."""
    for link in links():
        if name in (link.name, link.altname):
            return link
    return None


def require_link(name: str) -> Link:
    """As find_link. Raises NotInstalled naming the links that there are."""
    link = find_link(name)
    if link is None:
        there = ", ".join(sorted(x.name for x in links() if x.name != "lo"))
        raise NotInstalled(
            f"interface '{name}' does not exist on this node, which has {there or 'none'}:"
            " correct the parameter 'interface' or leave it out"
        )
    return link


def find_link_by_mac(mac: str) -> Link | None:
    """The link of the ENI with this MAC; never one that is stacked on it."""
    for link in links():
        if link.mac == mac.lower() and not link.is_stacked:
            return link
    return None


def set_link(changes: Changes, link: Link, **wanted: Any) -> bool:
    """Change the link's state (`up`, `down`) or mtu. Returns False when the link is gone. Raises SoftError."""
    words = " ".join(f"{name} {value}" for name, value in wanted.items())
    return changes.apply(
        f"set link {link.name} {words}", "link", "set", tolerate=(errno.ENODEV,), index=link.index, **wanted
    )


def router_advertisements(link: Link) -> str | None:
    """What the kernel does about IPv6 router advertisements on the link (sysctl accept_ra), None without IPv6."""
    try:
        with open(_accept_ra(link), encoding="ascii") as sysctl:
            return sysctl.read().strip()
    except OSError:
        return None


def heed_router_advertisements(link: Link, value: str) -> None:
    """Set what `router_advertisements` tells; no matter where it cannot be set."""
    try:
        with open(_accept_ra(link), "w", encoding="ascii") as sysctl:
            sysctl.write(value)
    except OSError:
        pass


def _accept_ra(link: Link) -> str:
    return f"/proc/sys/net/ipv6/conf/{link.name}/accept_ra"
