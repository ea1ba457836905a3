"""The story of a failover as a picture."""

from __future__ import annotations

import itertools
import random
import re
from xml.etree import ElementTree

import pytest

from ocf_aws.cli.outages import picture, text_metrics
from ocf_aws.cli.outages.record import Record
from ocf_aws.cli.outages.timeline import Event
from unit.fakes.failover import ADDRESS, ZERO, failover, stretches

SVG = "{http://www.w3.org/2000/svg}"


def boxes(svg: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of every text; with the estimate of its width."""
    found = []
    for text in svg.iter(f"{SVG}text"):
        kind, words = text.get("class", ""), text.text or ""
        size = 18.0 if "title" in kind else 12.0
        if style := text.get("style"):
            size = float(style.removeprefix("font-size:").removesuffix("px"))
        bold = {"title", "name", "length"} & set(kind.split())
        width = text_metrics.text_width(words, size * (1.13 if bold else 1.0))
        x, y = float(text.get("x", 0)), float(text.get("y", 0))
        left = x - width / 2 if text.get("text-anchor") == "middle" else x
        found.append((left, y - size * 0.8, left + width, y + size * 0.2))
    return found


def busy(seed: int, addresses: int, events: int, seconds: float) -> str:
    """The picture of a bad day, in which much happens at the same time."""
    chance = random.Random(seed)
    seen = {}
    for number in range(addresses):
        address = f"2001:db8:ffff:ffff:ffff:ffff:ffff:{number:04x}"
        time = chance.uniform(0, 3)
        changes: list[tuple[float, str | None]] = []
        while time < seconds - 6:
            changes.append((time, f"node{chance.randint(1, 4)}"))
            changes.append((time := time + chance.expovariate(8 / seconds), None))
            time += chance.choice([0.051, 0.3, 1.2, 4])
        changes.append((time, "node1"))
        seen[address] = stretches(address, max(seconds, time), *changes)
    middle = chance.uniform(0, seconds)
    spread = chance.choice([0.5, seconds])
    marks = [
        Event(
            ZERO + min(seconds, max(0, chance.gauss(middle, spread))),
            " ".join(["power", "off", "NODE-WWWWWW", "&", "<b>"] * chance.randint(1, 5)),
        )
        for _ in range(events)
    ]
    return picture.draw(Record(seen), marks, "A bad day " * chance.randint(1, 20))


@pytest.mark.parametrize("seconds", [30, 180])
@pytest.mark.parametrize("addresses", [1, 2, 4])
@pytest.mark.parametrize("events", [0, 1, 15])
@pytest.mark.parametrize("seed", range(5))
def test_no_text_overlaps_another_or_leaves_the_canvas(seed: int, events: int, addresses: int, seconds: float) -> None:
    svg = ElementTree.fromstring(busy(seed, addresses, events, seconds))
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    placed = boxes(svg)
    for left, top, right, bottom in placed:
        assert 0 <= left and right <= width and 0 <= top and bottom <= height
    for one, other in itertools.combinations(placed, 2):
        apart = (
            one[2] <= other[0] or other[2] <= one[0]
            or one[3] <= other[1] or other[3] <= one[1]
        )  # fmt: skip
        assert apart, (one, other)


@pytest.mark.parametrize("seed", range(5))
def test_no_mark_of_an_event_crosses_a_caption(seed: int) -> None:
    svg = ElementTree.fromstring(busy(seed, addresses=1, events=15, seconds=60))
    captions = [
        box for box, text in zip(boxes(svg), svg.iter(f"{SVG}text"))
        if text.get("class") == "ink"
    ]  # fmt: skip
    marks = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "mark"]
    assert captions and marks
    for line in marks:
        x, top = float(line.get("x1", 0)), float(line.get("y1", 0))
        for left, _, right, below in captions:
            assert not (left < x < right and top < below), (x, left, right)


def test_shortest_outage_is_seen_and_labelled() -> None:
    changes = [(1, "node1"), (90, None), (90.051, "node2")]
    svg = picture.draw(Record({ADDRESS: stretches(ADDRESS, 180, *changes)}))
    (red,) = re.findall(r'<rect [^>]*class="gone"/>', svg.split("nobody answers")[-1])
    assert 'width="3.0"' in red
    assert ">0.05 s</text>" in svg


def test_every_outage_is_labelled_even_in_great_numbers() -> None:
    changes: list[tuple[float, str | None]] = [(0, "node1")]
    for second in range(1, 41):
        changes += [(second, None), (second + 0.1, "node1")]
    svg = picture.draw(Record({ADDRESS: stretches(ADDRESS, 60, *changes)}))
    assert svg.count(">0.10 s</text>") == 40


def test_picture_needs_nothing_but_itself_and_suits_dark_pages() -> None:
    svg = picture.draw(failover(), [Event(ZERO, "a \x00 & <b>")], "<title>")
    assert "prefers-color-scheme: dark" in svg
    assert set(re.findall(r"https?://[^\"]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert "node2 answers, after 0.31 s of silence" in svg


def test_picture_of_nothing_is_a_picture() -> None:
    ElementTree.fromstring(picture.draw(Record({})))
    ElementTree.fromstring(picture.draw(Record({ADDRESS: stretches(ADDRESS, 30)})))
