"""IP addresses and CIDR blocks as values. The standard library's `ipaddress` takes 8 ms to load."""

from __future__ import annotations

# `socket` adds to this built-in part a class and enumerations that take 6 ms to load.
from _socket import AF_INET, AF_INET6, AF_UNSPEC, inet_ntop, inet_pton

from ocf_aws.record import Record

__all__ = ["AF_INET", "AF_INET6", "AF_UNSPEC", "IpAddress", "IpNetwork"]


class IpAddress(Record):
    """An IPv4 or IPv6 address: `packed` is what the kernel has, 4 or 16 bytes; `str()` its canonical form."""

    packed: bytes

    @classmethod
    def parse(cls, text: str) -> IpAddress:
        """The address in `text`. Raises ValueError; a prefix length is tolerated only if it covers the whole address."""
        literal, slash, length = text.partition("/")
        try:
            ip = cls(inet_pton(AF_INET6 if ":" in literal else AF_INET, literal))
        except (OSError, ValueError):
            raise ValueError(f"'{text}' is not an IPv4 or IPv6 address") from None
        if slash and length != str(ip.bits):
            raise ValueError(f"'{text}' is not a single address: its prefix length can only be /{ip.bits}")
        return ip

    def __str__(self) -> str:
        return inet_ntop(self.family, self.packed)

    @property
    def is_ipv6(self) -> bool:
        """Whether it is an IPv6 address."""
        return len(self.packed) == 16

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return AF_INET6 if self.is_ipv6 else AF_INET

    @property
    def bits(self) -> int:
        """Length of the address in bits: 32 or 128."""
        return len(self.packed) * 8

    @property
    def network(self) -> IpNetwork:
        """The block of this address alone, as a route table has it (/32, /128)."""
        return IpNetwork(self.packed, self.bits)


class IpNetwork(Record):
    """A CIDR block: `packed` is its first address, `str()` its canonical form."""

    packed: bytes
    prefix_length: int

    @classmethod
    def parse(cls, text: str) -> IpNetwork:
        """The block in `text`; an address alone is a block of one. Raises ValueError."""
        literal, slash, length = text.partition("/")
        ip = IpAddress.parse(literal)
        if slash and not (length.isdecimal() and int(length) <= ip.bits):
            raise ValueError(f"'{text}' is not a CIDR block")
        return cls.around(ip, int(length) if slash else ip.bits)

    @classmethod
    def around(cls, ip: IpAddress, prefix_length: int) -> IpNetwork:
        """The block of this size in which an address lies."""
        spare = ip.bits - prefix_length
        first = int.from_bytes(ip.packed, "big") >> spare << spare
        return cls(first.to_bytes(len(ip.packed), "big"), prefix_length)

    def __str__(self) -> str:
        return f"{self.first}/{self.prefix_length}"

    def __contains__(self, ip: object) -> bool:
        if not isinstance(ip, IpAddress) or ip.family != self.family:
            return False
        return IpNetwork.around(ip, self.prefix_length) == self

    @property
    def first(self) -> IpAddress:
        """The block's first address."""
        return IpAddress(self.packed)

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return self.first.family

    @property
    def is_single(self) -> bool:
        """Whether the block is one address."""
        return bool(self.prefix_length == self.first.bits)

    @property
    def gateway(self) -> IpAddress:
        """The address of the VPC's router in a subnet: the first one after the block's own (VPC user guide, "Subnet sizing")."""
        return IpAddress((int.from_bytes(self.packed, "big") + 1).to_bytes(len(self.packed), "big"))
