"""A failover as a picture: a self-contained SVG, for light and dark pages.

From top to bottom: the title, the colours of the hosts, the captions of the events, a
lane for every address, the axis of time.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from ocf_aws.cli.outages.record import MINIMUM, Outage, Record, Stretch
from ocf_aws.cli.outages.text_metrics import shortened, spread, text_width, wrapped
from ocf_aws.cli.outages.timeline import Event, as_text, length, origin, summary

WIDTH, EDGE = 1000, 24
PLOT = 680
"""Width of the axis of time; right of it are the addresses and the late captions."""
ASIDE = WIDTH - 2 * EDGE - PLOT - 16
"""Width of what stands right of the axis."""
BAR, LINE, NARROWEST, BOLD = 22, 16, 3, 1.13
"""Height of a bar and of a line of text; width of the shortest outage, and of bold."""

HOSTS = ("#2563eb", "#0d9488", "#9333ea", "#b45309")
STYLE = """\
text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
.ink { fill: #1f2328; } .pale { fill: #59636e; } .page { fill: #ffffff; }
.idle { fill: #e1e6eb; } .mark { stroke: #8c959f; } .dot { fill: #59636e; }
.gone { fill: #dc2626; } .lead { stroke: #dc2626; } .length { fill: #b91c1c; }
.title { font-size: 18px; } .title, .name, .length { font-weight: 600; }
@media (prefers-color-scheme: dark) {
.ink { fill: #e6edf3; } .pale { fill: #9198a1; } .page { fill: #0d1117; }
.idle { fill: #2a313c; } .mark { stroke: #656d76; } .dot { fill: #9198a1; }
.gone { fill: #f04438; } .lead { stroke: #f04438; } .length { fill: #ff7b72; }
}"""


def draw(
    record: Record,
    events: Iterable[Event] = (),
    title: str = "Who answers",
    minimum: float = MINIMUM,
) -> str:
    """The picture as the text of an SVG file.

    Args:
        record: what the client saw.
        events: what the operator did.
        title: above the picture.
        minimum: seconds from which on a time without an answer is drawn as an outage.
    """
    events = sorted(events, key=lambda event: event.time)
    answers = {a: record.answers(a, minimum) for a in record.stretches}
    hosts = sorted({s.host for of in answers.values() for s in of if s.host})
    colours = {host: HOSTS[n % len(HOSTS)] for n, host in enumerate(hosts)}
    zero = origin(record, events)
    end = max([record.end, *(event.time for event in events)])
    picture = Picture(zero, max(end - zero, 0.1))
    picture.heading(title)
    picture.legend(colours)
    picture.captions(events)
    for address, stretches in answers.items():
        outages = record.outages(minimum=minimum, address=address)
        picture.lane(stretches, outages, colours)
        picture.aside(address, summary(record, address, minimum))
        picture.lengths(outages)
    picture.axis()
    return picture.svg(title, as_text(record, events, minimum))


class Picture:
    """An SVG that grows downwards.

    Args:
        zero: wall clock of the left end of the axis, in seconds.
        seconds: length of the axis.
    """

    def __init__(self, zero: float, seconds: float) -> None:
        self._zero, self._seconds = zero, seconds
        self._height = float(EDGE)
        self._lines: list[str] = []
        self._shapes: list[str] = []
        self._marks: list[tuple[float, float]] = []

    def heading(self, title: str) -> None:
        """The title of the picture."""
        self._text(EDGE, 14, "ink title", shortened(title, WIDTH - 2 * EDGE, 18 * BOLD))
        self._height += 30

    def legend(self, colours: dict[str, str]) -> None:
        """What the colours mean."""
        x = float(EDGE)
        width = (WIDTH - 2 * EDGE) / (len(colours) + 2) - 28
        paints = {**colours, "nobody answers": "gone", "no answer yet": "idle"}
        for name, paint in paints.items():
            name = shortened(name, width)
            self._box(x, 0, 12, 12, paint)
            self._text(x + 18, 10, "pale", name)
            x += 18 + text_width(name) + 10
        self._height += 12 + LINE

    def captions(self, events: list[Event]) -> None:
        """What the operator did, each caption right of the mark of its event.

        A caption is below the earlier ones that reach to its mark, so that no mark
        crosses a caption on its way down to the lanes.
        """
        placed: list[tuple[float, float]] = []  # right end, bottom
        for event in events:
            x = self._x(event.time)
            lines = wrapped(event.text, min(340, WIDTH - EDGE - x - 8))
            top = max((low for right, low in placed if right > x), default=0.0)
            for number, line in enumerate(lines):
                self._text(x + 8, top + 11 + LINE * number, "ink", line)
            y = self._height + top + 7
            self._shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="dot"/>')
            self._marks.append((x, y))
            right = x + 12 + max(map(text_width, lines))
            placed.append((right, top + LINE * len(lines) + 2))
        self._height += max((low for _, low in placed), default=0.0) + 12

    def lane(self, stretches: list[Stretch], outages: list[Outage], colours: dict[str, str]) -> None:
        """Who answered at an address, and when nobody did."""
        self._box(EDGE, 0, PLOT, BAR, "idle")
        for s in stretches:
            host = s.host or ""
            x, end = self._x(s.start), self._x(s.end)
            self._box(x, 0, end - x, BAR, colours[host])
            if text_width(host, 12 * BOLD) + 12 < end - x:
                middle = ' text-anchor="middle" fill="#ffffff"'
                self._text((x + end) / 2, BAR / 2 + 4, "name", host, middle)
        for outage in outages:
            x, end = self._x(outage.start), self._x(outage.end)
            self._box(x, -3, max(end - x, NARROWEST), BAR + 6, "gone")

    def aside(self, address: str, text: str) -> None:
        """What a lane is about, right of it."""
        x = EDGE + PLOT + 16
        size = min(12.0, 12 * ASIDE / text_width(address, 12 * BOLD))
        self._text(x, 8, "ink name", address, f' style="font-size:{size:.1f}px"')
        self._text(x, 8 + LINE, "pale", text)

    def lengths(self, outages: list[Outage]) -> None:
        """How long the outages were, below their lane in as many rows as it takes."""
        self._height += BAR + 4
        labels = [length(outage.seconds) for outage in outages]
        widths = [text_width(label, 12 * BOLD) + 8 for label in labels]
        wanted = []
        for outage in outages:
            x, end = self._x(outage.start), self._x(outage.end)
            wanted.append((x + max(x + NARROWEST, end)) / 2)
        rows = 1
        while any(sum(widths[row::rows]) > PLOT for row in range(rows)):
            rows += 1
        for row in range(rows):
            own = slice(row, None, rows)
            centres = spread(wanted[own], widths[own], EDGE, EDGE + PLOT)
            for n, centre in zip(range(len(labels))[own], centres):
                y = 8 + row * LINE
                self._box(centre - widths[n] / 2 + 2, y, widths[n] - 4, 14, "page")
                self._text(centre, y + 11, "length", labels[n], ' text-anchor="middle"')
                self._line(wanted[n], 0, centre, y, "lead")
        self._height += 22 + LINE * rows if labels else 16

    def axis(self) -> None:
        """The seconds since the beginning, and the marks of the events down to it."""
        self._line(EDGE, 0, EDGE + PLOT, 0, "mark")
        for x, top in self._marks:
            self._line(x, top - self._height, x, 0, "mark")
        steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
        roomy = [step for step in steps if PLOT * step / self._seconds >= 56]
        step = roomy[0] if roomy else self._seconds
        for number in range(int(self._seconds / step + 1e-9) + 1):
            x = self._x(self._zero + number * step)
            self._line(x, 0, x, 5, "mark")
            self._text(x, 19, "pale", f"{number * step:g} s", ' text-anchor="middle"')
        self._height += 19 + EDGE

    def svg(self, title: str, text: str) -> str:
        """The whole file; `text` is the description for screen readers."""
        size = f"{WIDTH} {self._height:.0f}"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img">'
        page = f'<rect width="{WIDTH}" height="{self._height:.0f}" rx="8" class="page"/>'
        named = f"<title>{plain(title)}</title>\n<desc>\n{plain(text)}</desc>"
        parts = [head, named, f"<style>\n{STYLE}\n</style>", page]
        return "\n".join([*parts, *self._lines, *self._shapes, "</svg>"]) + "\n"

    def _x(self, time: float) -> float:
        return EDGE + PLOT * (time - self._zero) / self._seconds

    def _text(self, x: float, y: float, kind: str, text: str, more: str = "") -> None:
        place = f'x="{x:.1f}" y="{self._height + y:.1f}"'
        self._shapes.append(f'<text {place} class="{kind}"{more}>{plain(text)}</text>')

    def _box(self, x: float, y: float, width: float, height: float, paint: str) -> None:
        fill = f'fill="{paint}"' if paint.startswith("#") else f'class="{paint}"'
        place = f'x="{x:.1f}" y="{self._height + y:.1f}"'
        size = f'width="{width:.1f}" height="{height:.1f}"'
        self._shapes.append(f'<rect {place} {size} rx="2" {fill}/>')

    def _line(self, x: float, y: float, x2: float, y2: float, kind: str) -> None:
        y, y2 = self._height + y, self._height + y2
        ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self._lines.append(f'<line {ends} class="{kind}"/>')


def plain(text: str) -> str:
    """The text as XML can hold it: escaped, and without control characters."""
    return escape("".join(c if c.isprintable() or c == "\n" else " " for c in text))
