"""One address that is asked again and again, and its present stretch: who answers, or that nobody does.

A probe belongs to the time at which it was sent, however late its answer comes. So a probe that hangs delays no other, and
an answer that is only late is no outage.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable
from typing import Protocol

from ocf_aws.cli.outages.record import Stretch

INTERVAL = 0.01
"""Seconds between two probes of an address."""

SILENCE = 0.03
"""Seconds without an answer from which on an address counts as not answering, where the interval is no longer."""

TIMEOUT = 0.5
"""Seconds after which a probe counts as lost. A lost SYN is sent again after one second (RFC 6298, 2.1): an answer to that
one must not pass for an answer to the first."""

_NEIGHBOUR_SECONDS = 1.0
"""Between two looks at who the neighbour is."""


class Listener(Protocol):
    """Whoever wants to hear what becomes of probes."""

    def answered(self, sequence: int, sent: float, arrived: float, host: str | None) -> None:
        """A probe was answered. host: who answered, None where the answer does not tell."""

    def refused(self, number: int | None, sequence: int = 0) -> None:
        """The network, or a host, has said this (errno) to a probe; sequence: 0 where it is not told which."""


class Asker(Protocol):
    """A way to ask at one address."""

    def open(self, selector: selectors.BaseSelector, listener: Listener) -> None:
        """Register what is to be read; the key of each has a function to call as its data."""

    def ask(self, sequence: int, sent: float) -> None:
        """Send one probe. Raises OSError where it cannot be sent."""

    def expire(self, now: float) -> None:
        """Give up the probes that are older than TIMEOUT."""

    def find_neighbour(self) -> str | None:
        """The link-layer address of the host, None where it is not on link."""

    def close(self) -> None:
        """Close all that is open."""


class Target:
    """One address that is asked.

    Args:
        name: by which the address is told.
        asker: how it is asked.
        report: called with each stretch when it begins, when it ends, and as it grows.
        interval: seconds between two probes.
    """

    def __init__(self, name: str, asker: Asker, report: Callable[[Stretch], None], interval: float = INTERVAL) -> None:
        self.name = name
        self._asker = asker
        self._report = report
        self._silence = silence_of(interval)
        self._sent = self._answered = 0
        self._asked_in_vain = 0
        self._errors: set[str] = set()
        self._host: str | None = None
        # The stretch's first probe, its last probe that was answered, and when an answer last arrived.
        self._start = self._last = self._heard = time.time()
        self._count = 0
        self._neighbour: str | None = None
        self._next_look = 0.0

    def open(self, selector: selectors.BaseSelector) -> None:
        """Get ready to ask. Raises OSError."""
        self._asker.open(selector, self)

    def close(self) -> None:
        """Ask no more."""
        self._asker.close()

    def ask(self, now: float) -> None:
        """Send one probe; a network that refuses it is noted, no more."""
        self._sent += 1
        self._asked_in_vain += 1
        try:
            self._asker.ask(self._sent, now)
        except OSError as error:
            self.refused(error.errno)

    def judge(self, now: float) -> None:
        """Close the stretch of the host that has fallen silent.

        Two probes at least must have been in vain: where none was sent, because this process did not run, the absence of
        answers says nothing.
        """
        self._asker.expire(now)
        if self._host and now - self._heard >= self._silence and self._asked_in_vain >= 2:
            self._change(None, self._last)

    def report(self, end: float, lost: int | None = None) -> None:
        """Report the present stretch; the end of one that answers is its last probe that was answered.

        lost: how many probes of a silence were lost, once it is known; else all that have no answer yet are told.
        """
        is_silent = self._host is None
        if lost is None:
            lost = self._sent - self._answered
        self._report(
            Stretch(
                self.name,
                self._host,
                self._start,
                end if is_silent else self._last,
                lost if is_silent else self._count,
                tuple(sorted(self._errors)) if is_silent else (),
            )
        )

    def answered(self, sequence: int, sent: float, arrived: float, host: str | None) -> None:
        """Take an answer; one that comes too late, or after that of a later probe, does not count."""
        if sequence <= self._answered or arrived - sent > TIMEOUT:
            return
        lost = sequence - self._answered - 1
        if self._host and lost >= 2 and sent - self._last >= self._silence:
            # The answers before were on their way for longer: there was none to these probes, and still no silence.
            self._change(None, self._last)
        host = host or self._neighbour_now(arrived) or self.name
        if host != self._host:
            self._change(host, sent, lost)
        self._answered, self._last, self._heard = sequence, sent, arrived
        self._count += 1
        self._asked_in_vain = 0
        self._errors.clear()

    def refused(self, number: int | None, sequence: int = 0) -> None:
        """Take an error; it may come seconds after its probe, as ARP gives up late."""
        if not sequence or sequence > self._answered:
            self._errors.add(os.strerror(number or 0))

    def _neighbour_now(self, now: float) -> str | None:
        if self._host is None or now >= self._next_look:
            self._neighbour = self._asker.find_neighbour()
            self._next_look = now + _NEIGHBOUR_SECONDS
        return self._neighbour

    def _change(self, host: str | None, now: float, lost: int | None = None) -> None:
        self.report(now, lost)
        self._host, self._start, self._count = host, now, 0
        if host:
            self._last = now
            self.report(now)
        else:
            self.report(time.time())


def silence_of(interval: float) -> float:
    """Seconds without an answer from which on an address counts as not answering."""
    return max(SILENCE, 2.5 * interval)
