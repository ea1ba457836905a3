#!/usr/bin/python3
"""Answers every probe with the name of its host: with Python alone. Usage: responder.py [--port PORT] [--name NAME]

A probe is a UDP datagram; the answer repeats it and adds the name.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import socket
import struct
from typing import NoReturn

PORT = 7007

MARK, SIZE = b"ocf-aws?", 32
"""How a probe begins, and its length: see ocf_aws.cli.outages.echo."""

# <linux/in.h>: not in the socket module of 3.11.
IP_PKTINFO = 8
IN_PKTINFO = struct.Struct("@i4s4s")
IN6_PKTINFO = struct.Struct("@16si")
ANCILLARY = 256


def udp_socket(family: int) -> socket.socket:
    """A UDP socket that never waits; an IPv6 one leaves IPv4 to the other."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def respond(port: int, name: str) -> NoReturn:
    """Answer every probe for ever, from the very address that was asked.

    The sockets are bound to the wildcard: an address that is added later answers at
    once, one that is removed no more.
    """
    sockets = [udp_socket(socket.AF_INET), udp_socket(socket.AF_INET6)]
    for sock in sockets:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.bind(("", port))
    while True:
        for sock in select.select(sockets, [], [])[0]:
            # An answer fails when the address or the route went away under it.
            with contextlib.suppress(OSError):
                answer(sock, name.encode())


def answer(sock: socket.socket, name: bytes) -> None:
    """Answer the probe that waits on the socket. Raises OSError."""
    # One byte more than a probe: an answer must never be taken for one, nor answered.
    probe, ancillary, _, client = sock.recvmsg(SIZE + 1, ANCILLARY)
    if len(probe) == SIZE and probe.startswith(MARK):
        sock.sendmsg([probe, name], [source_of_answer(*ancillary[0])], 0, client)


def source_of_answer(level: int, kind: int, packed: bytes) -> tuple[int, int, bytes]:
    """Ancillary data to send from the address that was asked.

    The link is left to the routing rules: the way back may be another one.
    """
    if level == socket.IPPROTO_IP:
        _, _, asked = IN_PKTINFO.unpack(packed)
        return level, kind, IN_PKTINFO.pack(0, asked, bytes(4))
    asked, _ = IN6_PKTINFO.unpack(packed)
    return level, kind, IN6_PKTINFO.pack(asked, 0)


def main() -> None:
    """The command line; see the text of this module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--name", default=socket.gethostname(), help="of this host")
    arguments = parser.parse_args()
    # A cluster starting on the same processors must not look like an outage.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with contextlib.suppress(KeyboardInterrupt):
        respond(arguments.port, arguments.name)


if __name__ == "__main__":
    main()
