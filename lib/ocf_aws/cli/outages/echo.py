"""Asks with a datagram that the other side repeats; subclasses know what it is wrapped in."""

from __future__ import annotations

import contextlib
import secrets
import selectors
import socket
import struct
import time
from typing import Any

from ocf_aws.cli.outages.target import Listener

PACKET = struct.Struct("!8s8sQQ")
"""Mark, run (random), sequence number, time of sending in nanoseconds."""

MARK = b"ocf-aws?"

# <linux/in.h>, <linux/in6.h>, <asm-generic/socket.h>: not in the socket module of 3.11.
_IP_RECVERR, _IPV6_RECVERR, _SO_TIMESTAMPNS = 11, 25, 35
_TIMESPEC = struct.Struct("@ll")
_SIZE = 512


class Echo:
    """Asks over one socket.

    Args:
        sock: not connected.
        destination: address and port, as the kernel writes them: the source of each answer is compared with it.
    """

    def __init__(self, sock: socket.socket, destination: tuple[Any, ...]) -> None:
        self._socket = sock
        self._destination = destination
        self._key = MARK + secrets.token_bytes(8)
        sock.setblocking(False)
        # The time of arrival is the kernel's: a client that had to wait for a processor must not take its own lateness
        # for an outage.
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        # Without it the kernel keeps ICMP errors from a socket that is not connected.
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)

    def open(self, selector: selectors.BaseSelector, listener: Listener) -> None:
        """See Asker."""
        self._listener = listener
        selector.register(self._socket, selectors.EVENT_READ, self.hear)

    def ask(self, sequence: int, sent: float) -> None:
        """See Asker."""
        packet = PACKET.pack(self._key[:8], self._key[8:], sequence, int(sent * 1e9))
        self._socket.sendto(self.wrap(sequence, packet), self._destination)

    def expire(self, now: float) -> None:
        """See Asker; here nothing hangs."""

    def find_neighbour(self) -> str | None:
        """See Asker."""
        return None

    def close(self) -> None:
        """See Asker."""
        self._socket.close()

    def wrap(self, sequence: int, packet: bytes) -> bytes:
        """The datagram to send."""
        return packet

    def answering_host(self, datagram: bytes, start: int) -> str | None:
        """Who answers, "" where it is not told; None where this is no answer. start: of the packet in the datagram."""
        return ""

    def hear(self) -> None:
        """Take all that has arrived: answers, and errors from routers and hosts."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take_error(*self._socket.recvmsg(_SIZE, _SIZE, socket.MSG_ERRQUEUE)[:2])
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    self._take_answer(*self._socket.recvmsg(_SIZE, _SIZE))
                except BlockingIOError:
                    raise
                except OSError as error:
                    self._listener.refused(error.errno)

    def _take_answer(self, datagram: bytes, ancillary: list[Any], _flags: int, source: Any) -> None:
        arrived = time.time()
        for level, kind, packed in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = _TIMESPEC.unpack(packed)
                arrived = seconds + nanoseconds / 1e9
        found = self._find(datagram)
        if found is None or source[:2] != self._destination[:2]:
            return
        start, sequence, sent = found
        host = self.answering_host(datagram, start)
        if host is not None:
            self._listener.answered(sequence, sent, arrived, host or None)

    def _take_error(self, datagram: bytes, ancillary: list[Any]) -> None:
        found = self._find(datagram)
        for _, kind, packed in ancillary:
            if kind in (_IP_RECVERR, _IPV6_RECVERR):
                self._listener.refused(struct.unpack_from("@I", packed)[0], found[1] if found else 0)

    def _find(self, datagram: bytes) -> tuple[int, int, float] | None:
        """Where in a datagram a packet of this run begins, its sequence number, and when it was sent."""
        start = datagram.find(self._key)
        if start < 0 or len(datagram) < start + PACKET.size:
            return None
        _, _, sequence, sent = PACKET.unpack_from(datagram, start)
        return start, sequence, sent / 1e9
