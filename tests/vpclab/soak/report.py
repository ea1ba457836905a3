"""The report of a soak: a page in Markdown, and its two pictures beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from ocf_aws.cli.outages.timeline import length
from vpclab.soak import pictures
from vpclab.soak.result import Result

PAGE, OUTAGES, TIMELINE = "report.md", "outages.svg", "timeline.svg"


def write(result: Result, directory: Path) -> Path:
    """Write page and pictures into a directory, which is made if need be. Returns the page."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / OUTAGES).write_text(pictures.outages(result))
    (directory / TIMELINE).write_text(pictures.timeline(result))
    page = directory / PAGE
    page.write_text(text(result))
    return page


def text(result: Result) -> str:
    """The page."""
    parts = [
        f"# Soak of {result.seconds / 60:.0f} minutes",
        f"Seed {result.seed}. {len(result.events)} events in a lab with two nodes in one zone, one overlay IP and one"
        " ENI. A client asks each address a hundred times a second.",
        "## Promises",
        promises(result),
        "## Availability",
        _table(
            ("resource", "address", "available", "outages", "median", "longest"),
            [
                (
                    f"`{service.resource}`",
                    service.address,
                    f"{result.record.availability(service.address):.2%}",
                    *_figures(each.seconds for each in result.record.outages(address=service.address)),
                )
                for service in result.services
            ],
        ),
        "The time from one event to the next is seconds here, and months on a real cluster: compare the outages, not the"
        " availability.",
        f"![Who answered, and when nobody did]({TIMELINE})",
        "## Outages by cause",
        _table(("cause", "events", "outages", "median", "longest", "failed actions"), _causes(result)),
        f"![How long nobody answered, by cause]({OUTAGES})",
    ]
    if result.failed:
        parts += ["## Failed actions", _table(("during", "resource", "action", "node", "reason"), _failed(result))]
    if result.unexplained:
        rows = [
            (each.address, f"{each.start - result.record.start:.1f} s", length(each.seconds))
            for each in result.unexplained
        ]
        parts += ["## Outages without a cause", _table(("address", "at", "for"), rows)]
    parts += ["## Events", _table(("number", "at", "recovered after", "event"), _events(result))]
    return "\n\n".join(parts) + "\n"


def promises(result: Result) -> str:
    """A table of what must not happen, and how often it did."""
    return _table(
        ("promise", "found"),
        [
            ("no two nodes have an address at the same time", _broken(len(result.two_holders), result.looks)),
            ("every outage comes from an event that may interrupt the address", _broken(len(result.unexplained))),
            ("no action of the agents fails", _broken(len(result.failed_agents))),
            ("everything recovers after each event", result.trouble or "kept"),
        ],
    )


def _broken(count: int, looks: int | None = None) -> str:
    """How often a promise was broken."""
    often = f"broken, {count} found" if count else "kept"
    return often if looks is None else f"{often} ({looks} looks at both kernels)"


def _causes(result: Result) -> list[tuple[str, ...]]:
    """A row for each cause, in the order of their first event; what is no event comes last."""
    rows: list[tuple[str, ...]] = []
    for cause in result.causes:
        seconds = [outage.seconds for outage, found in result.outages if found == cause]
        events = sum(event.kind == cause for event in result.events)
        failed = sum(each.kind == cause for each in result.failed)
        rows.append((cause, str(events), *_figures(seconds), str(failed)))
    return rows


def _figures(seconds: Iterable[float]) -> tuple[str, str, str]:
    """Number, median and maximum of some times."""
    known = list(seconds)
    return str(len(known)), length(median(known)) if known else "", length(max(known)) if known else ""


def _failed(result: Result) -> list[tuple[str, ...]]:
    return [
        (each.kind, f"`{each.failure.resource}`", each.failure.action, each.failure.node, each.failure.reason)
        for each in result.failed
    ]


def _events(result: Result) -> list[tuple[str, ...]]:
    return [
        (str(event.number), f"{event.start - result.record.start:.0f} s", length(event.end - event.start), event.text)
        for event in result.events
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in line)} |" for line in lines
    )
