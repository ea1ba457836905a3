"""Time: what may wait, waits no longer than there is time."""

from __future__ import annotations

import threading
import time

import pytest

from ocf_aws.deadline import Deadline
from ocf_aws.status import SoftError, Unknown


def test_a_deadline_keeps_time_back_for_the_answer() -> None:
    assert 17 < Deadline(20).left() <= 18
    assert Deadline(0.1).left() == 0


def test_a_part_of_the_time_never_ends_later_than_the_whole() -> None:
    assert Deadline(10).within(1).left() <= 1
    assert Deadline(1).within(10).left() < 1


def test_what_does_not_answer_in_time_is_unknown() -> None:
    answer = threading.Event()
    started = time.monotonic()
    with pytest.raises(Unknown, match="the question: no answer within 0.2 s"):
        Deadline(10).within(0.2).bound(answer.wait, "the question")
    assert time.monotonic() - started < 5
    answer.set()


def test_what_fails_in_time_fails_in_its_own_words() -> None:
    def fail() -> None:
        raise SoftError("why")

    with pytest.raises(SoftError, match="why"):
        Deadline(10).bound(fail, "x")


def test_tries_go_on_until_the_time_is_over() -> None:
    started = time.monotonic()
    tries = sum(1 for _ in Deadline(10).within(0.5).pauses(first=0.05))
    assert 3 <= tries <= 10
    assert time.monotonic() - started <= 0.6


def test_there_is_at_least_one_try() -> None:
    assert sum(1 for _ in Deadline(0).pauses()) == 1
