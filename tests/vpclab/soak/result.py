"""What a soak has found: events, outages and failures as values, and which event explains which outage."""

from __future__ import annotations

from dataclasses import dataclass

from ocf_aws.cli.outages.record import Outage, Record
from vpclab.hosts.cluster import Failure
from vpclab.soak.services import Service

UNEXPLAINED = "no event"
CLIENT_STALL = "the client itself stood still"

_BEFORE = 0.1
"""Seconds: an outage begins with the last answer, which is a little older than the event."""


@dataclass(frozen=True)
class Event:
    """Something that was done to the lab."""

    number: int
    kind: str
    text: str
    start: float
    """Wall clock, seconds."""

    end: float
    """When everything was healthy again."""

    interrupts: frozenset[str]
    """The addresses that it may interrupt."""

    def explains(self, outage: Outage) -> bool:
        """Whether an outage may come from it."""
        return outage.address in self.interrupts and self.start - _BEFORE <= outage.start <= self.end


@dataclass(frozen=True)
class FailedAction:
    """An action that failed, and the event meanwhile."""

    failure: Failure
    kind: str


@dataclass(frozen=True)
class Result:
    """All of a soak."""

    seed: int
    services: tuple[Service, ...]
    record: Record
    events: tuple[Event, ...]
    failed: tuple[FailedAction, ...]
    looks: int
    """How often the kernels were looked at."""

    two_holders: tuple[tuple[float, str], ...]
    """When two nodes had an address (wall clock, seconds), and the address."""

    trouble: str | None
    """Why the soak ended before its time: something has not become healthy again."""

    @property
    def seconds(self) -> float:
        """How long the client has looked."""
        return self.record.end - self.record.start

    @property
    def unexplained(self) -> list[Outage]:
        """The outages that no event explains."""
        return [outage for outage, cause in self.outages if cause == UNEXPLAINED]

    @property
    def failed_agents(self) -> list[FailedAction]:
        """The failed actions of our agents; that of fencing may fail while EC2 does not answer."""
        ours = {service.resource for service in self.services}
        return [each for each in self.failed if each.failure.resource in ours]

    @property
    def keeps_promises(self) -> bool:
        """Whether nothing of what must not happen has happened."""
        return not (self.two_holders or self.unexplained or self.failed_agents or self.trouble)

    @property
    def outages(self) -> list[tuple[Outage, str]]:
        """All outages, each with its cause."""
        return [(outage, self.cause(outage)) for outage in self.record.outages()]

    @property
    def causes(self) -> list[str]:
        """The kinds of the events, in the order in which they came first; then what else has caused an outage."""
        kinds = dict.fromkeys(event.kind for event in self.events)
        return list(kinds | dict.fromkeys(cause for _, cause in self.outages))

    def cause(self, outage: Outage) -> str:
        """The kind of the event that explains an outage, else one of the two constants above."""
        for event in self.events:
            if event.explains(outage):
                return event.kind
        for end, late in self.record.stalls:
            if end - late <= outage.end and outage.start <= end:
                return CLIENT_STALL
        return UNEXPLAINED
