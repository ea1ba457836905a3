"""Asks with ICMP echo requests: by a ping socket, which needs no right where the kernel allows it, else by a raw one.

icmp(7), "net.ipv4.ping_group_range"; it holds for IPv6 as well.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from ocf_aws.cli.outages.echo import Echo
from ocf_aws.cli.outages.neighbour import find_mac

_HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence number (RFC 792, RFC 4443)."""

_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


class IcmpAsker(Echo):
    """Asks one address. Raises PermissionError where the kernel allows neither kind of socket, and OSError."""

    def __init__(self, family: socket.AddressFamily, destination: tuple[Any, ...]) -> None:
        super().__init__(_open(family), destination)
        self._family = family
        self._identifier = os.getpid() & 0xFFFF

    def find_neighbour(self) -> str | None:
        """See Asker."""
        return find_mac(self._family, self._destination[0])

    def wrap(self, sequence: int, packet: bytes) -> bytes:
        """See Echo."""
        header = (_REQUEST[self._family], 0, 0, self._identifier, sequence & 0xFFFF)
        # Of a raw socket, the kernel writes the checksum of ICMPv6 alone.
        checksum = _checksum(_HEADER.pack(*header) + packet)
        return _HEADER.pack(*header[:2], checksum, *header[3:]) + packet

    def answering_host(self, datagram: bytes, start: int) -> str | None:
        """See Echo. A raw socket hears the requests to this host's own addresses too."""
        return "" if start >= _HEADER.size and datagram[start - _HEADER.size] == _REPLY[self._family] else None


def _open(family: socket.AddressFamily) -> socket.socket:
    try:
        return socket.socket(family, socket.SOCK_DGRAM, _PROTOCOL[family])
    except PermissionError:
        return socket.socket(family, socket.SOCK_RAW, _PROTOCOL[family])


def _checksum(message: bytes) -> int:
    """RFC 1071; the message has an even length."""
    total: int = sum(struct.unpack(f"!{len(message) // 2}H", message))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
