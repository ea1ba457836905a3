#!/usr/bin/python3
"""Who answers at an address, and for how long nobody does: with Python alone.

    probe.py respond           on every node: answers probes with the name of its host
    probe.py watch ADDRESS...  on the client: probes addresses, writes what it sees

A probe is a UDP datagram; the answer repeats it and adds the host's name. `watch` cuts
the time of every address into stretches, in each of which one host answers or nobody
does, and writes them as lines of JSON: the old stretch as it ended and the new one as
soon as the state changes, and every open stretch ten times a second. It ends when its
standard input does, so that it never outlives the one who reads it.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import secrets
import select
import signal
import socket
import struct
import sys
import time
from typing import Any, NoReturn

PORT = 7007
INTERVAL = 0.01
"""Seconds between two probes of an address."""
SILENCE = 0.03
"""Seconds without an answer from which on an address counts as not answering."""
STALE = 0.5
"""Seconds after which an answer says nothing any more about who has the address."""
REPORT = 0.1
"""Seconds between two reports of the open stretches."""

PROBE = struct.Struct("!8s8sQQ")
"""Mark, run (random), sequence number, time of sending in nanoseconds."""
SIZE, MARK = PROBE.size, b"vpclab?\n"

# <linux/in.h>, <linux/in6.h>, <asm-generic/socket.h>: not in the socket module of 3.11.
IP_PKTINFO, IP_RECVERR, IPV6_RECVERR, SO_TIMESTAMPNS = 8, 11, 25, 35
IN_PKTINFO = struct.Struct("@i4s4s")
IN6_PKTINFO = struct.Struct("@16si")
TIMESPEC = struct.Struct("@ll")
ANCILLARY = 256


def udp_socket(family: int) -> socket.socket:
    """A UDP socket that never waits; an IPv6 one leaves IPv4 to the other."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


# ------------------------------------------------------------------------- responder


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


# ---------------------------------------------------------------------------- client


class Target:
    """One address that is probed, and its present stretch.

    Args:
        address: IPv4 or IPv6 address.
        port: port of the responders.
        now: the wall clock, in seconds.
    """

    def __init__(self, address: str, port: int, now: float) -> None:
        self.address = address
        destination = ipaddress.ip_address(address)
        self.socket = self._open(destination.version)
        # As the kernel writes it, for this is compared with the source of the answers.
        self._destination = (str(destination), port)
        self._run = secrets.token_bytes(8)
        self._sent = self._answered = 0
        self._asked_in_vain = 0
        self._errors: set[str] = set()
        self._host: str | None = None
        self._start = self._last = now
        self._count = 0

    @staticmethod
    def _open(version: int) -> socket.socket:
        sock = udp_socket(socket.AF_INET if version == 4 else socket.AF_INET6)
        # The time of arrival is the kernel's: a client that had to wait for a processor
        # must not take its own lateness for an outage.
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        # Without it the kernel keeps ICMP errors from a socket that is not connected.
        if version == 4:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        return sock

    def probe(self) -> None:
        """Send one probe; a network that refuses it is noted, no more."""
        self._sent += 1
        self._asked_in_vain += 1
        probe = PROBE.pack(MARK, self._run, self._sent, time.time_ns())
        try:
            self.socket.sendto(probe, self._destination)
        except OSError as error:
            self._note(error.errno)

    def hear(self) -> None:
        """Take all that has arrived: answers, and errors from routers and hosts."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take_error(*self.socket.recvmsg(512, 512, socket.MSG_ERRQUEUE))
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    self._take_answer(*self.socket.recvmsg(512, ANCILLARY))
                except BlockingIOError:
                    raise
                except OSError as error:
                    self._note(error.errno)

    def judge(self, now: float) -> None:
        """Close the stretch of the host that has fallen silent.

        Two probes at least must have been in vain: where none was sent, because this
        process did not run, the absence of answers says nothing.
        """
        if self._host and now - self._last >= SILENCE and self._asked_in_vain >= 2:
            self._change(None, self._last)

    def report(self, end: float, lost: int | None = None) -> None:
        """Write the present stretch; the end of one that answers is its last answer.

        lost: how many probes of a silence were lost, once it is known; else all that have no answer yet are told.
        """
        silent = self._host is None
        if lost is None:
            lost = self._sent - self._answered
        write(
            address=self.address,
            host=self._host,
            start=self._start,
            end=end if silent else self._last,
            probes=lost if silent else self._count,
            errors=sorted(self._errors) if silent else [],
        )

    def _take_answer(self, packet: bytes, ancillary: list[Any], _flags: int, source: Any) -> None:
        arrived = time.time()
        for level, kind, packed in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = TIMESPEC.unpack(packed)
                arrived = seconds + nanoseconds / 1e9
        if len(packet) <= SIZE or source[:2] != self._destination:
            return
        mark, run, sequence, sent = PROBE.unpack_from(packet)
        if (mark, run) != (MARK, self._run) or sequence <= self._answered:
            return
        if arrived - sent / 1e9 > STALE:
            return
        self.judge(arrived)
        host = packet[SIZE:].decode(errors="replace")
        if host != self._host:
            # On the one way of this network nothing overtakes: what was asked before and has no answer now gets none.
            self._change(host, arrived, sequence - self._answered - 1)
        self._answered, self._last = sequence, arrived
        self._count += 1
        self._asked_in_vain = 0
        self._errors.clear()

    def _take_error(self, packet: bytes, ancillary: list[Any], _flags: int, _source: Any) -> None:
        # An error may come seconds after its probe, as ARP gives up late.
        if len(packet) >= SIZE:
            if PROBE.unpack_from(packet)[2] <= self._answered:
                return
        for _, kind, packed in ancillary:
            if kind in (IP_RECVERR, IPV6_RECVERR):
                self._note(struct.unpack_from("@I", packed)[0])

    def _note(self, number: int | None) -> None:
        self._errors.add(os.strerror(number or 0))

    def _change(self, host: str | None, now: float, lost: int | None = None) -> None:
        self.report(now, lost)
        self._host, self._start, self._count = host, now, 0
        if host:
            self._last = now
            self.report(now)
        else:
            self.report(time.time())


def watch(addresses: list[str], port: int, interval: float) -> None:
    """Probe the addresses every `interval` seconds until the standard input ends."""
    targets = {t.socket: t for t in (Target(a, port, time.time()) for a in addresses)}
    due = time.monotonic()
    reported = 0.0
    try:
        while True:
            wait = max(0.0, due - time.monotonic())
            ready = select.select([*targets, sys.stdin], [], [], wait)[0]
            if sys.stdin in ready and not os.read(sys.stdin.fileno(), 512):
                return
            for sock in ready:
                if sock in targets:
                    targets[sock].hear()
            late = time.monotonic() - due
            if late < 0:
                continue
            for target in targets.values():
                target.judge(time.time())
                target.probe()
            if late > SILENCE:
                write(stalled=late, end=time.time())
            due += interval if late < interval else late + interval
            if due + interval - reported > REPORT:
                report_all(targets)
                reported = due
    finally:
        report_all(targets)


def report_all(targets: dict[socket.socket, Target]) -> None:
    """Write the open stretch of every address, as of now."""
    now = time.time()
    for target in targets.values():
        target.report(now)


def write(**line: Any) -> None:
    """Write one line of JSON at once."""
    os.write(sys.stdout.fileno(), json.dumps(line).encode() + b"\n")


# --------------------------------------------------------------------------- command


def main() -> None:
    """The command line; see the text of this module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--interval", type=float, default=INTERVAL, metavar="SECONDS")
    parser.add_argument("--name", default=socket.gethostname(), help="of this host")
    parser.add_argument("mode", choices=["respond", "watch"])
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS")
    arguments = parser.parse_args()
    # A cluster starting on the same processors must not look like an outage.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        if arguments.mode == "respond":
            respond(arguments.port, arguments.name)
        watch(arguments.addresses, arguments.port, arguments.interval)


if __name__ == "__main__":
    main()
