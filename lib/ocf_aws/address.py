"""Addresses on the links of this instance."""

from __future__ import annotations

import errno
import socket
import struct

from ocf_aws.netlink import RTM_GETADDR, Changes, dump
from ocf_aws.status import SoftError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocf_aws.link import Link

LABEL_LENGTH = 15
"""Characters that the kernel keeps of a label (IFNAMSIZ less the final zero)."""

_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_PROTO = 11
_IFA_F_NODAD = 0x02
_IFA_F_NOPREFIXROUTE = 0x200
_FOREVER = 0xFFFFFFFF


class Ip:
    """An IPv4 or IPv6 address: `str()` is its canonical form, `packed` its bytes.

    Raises ValueError where `text` is no address; a prefix length is tolerated only if it covers the whole address.
    """

    def __init__(self, text: str):
        literal, slash, length = text.partition("/")
        self.family = socket.AF_INET6 if ":" in literal else socket.AF_INET
        try:
            self.packed = socket.inet_pton(self.family, literal)
        except (OSError, UnicodeEncodeError):
            raise ValueError(f"'{text}' is not an IPv4 or IPv6 address") from None
        self.length = len(self.packed) * 8
        if slash and length != str(self.length):
            raise ValueError(f"'{text}' is not a single address: its prefix length can only be /{self.length}")
        self._text = socket.inet_ntop(self.family, self.packed)

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ip) and self.packed == other.packed

    def __hash__(self) -> int:
        return hash(self.packed)

    @property
    def cidr(self) -> str:
        """The address as a block of one, the way a route table has it."""
        return f"{self._text}/{self.length}"

    @property
    def is_ipv6(self) -> bool:
        """Whether it is an IPv6 address."""
        return self.family == socket.AF_INET6


class Block:
    """A CIDR block: `str()` is its canonical form, `packed` its first address, `length` that of its prefix.

    An address alone is the block of one. Raises ValueError where `text` is neither.
    """

    def __init__(self, text: str):
        literal, slash, length = text.partition("/")
        ip = Ip(literal)
        self.family = ip.family
        self.length = int(length) if slash else ip.length
        if not 0 <= self.length <= ip.length:
            raise ValueError(f"'{text}' is not a CIDR block")
        spare = ip.length - self.length
        start = int.from_bytes(ip.packed, "big") >> spare << spare
        self.packed = start.to_bytes(len(ip.packed), "big")

    def __str__(self) -> str:
        return f"{self.first}/{self.length}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Block) and (self.packed, self.length) == (other.packed, other.length)

    def __hash__(self) -> int:
        return hash((self.packed, self.length))

    def __contains__(self, ip: Ip) -> bool:
        return ip.family == self.family and Block(f"{ip}/{self.length}") == self

    @property
    def is_single(self) -> bool:
        """Whether the block is one address."""
        return self.length == len(self.packed) * 8

    @property
    def first(self) -> Ip:
        """The block's first address."""
        return ip_of(self.packed)

    @property
    def first_host(self) -> Ip:
        """The first address after the block's own, which in a subnet is the VPC router's."""
        return ip_of((int.from_bytes(self.packed, "big") + 1).to_bytes(len(self.packed), "big"))


def ip_of(packed: bytes) -> Ip:
    """The address that the kernel or a calculation gives as bytes."""
    return Ip(socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed))


class Placed:
    """An address as it is on a link: ip, prefix length, index of the link, protocol number of who added it (0: unknown)."""

    def __init__(self, ip: Ip, length: int, index: int, protocol: int = 0):
        self.ip = ip
        self.length = length
        self.index = index
        self.protocol = protocol


def find_address(ip: Ip) -> Placed | None:
    """Where this very address is; None when it is on no link of this instance."""
    for header, attrs in dump(RTM_GETADDR, ip.family):
        _, length, _, _, index = struct.unpack("=BBBBI", header)
        # IFA_ADDRESS is the other end on a point-to-point link; IFA_LOCAL, which IPv6 leaves out, is ours.
        if attrs.get(_IFA_LOCAL, attrs.get(_IFA_ADDRESS)) == ip.packed:
            return Placed(ip, length, index)
    return None


def addresses(family: int = socket.AF_UNSPEC) -> list[Placed]:
    """All addresses of this network namespace; link-local and loopback ones too."""
    found = []
    for header, attrs in dump(RTM_GETADDR, family):
        _, length, _, _, index = struct.unpack("=BBBBI", header)
        packed = attrs.get(_IFA_LOCAL, attrs.get(_IFA_ADDRESS))
        if packed and len(packed) in (4, 16):
            # Linux has it since 5.18.
            protocol = attrs.get(_IFA_PROTO, b"\0")[0]
            found.append(Placed(ip_of(packed), length, index, protocol))
    return found


def place_address(changes: Changes, ip: Ip, link: Link, protocol: int) -> bool:
    """Put the address on the link, alone in its prefix and with no route but its own.

    protocol: the mark that says whose it is, where kernel and pyroute2 can keep one.
    Returns False when it was there. Raises SoftError.
    """
    flags = _IFA_F_NOPREFIXROUTE
    if ip.is_ipv6:
        # EC2 gives an address to one ENI, so waiting for duplicate address detection only delays the service.
        flags |= _IFA_F_NODAD
    return changes.apply(
        f"add {ip.cidr} to {link.name}",
        "addr",
        "add",
        tolerate=(errno.EEXIST,),
        index=link.index,
        address=str(ip),
        prefixlen=ip.length,
        family=ip.family,
        flags=flags,
        proto=protocol,
    )


def displace_address(changes: Changes, placed: Placed) -> bool:
    """Take an address away from where it is. Returns False when it was gone. Raises SoftError."""
    return changes.apply(
        f"remove {placed.ip}/{placed.length} from this node",
        "addr",
        "del",
        tolerate=(errno.EADDRNOTAVAIL, errno.ENODEV),
        index=placed.index,
        address=str(placed.ip),
        prefixlen=placed.length,
        family=placed.ip.family,
    )


def add_address(ip: Ip, link: Link, label: str | None = None) -> bool:
    """Put the address on the link, alone in its prefix.

    label: what `ip address` shows beside it, IPv4 only. Returns False when it was there. Raises SoftError.
    """
    keys: dict[str, object] = {
        "index": link.index,
        "address": str(ip),
        "prefixlen": ip.length,
        "family": ip.family,
    }
    if ip.is_ipv6:
        # Nobody else in a VPC has the address, so waiting for duplicate address detection only delays the service.
        keys["flags"] = _IFA_F_NODAD
    elif label:
        keys["label"] = label
    with Changes() as changes:
        if ip.is_ipv6:
            # Deprecated from birth: answers leave with it, connections that the node opens do not (RFC 6724, rule 3).
            keys.update(changes.lifetimes(preferred=0, valid=_FOREVER))
        return changes.apply(
            f"add {ip.cidr} to {link.name}",
            "addr",
            "add",
            tolerate=(errno.EEXIST,),
            **keys,
        )


def remove_address(ip: Ip) -> bool:
    """Take the address off every link of this instance.

    Returns False when it was on none. Raises SoftError when the kernel keeps it, NotInstalled without pyroute2.
    """
    removed = False
    while (placed := find_address(ip)) is not None:
        with Changes() as changes:
            changed = displace_address(changes, placed)
        if not changed and find_address(ip) is not None:
            raise SoftError(f"cannot remove {ip.cidr}: the kernel does not know it")
        removed = True
    return removed
