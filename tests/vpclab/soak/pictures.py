"""The pictures of a soak: how long the outages were, by cause; and who answered when."""

from __future__ import annotations

from ocf_aws.cli.outages.picture import EDGE, HOSTS, STYLE, WIDTH, plain
from ocf_aws.cli.outages.text_metrics import shortened, text_width
from vpclab.soak.result import Result

_BOUNDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Seconds: where a bar of the histogram ends and the next one begins."""

_NAMES = 340
"""Width of the names of the causes."""

_ROW, _BAR = 50, 28
"""Height of a row of the histogram, and of its highest bar."""

_ROW_SECONDS = 600.0
"""About so many seconds are in a row of the timeline."""

_LANE, _NUMBERS = 18, 16
"""Height of an address in the timeline, and of the numbers of the events."""


def outages(result: Result) -> str:
    """How many outages were how long, a row for each cause."""
    drawing = _Drawing("How long nobody answered, by cause of the outage")
    width = (WIDTH - 2 * EDGE - _NAMES) / (len(_BOUNDS) + 1)
    counts = {cause: [0] * (len(_BOUNDS) + 1) for cause in result.causes}
    for outage, cause in result.outages:
        counts[cause][sum(outage.seconds >= bound for bound in _BOUNDS)] += 1
    highest = max((max(row) for row in counts.values()), default=0) or 1
    for cause, row in counts.items():
        drawing.text(EDGE, _ROW - 8, "ink", shortened(cause, _NAMES - 90))
        of = f"{sum(row)} in {sum(event.kind == cause for event in result.events)}"
        drawing.text(EDGE + _NAMES - 12, _ROW - 8, "pale", of, "end")
        drawing.box(EDGE + _NAMES, _ROW - 4, width * len(row), 1, "dot")
        for place, count in enumerate(row):
            if count:
                x, height = EDGE + _NAMES + place * width, _BAR * count / highest
                drawing.box(x + 4, _ROW - 4 - height, width - 8, height, "gone")
                drawing.text(x + width / 2, _ROW - 8 - height, "length", str(count), "middle")
        drawing.height += _ROW
    for place, bound in enumerate(_BOUNDS, 1):
        drawing.text(EDGE + _NAMES + place * width, 14, "pale", f"{bound:g} s", "middle")
    drawing.text(EDGE, 14, "pale", "cause: outages in events")
    drawing.height += 14
    return drawing.svg()


def timeline(result: Result) -> str:
    """Who answered at each address and when nobody did, in rows of the same length, with the numbers of the events."""
    drawing = _Drawing("Who answered, and when nobody did")
    hosts = sorted({stretch.host for of in result.record.stretches.values() for stretch in of if stretch.host})
    paints = {host: HOSTS[number % len(HOSTS)] for number, host in enumerate(hosts)}
    x = float(EDGE)
    for name, paint in {**paints, "nobody answers": "gone", "no answer yet": "idle"}.items():
        drawing.box(x, 0, 12, 12, paint)
        drawing.text(x + 18, 10, "pale", name)
        x += text_width(name) + 40
    drawing.text(x, 10, "pale", "1: event 1")
    drawing.height += 28
    rows = max(1, round(result.seconds / _ROW_SECONDS))
    seconds = max(result.seconds, 1.0) / rows
    for row in range(rows):
        _timeline_row(drawing, result, paints, result.record.start + row * seconds, seconds)
    return drawing.svg()


def _timeline_row(drawing: _Drawing, result: Result, paints: dict[str, str], start: float, seconds: float) -> None:
    left = EDGE + max(text_width(service.address) for service in result.services)
    scale = (WIDTH - EDGE - left) / seconds

    def place(time: float) -> float:
        return left + min(max(time - start, 0.0), seconds) * scale

    free = 0.0
    for event in result.events:
        if start <= event.start < start + seconds:
            x, number = place(event.start), str(event.number)
            drawing.box(x, _NUMBERS - 2, 1, (_LANE + 4) * len(result.services) + 4, "dot")
            if x >= free:
                drawing.text(x, _NUMBERS - 5, "pale", number, "middle")
                free = x + text_width(number) + 4
    drawing.height += _NUMBERS
    for service in result.services:
        drawing.text(EDGE, _LANE - 5, "ink", service.address)
        drawing.box(left, 0, place(result.record.end) - left, _LANE, "idle")
        for stretch in result.record.answers(service.address):
            if stretch.host and stretch.end > start and stretch.start < start + seconds:
                x = place(stretch.start)
                drawing.box(x, 0, place(stretch.end) - x, _LANE, paints[stretch.host])
        for outage in result.record.outages(address=service.address):
            if outage.end > start and outage.start < start + seconds:
                x = place(outage.start)
                drawing.box(x, -1, max(place(outage.end) - x, 2), _LANE + 2, "gone")
        drawing.height += _LANE + 4
    for step in range(5):
        time = start + seconds * step / 4
        anchor = ("start", "middle", "middle", "middle", "end")[step]
        drawing.text(place(time), 12, "pale", f"{(time - result.record.start) / 60:.1f} min", anchor)
    drawing.height += 30


class _Drawing:
    """An SVG that grows downwards: what is drawn is placed below `height`."""

    def __init__(self, title: str) -> None:
        self.height = float(EDGE)
        self._title = title
        self._shapes: list[str] = []
        self.text(EDGE, 14, "ink title", title)
        self.height += 30

    def text(self, x: float, y: float, kind: str, text: str, anchor: str = "start") -> None:
        """A text whose baseline is y below the height."""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{self.height + y:.1f}" class="{kind}" text-anchor="{anchor}">{plain(text)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, paint: str) -> None:
        """A rectangle; paint: a colour, or a class of the style."""
        fill = f'fill="{paint}"' if paint.startswith("#") else f'class="{paint}"'
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{self.height + y:.1f}" width="{width:.1f}" height="{height:.1f}" {fill}/>'
        )

    def svg(self) -> str:
        """The whole file."""
        height = self.height + EDGE
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
                f"<title>{plain(self._title)}</title>",
                f"<style>\n{STYLE}\n</style>",
                f'<rect width="{WIDTH}" height="{height:.0f}" rx="8" class="page"/>',
                *self._shapes,
                "</svg>\n",
            ]
        )
