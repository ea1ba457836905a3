"""The time an action has left: it ends before Pacemaker's, and parts of it never later than the whole."""

from __future__ import annotations

import pytest

from ocf_aws.ocf.deadline import Deadline
from unit.fakes.clock import Clock


@pytest.mark.parametrize("timeout, left", [(180, 178), (20, 18), (10, 9), (1, 0.7), (0.1, 0)])
def test_a_deadline_keeps_time_back_for_the_answer(clock: Clock, timeout: float, left: float) -> None:
    assert Deadline.of_action(timeout).left() == pytest.approx(left)


def test_a_part_of_the_time_never_ends_later_than_the_whole(clock: Clock) -> None:
    assert Deadline.of_action(10).within(1).left() == pytest.approx(1)
    assert Deadline.of_action(1).within(10).left() == pytest.approx(0.7)


def test_there_is_never_less_than_no_time(clock: Clock) -> None:
    deadline = Deadline.of_action(10)
    clock.sleep(20)
    assert deadline.left() == 0


def test_attempts_go_on_until_the_time_is_over(clock: Clock) -> None:
    deadline = Deadline.of_action(180).within(30)
    attempts = sum(1 for _ in deadline.attempts(first=0.1, longest=1.0))
    assert 30 <= attempts <= 60
    assert deadline.left() <= 1.5


def test_pauses_grow_to_the_longest_and_differ_between_nodes(clock: Clock) -> None:
    def pauses() -> list[float]:
        times = []
        for _ in Deadline.of_action(100).attempts(first=0.1, longest=2.0):
            times.append(clock.now)
        return [later - earlier for earlier, later in zip(times, times[1:])]

    first, second = pauses(), pauses()
    assert 0.075 <= first[0] <= 0.1 and all(1.5 <= pause <= 2.0 for pause in first[10:])
    assert first != second


@pytest.mark.parametrize("seconds", [0.25, 0.5, 1, 2, 3, 5, 10])
def test_no_attempt_but_the_first_is_without_time(clock: Clock, seconds: float) -> None:
    deadline = Deadline(clock.now + seconds)
    assert all(deadline.left() >= 0.2 for _ in deadline.attempts())


def test_there_is_at_least_one_attempt(clock: Clock) -> None:
    assert sum(1 for _ in Deadline(0).attempts()) == 1


def test_attempts_really_wait() -> None:
    from time import monotonic

    began = monotonic()
    attempts = sum(1 for _ in Deadline.of_action(10).within(0.5).attempts(first=0.05))
    assert 3 <= attempts <= 10
    assert 0.1 <= monotonic() - began <= 0.6
