"""Links: the network interfaces that the kernel of this instance has."""

from __future__ import annotations

import errno
import sys
from struct import pack, unpack
from time import monotonic

from ocf_aws.kernel.netlink import RTM_GETLINK, RTM_NEWLINK, dump, encode_attribute, split_attributes
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import SETTLE_SECONDS, NotInstalled, SoftError
from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocf_aws.kernel.netlink import Rtnl

_UDEV_SECONDS = 1.0

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


class LinkMissing(NotInstalled):
    """The node has no such link; for a moment, while a tool configures its links anew, that says nothing."""

    certain_after = SETTLE_SECONDS


class LinkDown(SoftError):
    """The link is down. Whoever took it down, such as a tool that configures it anew, may bring it up in some seconds."""

    certain_after = 30.0


class Link(Record):
    """A link. altnames: its alternative names. mac: in lower case. is_stacked: made on top of another link."""

    index: int
    name: str
    altnames: tuple[str, ...]
    mac: str
    mtu: int
    is_up: bool
    is_stacked: bool


def list_links() -> list[Link]:
    """All links of this network namespace. Raises SoftError."""
    return [_link(header, attributes) for header, attributes in dump(RTM_GETLINK)]


def _link(header: bytes, attributes: dict[int, bytes]) -> Link:
    _, _, index, flags, _ = unpack("=BxHiII", header)
    kind = dict(split_attributes(attributes.get(_IFLA_LINKINFO, b""))).get(_IFLA_INFO_KIND, b"")
    properties = split_attributes(attributes.get(_IFLA_PROP_LIST, b""))
    return Link(
        index,
        _text(attributes[_IFLA_IFNAME]),
        tuple(_text(value) for number, value in properties if number == _IFLA_ALT_IFNAME),
        attributes.get(_IFLA_ADDRESS, b"").hex(":"),
        int.from_bytes(attributes.get(_IFLA_MTU, b""), sys.byteorder),
        bool(flags & _IFF_UP),
        kind.rstrip(b"\0") in _STACKED,
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def find_link(name: str) -> Link | None:
    """The link with this name or alternative name. Raises SoftError."""
    return next((link for link in list_links() if name in (link.name, *link.altnames)), None)


def require_link(name: str) -> Link:
    """As find_link. Raises LinkMissing naming the links that there are."""
    link = find_link(name)
    if link is None:
        present = ", ".join(sorted(each.name for each in list_links() if each.name != "lo"))
        raise LinkMissing(
            f"leave out or correct parameter 'interface': '{name}' does not exist on this node (it has {present})"
        )
    return link


def find_link_by_index(index: int) -> Link | None:
    """The link with this index. Raises SoftError."""
    return next((link for link in list_links() if link.index == index), None)


def find_link_by_mac(mac: str) -> Link | None:
    """The link of the ENI with this MAC; never one that is stacked on it. Raises SoftError."""
    return next((link for link in list_links() if link.mac == mac.lower() and not link.is_stacked), None)


def wait_udev(link: Link) -> Link | None:
    """The link as it is once udev has done its work on it; None where it is gone. At most a second, where udev runs.

    udev renames a link that was plugged in, and kernels before 6.2 rename none that is up. Its record of the link
    (/run/udev/data/nINDEX) appears when it is done.
    """
    from os.path import exists

    if exists("/run/udev/control"):
        for _ in Deadline(monotonic() + _UDEV_SECONDS).attempts(first=0.02, longest=0.02):
            if exists(f"/run/udev/data/n{link.index}"):
                break
    return find_link_by_index(link.index)


def set_link(rtnl: Rtnl, link: Link, *, is_up: bool | None = None, mtu: int | None = None) -> bool:
    """Change the link's state or MTU (bytes). Returns False when the link is gone. Raises SoftError."""
    words = [f"mtu {mtu}"] if mtu else []
    words += [] if is_up is None else ["up" if is_up else "down"]
    flags, mask = (_IFF_UP if is_up else 0), (0 if is_up is None else _IFF_UP)
    body = pack("=BxHiII", 0, 0, link.index, flags, mask)
    if mtu:
        body += encode_attribute(_IFLA_MTU, pack("=I", mtu))
    return rtnl.request(f"set link {link.name} {' '.join(words)}", RTM_NEWLINK, body, tolerate=(errno.ENODEV,))


def read_accept_ra(link: Link) -> str | None:
    """What the kernel does about IPv6 router advertisements on the link (sysctl accept_ra), None without IPv6."""
    try:
        with open(_accept_ra(link), encoding="ascii") as sysctl:
            return sysctl.read().strip()
    except OSError:
        return None


def write_accept_ra(link: Link, value: str) -> bool:
    """Set what `read_accept_ra` reads. Returns whether the kernel has it so."""
    try:
        with open(_accept_ra(link), "w", encoding="ascii") as sysctl:
            sysctl.write(value)
    except OSError:
        return False
    return read_accept_ra(link) == value


def _accept_ra(link: Link) -> str:
    return f"/proc/sys/net/ipv6/conf/{link.name}/accept_ra"
