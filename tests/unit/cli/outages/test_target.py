"""What counts as an answer, and when an address is silent."""

from __future__ import annotations

import errno
import selectors
import time

import pytest

from ocf_aws.cli.outages.record import Stretch
from ocf_aws.cli.outages.target import TIMEOUT, Listener, Target

ADDRESS = "192.0.2.10"
NOW = 1_800_000_000.0
STEP = 0.01


class Asked:
    """A way to ask that keeps what it has sent; the test answers."""

    def __init__(self) -> None:
        self.sent: dict[int, float] = {}
        self.error = 0
        self.neighbour: str | None = None

    def open(self, selector: selectors.BaseSelector, listener: Listener) -> None: ...

    def ask(self, sequence: int, sent: float) -> None:
        self.sent[sequence] = sent
        if self.error:
            raise OSError(self.error, "")

    def expire(self, now: float) -> None: ...

    def find_neighbour(self) -> str | None:
        return self.neighbour

    def close(self) -> None: ...


class Scene:
    """A target, the time, and the stretches that it has reported."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        monkeypatch.setattr(time, "time", lambda: self.now)
        self.asked = Asked()
        self.seen: list[Stretch] = []
        self.target = Target(ADDRESS, self.asked, self._take)

    def _take(self, stretch: Stretch) -> None:
        if self.seen and (self.seen[-1].host, self.seen[-1].start) == (stretch.host, stretch.start):
            self.seen.pop()
        self.seen.append(stretch)

    def ask(self, count: int = 1) -> int:
        """Send so many probes, one a step; returns the number of the last one."""
        for _ in range(count):
            self.now += STEP
            self.target.judge(self.now)
            self.target.ask(self.now)
        return max(self.asked.sent)

    def answer(self, sequence: int, host: str | None, after: float = 0.001) -> None:
        sent = self.asked.sent[sequence]
        self.target.answered(sequence, sent, max(self.now, sent + after), host)

    def serve(self, host: str, count: int) -> int:
        """Probes that are answered at once."""
        for _ in range(count):
            self.answer(self.ask(), host)
        return max(self.asked.sent)

    @property
    def hosts(self) -> list[str | None]:
        return [stretch.host for stretch in self.seen]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_a_change_of_host_ends_a_stretch_and_begins_another(scene: Scene) -> None:
    scene.serve("node1", 5)
    scene.serve("node2", 5)
    scene.target.report(scene.now)
    assert scene.hosts == [None, "node1", "node2"]
    assert [stretch.probes for stretch in scene.seen[1:]] == [5, 5]


def test_an_outage_lasts_from_the_last_probe_that_was_answered_to_the_next_one(scene: Scene) -> None:
    last = scene.asked.sent[scene.serve("node1", 5)]
    scene.ask(50)
    first = scene.asked.sent[scene.serve("node2", 1)]
    silent = scene.seen[-2]
    assert (silent.host, silent.start, silent.end, silent.probes) == (None, last, first, 50)


def test_an_answer_that_comes_late_counts_when_its_probe_was_sent(scene: Scene) -> None:
    scene.serve("node1", 5)
    first = scene.ask()
    scene.ask(20)
    assert scene.hosts[-1] is None
    for sequence in range(first, first + 21):
        scene.answer(sequence, "node1")
    scene.target.report(scene.now)
    silent = scene.seen[-2]
    assert silent.host is None and silent.probes == 0
    assert silent.end - silent.start == pytest.approx(STEP)


def test_an_answer_after_the_timeout_counts_as_none(scene: Scene) -> None:
    sequence = scene.ask()
    scene.answer(sequence, "node1", after=TIMEOUT + 0.01)
    assert scene.seen == []


def test_an_answer_to_an_earlier_probe_does_not_count(scene: Scene) -> None:
    earlier, later = scene.ask(), scene.ask()
    scene.answer(later, "node2")
    scene.answer(earlier, "node1")
    scene.answer(later, "node1")
    assert scene.hosts == [None, "node2"]


def test_silence_needs_two_probes_in_vain(scene: Scene) -> None:
    scene.serve("node1", 1)
    scene.ask()
    scene.now += 10
    scene.target.judge(scene.now)
    assert scene.hosts[-1] == "node1"
    scene.ask()
    scene.target.judge(scene.now)
    assert scene.hosts[-1] is None


def test_a_long_way_is_no_silence(scene: Scene) -> None:
    way = 12
    scene.ask(way)
    for sequence in range(1, 200):
        scene.answer(sequence, "node1")
        scene.ask()
    assert scene.hosts == [None, "node1"]


def test_an_outage_that_is_shorter_than_the_way_of_the_answers_is_seen(scene: Scene) -> None:
    way = 12
    scene.ask(way)
    for sequence in range(1, 40):
        scene.answer(sequence, "node1")
        scene.ask()
    # The answers of node2 have a shorter way, so that no time is without an answer; ten probes have none.
    scene.ask(2)
    for sequence in range(51, 60):
        scene.answer(sequence, "node2")
        scene.ask()
    assert scene.hosts == [None, "node1", None, "node2"]
    silent = scene.seen[2]
    assert silent.probes == 11
    assert silent.end - silent.start == pytest.approx(12 * STEP)


def test_errors_of_the_network_are_told_with_the_silence_alone(scene: Scene) -> None:
    last = scene.serve("node1", 3)
    scene.target.refused(errno.EHOSTUNREACH, last)
    scene.asked.error = errno.ENETUNREACH
    scene.ask(10)
    scene.target.report(scene.now)
    assert scene.seen[-1].errors == ("Network is unreachable",)
    scene.asked.error = 0
    scene.serve("node1", 1)
    scene.target.report(scene.now)
    assert scene.seen[-1].errors == ()


def test_where_answers_have_no_name_the_neighbour_s_address_tells_who_it_is(scene: Scene) -> None:
    scene.asked.neighbour = "02:00:00:00:00:01"
    scene.answer(scene.ask(), None)
    scene.ask(10)
    scene.asked.neighbour = "02:00:00:00:00:02"
    scene.answer(scene.ask(), None)
    assert scene.hosts == [None, "02:00:00:00:00:01", None, "02:00:00:00:00:02"]


def test_where_nothing_tells_who_it_is_the_address_stands_for_it(scene: Scene) -> None:
    scene.answer(scene.ask(), None)
    assert scene.hosts == [None, ADDRESS]
