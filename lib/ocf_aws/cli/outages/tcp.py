"""Asks by opening a TCP connection; a service that greets tells by its greeting who it is."""

from __future__ import annotations

import errno
import re
import selectors
import socket
import struct
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from ocf_aws.cli.outages.neighbour import find_mac
from ocf_aws.cli.outages.target import TIMEOUT, Listener

# A reset in place of the FIN: a hundred closed connections a second would leave 6,000 of them in TIME_WAIT (tcp(7)).
_RESET_AT_CLOSE = struct.pack("@ii", 1, 0)
_TIME_OF_DAY = re.compile(r"\d\d:\d\d(:\d\d)?")
_GREETING_LENGTH = 40


@dataclass
class _Probe:
    """A connection. arrived: when it was established."""

    sequence: int
    sent: float
    arrived: float = 0.0


class TcpAsker:
    """Asks one port.

    The first connections show whether the service greets. If it does, the greeting is the answer: a service that accepts and
    says nothing more does not answer. If it does not, the connection is the answer.
    """

    def __init__(self, family: socket.AddressFamily, destination: tuple[Any, ...]) -> None:
        self._family = family
        self._destination = destination
        self._probes: dict[socket.socket, _Probe] = {}
        self._greets: bool | None = None
        self._held: tuple[_Probe, str] | None = None
        self._is_named: bool | None = None

    def open(self, selector: selectors.BaseSelector, listener: Listener) -> None:
        """See Asker."""
        self._selector, self._listener = selector, listener

    def ask(self, sequence: int, sent: float) -> None:
        """See Asker."""
        sock = socket.socket(self._family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        number = sock.connect_ex(self._destination)
        if number not in (0, errno.EINPROGRESS):
            sock.close()
            raise OSError(number, "connect")
        self._probes[sock] = _Probe(sequence, sent)
        self._selector.register(sock, selectors.EVENT_WRITE, partial(self._connected, sock))

    def expire(self, now: float) -> None:
        """See Asker."""
        late = [sock for sock, probe in self._probes.items() if now - probe.sent > TIMEOUT]
        if self._greets is None and any(self._probes[sock].arrived for sock in late):
            self._greets = False
            late += [sock for sock, probe in self._probes.items() if probe.arrived and sock not in late]
        for sock in late:
            probe = self._drop(sock)
            if probe.arrived and self._greets is False:
                self._listener.answered(probe.sequence, probe.sent, probe.arrived, None)
            else:
                self._listener.refused(errno.ETIMEDOUT, probe.sequence)

    def find_neighbour(self) -> str | None:
        """See Asker."""
        return find_mac(self._family, self._destination[0])

    def close(self) -> None:
        """See Asker."""
        for sock in list(self._probes):
            self._drop(sock)

    def _connected(self, sock: socket.socket) -> None:
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        probe = self._probes[sock]
        if number:
            self._drop(sock)
            self._listener.refused(number, probe.sequence)
            return
        probe.arrived = time.time()
        if self._greets is False:
            self._drop(sock)
            self._listener.answered(probe.sequence, probe.sent, probe.arrived, None)
        else:
            self._selector.modify(sock, selectors.EVENT_READ, partial(self._greeted, sock))

    def _greeted(self, sock: socket.socket) -> None:
        try:
            greeting = sock.recv(512)
        except OSError as error:
            self._listener.refused(error.errno, self._drop(sock).sequence)
            return
        probe = self._drop(sock)
        probe.arrived = time.time()
        if not greeting and self._greets:
            self._listener.refused(errno.ECONNRESET, probe.sequence)
            return
        # A service may close at once and without a word, as one behind tcpd does.
        self._greets = self._greets or bool(greeting)
        self._take(probe, _readable(greeting))

    def _take(self, probe: _Probe, name: str) -> None:
        """Tell of an answer. Where the first two greetings differ, by a random number or a counter, they name nobody."""
        if self._is_named is None:
            if self._held is None:
                self._held = (probe, name)
                return
            self._is_named = name == self._held[1]
            self._tell(*self._held)
        self._tell(probe, name)

    def _tell(self, probe: _Probe, name: str) -> None:
        self._listener.answered(probe.sequence, probe.sent, probe.arrived, name if self._is_named else None)

    def _drop(self, sock: socket.socket) -> _Probe:
        self._selector.unregister(sock)
        sock.close()
        return self._probes.pop(sock)


def _readable(greeting: bytes) -> str:
    """The first line of a greeting without the time of day, as far as it can be read."""
    line = greeting.decode(errors="replace").partition("\n")[0]
    text = "".join(character for character in line if character.isprintable() and character != "\ufffd")
    return " ".join(_TIME_OF_DAY.sub("", text).split())[:_GREETING_LENGTH]
