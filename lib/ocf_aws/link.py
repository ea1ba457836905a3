"""Links: the network interfaces that the kernel of this instance has."""

from __future__ import annotations

import struct

from ocf_aws.netlink import RTM_GETLINK, Changes, attributes, dump
from ocf_aws.status import NotInstalled

_IFF_UP = 0x1
_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_LINKINFO = 18
_IFLA_PROP_LIST = 52
_IFLA_INFO_KIND = 1
_IFLA_ALT_IFNAME = 53

# Links that are made on top of another one and may have its MAC.
_STACKED = frozenset((b"vlan", b"macvlan", b"ipvlan", b"bridge", b"bond", b"team", b"macsec"))


class Link:
    """A link: index, name, altname (None without one), mac (lower case), is_up, is_stacked on another one."""

    def __init__(self, header: bytes, attrs: dict[int, bytes]):
        _, _, self.index, flags, _ = struct.unpack("=BxHiII", header)
        self.name = _text(attrs[_IFLA_IFNAME])
        names = attributes(attrs.get(_IFLA_PROP_LIST, b""))
        self.altname = _text(names[_IFLA_ALT_IFNAME]) if _IFLA_ALT_IFNAME in names else None
        self.mac = attrs.get(_IFLA_ADDRESS, b"").hex(":")
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


def set_link(link: Link, up: bool) -> None:
    """Bring the link up or down. Raises SoftError."""
    state = "up" if up else "down"
    with Changes() as changes:
        changes.apply(f"set link {link.name} {state}", "link", "set", index=link.index, state=state)
