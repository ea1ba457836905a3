"""Doing several things at once."""

from __future__ import annotations

import os
import threading

import pytest

from ocf_aws.cloud import Denied, Rejected
from ocf_aws.parallel import Aside, outcomes, results
from ocf_aws.status import HardError, NotInstalled, SoftError


def fail(failure: Exception) -> None:
    raise failure


def test_functions_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    assert len(results(meeting.wait, meeting.wait)) == 2


def test_a_failure_is_an_outcome_beside_the_others() -> None:
    first, second = outcomes([lambda: fail(SoftError("x")), lambda: 2])
    assert isinstance(first, SoftError) and second == 2


def test_results_fail_with_the_first_failure() -> None:
    with pytest.raises(HardError, match="x"):
        results(lambda: 1, lambda: fail(HardError("x")))


def test_work_aside_is_done_in_another_process() -> None:
    with Aside(os.getpid) as work:
        assert work.result() not in (os.getpid(), None)


def test_work_aside_fails_with_the_kind_it_failed_with() -> None:
    with Aside(lambda: fail(NotInstalled("no library"))) as work:
        with pytest.raises(NotInstalled, match="no library"):
            work.result()


@pytest.mark.parametrize("kind", [Rejected, Denied])
def test_what_aws_said_to_work_aside_comes_whole(kind: type[Rejected]) -> None:
    with Aside(lambda: fail(kind("reason", "Code"))) as work:
        with pytest.raises(kind, match="reason") as failure:
            work.result()
    assert failure.value.code == "Code"


def test_work_aside_that_breaks_or_dies_is_reported() -> None:
    for broken in (lambda: 1 / 0, lambda: os._exit(9)):
        with Aside(broken) as work, pytest.raises(SoftError, match="internal error"):
            work.result()


def test_work_aside_is_over_when_the_block_is_left(tmp_path: object) -> None:
    with pytest.raises(KeyError):
        with Aside(lambda: "done") as work:
            raise KeyError("the parent fails first")
    assert work.result() == "done"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
