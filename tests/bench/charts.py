"""Charts as self-contained SVG files, for light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, log10
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 820, 380
LEFT, RIGHT, TOP, BOTTOM = 84, 210, 48, 48
COLOURS = ("#2563eb", "#b45309", "#0d9488", "#9333ea", "#dc2626")
STYLE = """\
text { font: 12px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #59636e; }
.title { font-size: 16px; font-weight: 600; fill: #1f2328; } .page { fill: #ffffff; } .grid { stroke: #d8dee4; }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1; } .title { fill: #e6edf3; } .page { fill: #0d1117; } .grid { stroke: #2a313c; }
}"""

Points = Sequence[tuple[float, float]]


def lines(title: str, across: str, series: Mapping[str, Points]) -> str:
    """Milliseconds, on a logarithmic axis, by a quantity. across: the quantity. series: points by name."""
    xs = sorted({x for points in series.values() for x, _ in points})
    ys = [y for points in series.values() for _, y in points]
    low, high = 10 ** int(log10(min(ys))), 10 ** ceil(log10(max(ys)))

    def place(x: float, y: float) -> tuple[float, float]:
        right = LEFT + (WIDTH - LEFT - RIGHT) * (x - xs[0]) / ((xs[-1] - xs[0]) or 1)
        down = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * log10(y / low) / log10(high / low)
        return right, down

    parts = []
    tick = low
    while tick <= high:
        _, y = place(xs[0], tick)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" class="grid"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{tick:g} ms", "end"))
        tick *= 10
    for x in xs:
        parts.append(_text(place(x, low)[0], HEIGHT - BOTTOM + 18, f"{x:g}", "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, "middle"))
    ends: list[float] = []
    for (name, points), colour in zip(sorted(series.items(), key=lambda each: -each[1][-1][1]), COLOURS):
        places = [place(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = max([places[-1][1] + 4, *(end + 16 for end in ends)])
        ends.append(y)
        parts.append(
            _text(WIDTH - RIGHT + 12, y, f"{name}, {points[-1][1]:.0f} ms", "start", f' style="fill:{colour}"')
        )
    described = "; ".join(
        f"{name}: " + ", ".join(f"{y:.0f} ms at {x:g}" for x, y in points) for name, points in series.items()
    )
    return _svg(title, f"By {across}. {described}", HEIGHT, parts)


def timeline(title: str, spans: Sequence[tuple[str, float, float]]) -> str:
    """One bar a row, from the first to the last millisecond. spans: what, from and to (milliseconds)."""
    end = max(to for _, _, to in spans)
    height = TOP + 26 * len(spans) + BOTTOM
    left, width = 250, WIDTH - 250 - 90
    parts = []
    step = next(size for size in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if end / size <= 10)
    for number in range(int(end / step) + 1):
        x = left + width * number * step / end
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{height - BOTTOM}" class="grid"/>')
        parts.append(_text(x, height - BOTTOM + 18, f"{number * step}", "middle"))
    parts.append(_text(left + width / 2, height - 10, "milliseconds", "middle"))
    for row, (what, start, to) in enumerate(spans):
        y = TOP + 26 * row
        x, x2 = left + width * start / end, left + width * to / end
        colour = COLOURS[row % len(COLOURS)]
        parts.append(_text(left - 10, y + 16, what, "end"))
        parts.append(
            f'<rect x="{x:.1f}" y="{y + 4}" width="{max(2.0, x2 - x):.1f}" height="16" rx="2" fill="{colour}"/>'
        )
        parts.append(_text(x2 + 6, y + 16, f"{to - start:.0f}" if to > start else f"at {start:.0f}", "start"))
    described = "; ".join(f"{what}: {start:.0f} to {to:.0f} ms" for what, start, to in spans)
    return _svg(title, described, height, parts)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _svg(title: str, description: str, height: float, parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    page = f'<rect width="{WIDTH}" height="{height:.0f}" rx="8" class="page"/>'
    named = [
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(description)}</desc>",
        f"<style>\n{STYLE}\n</style>",
        page,
    ]
    return (
        "\n".join([head, *named, f'<text x="24" y="28" class="title">{escape(title)}</text>', *parts, "</svg>"]) + "\n"
    )
