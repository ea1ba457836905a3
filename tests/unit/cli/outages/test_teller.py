"""What is told of a measurement while it runs."""

from __future__ import annotations

import pytest

from ocf_aws.cli.outages.record import Recorder, Stretch
from ocf_aws.cli.outages.teller import Teller

ADDRESS = "192.0.2.10"


class Scene:
    """A recorder, and the lines that were told of it."""

    def __init__(self) -> None:
        self.recorder = Recorder([ADDRESS])
        self.told: list[tuple[float, str]] = []
        self.teller = Teller(self.recorder, 0.05, lambda at, _, text: self.told.append((at, text)))

    def see(self, host: str | None, start: float, end: float, probes: int = 9, errors: tuple[str, ...] = ()) -> None:
        """A report, after which everything new is told."""
        self.recorder.take(Stretch(ADDRESS, host, start, end, probes, errors))
        self.teller.tell()


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.see(None, 0, 0)
    scene.see("node1", 0, 5)
    scene.told.clear()
    return scene


def test_an_outage_is_told_when_it_begins_and_when_it_ends(scene: Scene) -> None:
    scene.see(None, 5, 5.4)
    assert scene.told == []
    scene.see(None, 5, 5.6, errors=("No route to host",))
    assert scene.told == [(5, "no answer any more (No route to host)")]
    scene.see(None, 5, 8, errors=("No route to host",))
    scene.see("node2", 8, 8)
    scene.see("node2", 8, 9)
    assert scene.told[1:] == [(8, "answers again after 3.00 s: node2 (No route to host)")]


def test_a_short_outage_is_told_once_it_is_over(scene: Scene) -> None:
    scene.see(None, 5, 5.03)
    scene.see(None, 5, 5.1)
    scene.see("node1", 5.1, 5.1)
    assert scene.told == [(5, "no answer any more"), (5.1, "answers again after 0.10 s: node1")]


def test_a_silence_below_the_minimum_is_not_told(scene: Scene) -> None:
    scene.see(None, 5, 5.04)
    scene.see("node1", 5.04, 6)
    assert scene.told == []


def test_answers_that_were_only_late_are_not_told(scene: Scene) -> None:
    scene.see(None, 5, 5.4)
    scene.see(None, 5, 5.4, probes=0)
    scene.see("node1", 5.4, 6)
    assert scene.told == []


def test_a_change_of_host_without_an_outage_is_told(scene: Scene) -> None:
    scene.see("node2", 5.01, 6)
    assert scene.told == [(5.01, "another host answers, without an outage: node2")]


def test_a_host_without_a_name_is_not_named() -> None:
    scene = Scene()
    scene.see(None, 0, 0)
    scene.see(ADDRESS, 0.1, 1)
    scene.see(None, 1, 3)
    scene.see(ADDRESS, 3, 4)
    assert [text for _, text in scene.told] == ["answers", "no answer any more", "answers again after 2.00 s"]


def test_an_address_that_does_not_answer_at_first_is_told_once() -> None:
    scene = Scene()
    for end in (0.5, 1.5, 2.5):
        scene.see(None, 0, end, errors=("Connection refused",))
    assert scene.told == [(1.5, "no answer so far (Connection refused)")]


def test_a_client_that_stood_still_is_told(scene: Scene) -> None:
    scene.recorder.stalled(7, 0.25)
    scene.teller.tell()
    scene.teller.tell()
    assert scene.told == [(7, "this client itself stood still for 0.25 s")]
