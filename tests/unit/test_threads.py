"""Waiting for several things at once, and for one no longer than there is time."""

from __future__ import annotations

import threading
import time

import pytest

from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import HardError, SoftError, Unknown
from ocf_aws.threads import BackgroundThread, call_within, outcomes, results


def fail(failure: Exception) -> None:
    raise failure


def test_what_does_not_answer_in_time_is_unknown() -> None:
    answer = threading.Event()
    began = time.monotonic()
    with pytest.raises(Unknown, match="the question: no answer within 0.2 s"):
        call_within(Deadline.of_action(10).within(0.2), answer.wait, "the question")
    assert time.monotonic() - began < 5
    answer.set()


def test_what_fails_in_time_fails_in_its_own_words() -> None:
    with pytest.raises(SoftError, match="why"):
        call_within(Deadline.of_action(10), lambda: fail(SoftError("why")), "x")


def test_what_answers_in_time_is_returned() -> None:
    assert call_within(Deadline.of_action(10), lambda: 7, "x") == 7


def test_without_time_nothing_is_waited_for() -> None:
    answer = threading.Event()
    with pytest.raises(Unknown, match="no answer within 0.0 s"):
        call_within(Deadline(0), answer.wait, "x")
    answer.set()


def test_functions_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    assert len(results(meeting.wait, meeting.wait)) == 2


def test_a_failure_is_an_outcome_beside_the_others() -> None:
    first, second = outcomes([lambda: fail(SoftError("x")), lambda: 2])
    assert isinstance(first, SoftError) and second == 2


def test_outcomes_keep_the_order_of_more_functions_than_there_are_threads() -> None:
    functions = [lambda number=number: number for number in range(50)]
    assert outcomes(functions) == list(range(50))
    assert outcomes([]) == []


def test_results_fail_with_the_first_failure() -> None:
    with pytest.raises(HardError, match="x"):
        results(lambda: 1, lambda: fail(HardError("x")), lambda: fail(SoftError("y")))


def test_an_exception_that_is_no_failure_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        results(lambda: 1, lambda: 1 / 0)


def test_a_background_thread_tells_what_its_work_raised_each_time_it_is_asked() -> None:
    thread = BackgroundThread(lambda: fail(SoftError("taken away")))
    for _ in range(2):
        with pytest.raises(SoftError, match="taken away"):
            thread.result()
    assert BackgroundThread(lambda: 7).result() == 7


def test_a_background_thread_tells_whether_it_has_ended() -> None:
    answer = threading.Event()
    thread = BackgroundThread(answer.wait)
    assert not thread.wait(0.05)
    answer.set()
    assert thread.wait(10) and thread.result() is True
