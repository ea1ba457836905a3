"""What a whole measurement comes to: a line for people, a dictionary for scripts."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ocf_aws.cli.outages.destination import Destination
from ocf_aws.cli.outages.record import Outage, Record
from ocf_aws.cli.outages.timeline import Event, length


def as_line(record: Record, address: str, minimum: float) -> str:
    """How often and how long nobody answered, and the part of the time in which somebody did."""
    observed = record.observed(address)
    if not observed:
        return f"no answer in {length(record.end - record.start)}"
    outages = record.outages(minimum=minimum, address=address)
    if not outages:
        return f"no outage in {length(observed)}"
    lost = [outage.seconds for outage in outages]
    told = f"1 outage, {length(lost[0])}"
    if len(lost) > 1:
        told = f"{len(lost)} outages, longest {length(max(lost))}, together {length(sum(lost))}"
    if outages[-1].after is None:
        told += ", the last one goes on" if len(lost) > 1 else ", it goes on"
    return f"{told}; available {percent(record.availability(address, minimum))} of {length(observed)}"


def percent(part: float) -> str:
    """A part as a percentage, with so many digits that less than all does not read as all."""
    for digits in range(2, 7):
        text = f"{100 * part:.{digits}f}"
        if part == 1 or float(text) < 100:
            break
    return f"{text} %"


def as_dict(record: Record, destination: Destination, minimum: float, events: list[Event]) -> dict[str, Any]:
    """What JSON tells of an address. minimum: as of a record's outages. events: what the cluster said meanwhile."""
    name = destination.name
    outages = record.outages(minimum=minimum, address=name)
    return {
        "address": destination.address,
        "port": destination.port,
        "protocol": destination.protocol.lower(),
        "start": _iso(record.start),
        "end": _iso(record.end),
        "observed_seconds": round(record.observed(name), 3),
        "answers": [
            {"host": _host(each.host, name), "start": _iso(each.start), "end": _iso(each.end), "probes": each.probes}
            for each in record.answers(name, minimum)
        ],
        "outages": [_outage(outage, name) for outage in outages],
        "longest_seconds": round(max((outage.seconds for outage in outages), default=0.0), 3),
        "outage_seconds": round(sum((outage.seconds for outage in outages), 0.0), 3),
        "availability": record.availability(name, minimum) if record.observed(name) else None,
        "stalls": [{"end": _iso(end), "seconds": round(late, 3)} for end, late in record.stalls],
        "events": [{"time": _iso(event.time), "text": event.text} for event in events],
    }


def _outage(outage: Outage, name: str) -> dict[str, Any]:
    return {
        "start": _iso(outage.start),
        "end": _iso(outage.end) if outage.after else None,
        "seconds": round(outage.seconds, 3),
        "before": _host(outage.before, name),
        "after": _host(outage.after, name),
        "lost_probes": outage.probes,
        "errors": list(outage.errors),
    }


def _host(host: str | None, name: str) -> str | None:
    """A host by its name; None where the address stands for it."""
    return None if host == name else host


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat("T", "milliseconds").replace("+00:00", "Z")
