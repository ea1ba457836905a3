"""What is asked: an address, and a port where a TCP connection is to be opened."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

from ocf_aws.cli.outages.icmp import IcmpAsker
from ocf_aws.cli.outages.target import Asker
from ocf_aws.cli.outages.tcp import TcpAsker


@dataclass(frozen=True)
class Destination:
    """An IPv4 or IPv6 address. port: None to ask by ICMP. sockaddr: as the kernel has it."""

    address: str
    port: int | None
    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    @property
    def name(self) -> str:
        """As it is told: 192.0.2.1, 192.0.2.1:22, [2001:db8::1]:22."""
        if self.port is None:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def protocol(self) -> str:
        """ICMP or TCP."""
        return "ICMP" if self.port is None else "TCP"

    def asker(self) -> Asker:
        """The way to ask it. Raises OSError: PermissionError where ICMP is not allowed to this user."""
        if self.port is None:
            return IcmpAsker(self.family, self.sockaddr)
        return TcpAsker(self.family, self.sockaddr)


def is_literal(word: str) -> bool:
    """Whether a word is meant as an address: the name of a resource is an XML id, which begins with a letter or _."""
    return ":" in word or not (word[:1].isalpha() or word.startswith("_"))


def parse_destination(word: str, port: int | None = None) -> Destination:
    """ADDRESS, ADDRESS:PORT or [IPV6]:PORT. port: where the word has none. Raises ValueError with what is wrong."""
    address, own_port = _split(word)
    if own_port is not None and port is not None and own_port != port:
        raise ValueError(f"'{word}' names port {own_port}, and --port names {port}")
    port = own_port if own_port is not None else port
    try:
        found = socket.getaddrinfo(address, port or 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        # getaddrinfo() takes 10.1 for 10.0.0.1; nobody means it.
        if ":" not in address and address.count(".") != 3:
            raise OSError
    except (OSError, UnicodeError):
        raise ValueError(f"'{word}' is not an IPv4 or IPv6 address: names are not looked up") from None
    family: socket.AddressFamily = found[0][0]
    sockaddr: tuple[Any, ...] = found[0][4]
    ip = ipaddress.ip_address(str(sockaddr[0]).partition("%")[0])
    if ip.is_unspecified or ip.is_multicast:
        raise ValueError(f"'{word}' is not the address of one host")
    if family == socket.AF_INET6 and ip.is_link_local and not sockaddr[3]:
        raise ValueError(f"'{word}' is link-local: name the link too, as in {ip}%ens5")
    return Destination(str(sockaddr[0]), port, family, sockaddr)


def parse_port(text: str) -> int:
    """A TCP port. Raises ValueError with what is wrong."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise ValueError(f"'{text}' is not a port: 1 to 65535")
    return int(text)


def _split(word: str) -> tuple[str, int | None]:
    """The address and the port in a word."""
    address, colon, text = word, "", ""
    if word.startswith("["):
        address, bracket, rest = word[1:].partition("]")
        colon, text = rest[:1], rest[1:]
        if not bracket or colon not in ("", ":"):
            raise ValueError(f"'{word}' is not [IPV6] or [IPV6]:PORT")
    elif word.count(":") == 1:
        address, colon, text = word.partition(":")
    try:
        return address, parse_port(text) if colon else None
    except ValueError as error:
        raise ValueError(f"'{word}': {error}") from None
