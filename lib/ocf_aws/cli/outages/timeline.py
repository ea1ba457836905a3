"""A failover as text: what the operator did, and what the client saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ocf_aws.cli.outages.record import MINIMUM, Record


@dataclass(frozen=True)
class Event:
    """Something that the operator did."""

    time: float
    """Wall clock, seconds."""

    text: str


def origin(record: Record, events: Iterable[Event]) -> float:
    """When the first probe was sent or the first event was (wall clock, seconds)."""
    times = [event.time for event in events] + [record.start] * bool(record.end)
    return min(times, default=0.0)


def length(seconds: float) -> str:
    """A length of time with a sensible number of digits: 0.05 s, 12.3 s, 125 s."""
    digits = 2 if seconds < 9.995 else 1 if seconds < 99.95 else 0
    return f"{seconds:.{digits}f} s"


def summary(record: Record, address: str, minimum: float = MINIMUM) -> str:
    """How often and how long nobody answered at an address."""
    outages = record.outages(minimum=minimum, address=address)
    if not record.answers(address):
        return "no answer"
    if not outages:
        return "no outage"
    longest = length(max(outage.seconds for outage in outages))
    if len(outages) == 1:
        return f"1 outage, {longest}"
    return f"{len(outages)} outages, longest {longest}"


def as_text(record: Record, events: Iterable[Event] = (), minimum: float = MINIMUM) -> str:
    """The timeline as lines of text, and a line for every address that sums it up.

    Args:
        record: what the client saw.
        events: what the operator did.
        minimum: seconds from which on a time without an answer is told.
    """
    events = list(events)
    zero = origin(record, events)
    width = max(map(len, record.stretches), default=0)
    rows = [(event.time, f"* {event.text}") for event in events]
    for time, late in record.stalls:
        rows.append((time, f"! the client itself stood still for {length(late)}"))
    for address in record.stretches:
        for time, text in _told(record, address, minimum):
            rows.append((time, f"  {address:{width}}  {text}"))
    rows.sort(key=lambda row: row[0])
    lines = [f"{time - zero:8.2f} s  {text}" for time, text in rows]
    lines.append("")
    for address in record.stretches:
        lines.append(f"{'':12}  {address:{width}}  {summary(record, address, minimum)}")
    return "\n".join(lines) + "\n"


def _told(record: Record, address: str, minimum: float) -> Iterator[tuple[float, str]]:
    """The times and the texts of the changes at an address."""
    found = record.outages(minimum=minimum, address=address)
    outages = {outage.end: outage for outage in found}
    before: str | None = None
    for stretch in record.answers(address, minimum):
        outage = outages.pop(stretch.start, None)
        if outage:
            yield (
                stretch.start,
                (f"{stretch.host} answers, after {length(outage.seconds)} of silence{errors_text(outage.errors)}"),
            )
        elif stretch.host != before:
            yield stretch.start, f"{stretch.host} answers"
        before = stretch.host
    for outage in outages.values():
        silence = length(outage.seconds)
        yield outage.start, f"nobody answers, for {silence} so far{errors_text(outage.errors)}"
    if before is None:
        yield record.end, "nobody has answered"


def errors_text(errors: tuple[str, ...]) -> str:
    """What the network said, in parentheses; nothing where it said nothing."""
    return f" ({', '.join(errors)})" if errors else ""
