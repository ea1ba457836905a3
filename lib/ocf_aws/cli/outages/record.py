"""What a client has seen of some addresses: who answered, and when nobody did.

A `Recorder` makes a `Record` of what its client reports; `timeline` and `picture` tell it to people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MINIMUM = 0.05
"""Seconds: a shorter time without an answer is no outage, but a busy machine."""


@dataclass(frozen=True)
class Stretch:
    """A time in which one host answered at an address, or nobody did."""

    address: str
    host: str | None
    start: float
    """When its first probe was sent that was answered (wall clock, seconds); of a silence: the last one before it."""

    end: float
    """The same of the last one; of a silence: of the first one after it, or the last report."""

    probes: int
    """Probes that were answered; of a silence: that were lost, or are without an answer yet."""

    errors: tuple[str, ...] = ()
    """What the network said to the probes that were not answered (ICMP, no route)."""


@dataclass(frozen=True)
class Outage:
    """A time in which nobody answered at an address that had been answering."""

    address: str
    start: float
    """When the last probe before it was sent that was answered (wall clock, seconds)."""

    end: float
    """The same of the first one after it, or the last report while it goes on."""

    before: str
    after: str | None
    """The hosts that answered before and after it; None while it goes on."""

    probes: int
    """Probes that were lost: few in a long outage mean a client that was held up."""

    errors: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long nobody answered, by the clock of the client."""
        return self.end - self.start


@dataclass(frozen=True)
class Record:
    """All that a client has seen, as values."""

    stretches: dict[str, tuple[Stretch, ...]]
    """By address, in the order of time and without a hole, from the first probe on."""

    stalls: tuple[tuple[float, float], ...] = ()
    """Times at which the client itself was late, and by how many seconds."""

    @property
    def start(self) -> float:
        """When the first probe was sent (wall clock, seconds; 0 without any)."""
        return min((s[0].start for s in self.stretches.values() if s), default=0.0)

    @property
    def end(self) -> float:
        """When the last report was written (wall clock, seconds; 0 without any)."""
        return max((s[-1].end for s in self.stretches.values() if s), default=0.0)

    def answers(self, address: str, minimum: float = MINIMUM) -> list[Stretch]:
        """Who answered at the address, one after the other.

        Stretches of one host without an outage of `minimum` seconds between them are one.
        """
        joined: list[Stretch] = []
        cuts = {outage.start for outage in self.outages(minimum=minimum, address=address)}
        for now in self.stretches[address]:
            if now.host is None:
                continue
            last = joined[-1] if joined else None
            if last and last.host == now.host and last.end not in cuts:
                probes = last.probes + now.probes
                now = Stretch(address, now.host, last.start, now.end, probes)
                joined.pop()
            joined.append(now)
        return joined

    def outages(self, since: float = 0.0, minimum: float = MINIMUM, address: str | None = None) -> list[Outage]:
        """Times without an answer, in their order.

        Args:
            since: those that had ended by then are left out (wall clock, seconds).
            minimum: shorter ones are left out (seconds).
            address: those of this address only.
        """
        wanted = self.stretches if address is None else (address,)
        found = [outage for a in wanted for outage in _outages(self.stretches[a])]
        return sorted(
            (o for o in found if o.seconds >= minimum and o.end >= since),
            key=lambda outage: outage.start,
        )

    def observed(self, address: str) -> float:
        """Seconds since the first answer of the address; 0 without any."""
        first = next((stretch.start for stretch in self.stretches[address] if stretch.host), None)
        return 0.0 if first is None else self.end - first

    def availability(self, address: str, minimum: float = MINIMUM) -> float:
        """The part of the time in which somebody answered at an address, from the first answer on; 0 without any."""
        lost = sum(outage.seconds for outage in self.outages(minimum=minimum, address=address))
        observed = self.observed(address)
        return 1 - lost / observed if observed else 0.0


class Recorder:
    """Makes a record of what is reported. addresses: in the order in which they are told."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.stretches: dict[str, list[Stretch]] = {address: [] for address in addresses}
        self.stalls: list[tuple[float, float]] = []

    def take(self, stretch: Stretch) -> None:
        """Take a report. That of the same stretch, longer by now, replaces the one before."""
        known = self.stretches[stretch.address]
        if known and (known[-1].host, known[-1].start) == (stretch.host, stretch.start):
            known.pop()
        known.append(stretch)

    def stalled(self, end: float, late: float) -> None:
        """The client itself was late: until when (wall clock), and by how many seconds."""
        self.stalls.append((end, late))

    @property
    def record(self) -> Record:
        """All so far."""
        return Record({address: tuple(of) for address, of in self.stretches.items()}, tuple(self.stalls))


def _outages(stretches: tuple[Stretch, ...]) -> Iterator[Outage]:
    # The silence before the first answer is none: there was no service to lose yet.
    for place, silent in enumerate(stretches[1:], 1):
        before = stretches[place - 1].host
        if silent.host is None and before is not None:
            after = stretches[place + 1].host if place + 1 < len(stretches) else None
            if after == before and not silent.probes:
                # All was answered, and by the same host: it was late, because it had to wait for a processor.
                continue
            yield Outage(
                silent.address,
                silent.start,
                silent.end,
                before,
                after,
                silent.probes,
                silent.errors,
            )
