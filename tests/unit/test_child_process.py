"""Work in a child: done in another process, told in its own words, ended when it takes too long."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ocf_aws.aws.errors import AccessDenied, Rejected
from ocf_aws.child_process import ChildProcess, TwoPhaseChild
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import SETTLE_SECONDS, HardError, NotInstalled, SoftError, Unknown, combine
from ocf_aws.ocf.log import Log


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves a child or an open file."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert set(os.listdir("/proc/self/fd")) == before


def fail(failure: Exception) -> None:
    raise failure


def hang() -> None:
    time.sleep(60)


def test_work_is_done_in_another_process() -> None:
    with ChildProcess(os.getpid) as child:
        assert child.result() not in (os.getpid(), None)


def test_work_that_returns_nothing_has_the_result_none() -> None:
    with ChildProcess(lambda: None) as child:
        child.end_after(5)
        assert child.result() is None
        assert child.result() is None
    assert child.result() is None


def test_what_a_stop_can_do_without_is_only_warned_of(log: Log, stderr: io.StringIO) -> None:
    with ChildProcess(lambda: None) as child:
        child.finish(Deadline.of_action(20), log, "stopped, but it is not done")
    assert stderr.getvalue() == ""
    with ChildProcess(lambda: fail(AccessDenied("allow it", "request 7"))) as child:
        child.finish(Deadline.of_action(20), log, "stopped, but it is not done")
    assert "WARNING: stopped, but it is not done: allow it (request 7)\n" in stderr.getvalue()


def test_what_a_stop_can_do_without_is_not_waited_for_beyond_its_deadline(log: Log, stderr: io.StringIO) -> None:
    began = time.monotonic()
    with ChildProcess(hang) as child:
        child.finish(Deadline(began + 0.2), log, "stopped, but it is not done")
    assert time.monotonic() - began < 5 and "not done: it took too long" in stderr.getvalue()


def test_work_fails_with_the_kind_it_failed_with() -> None:
    with ChildProcess(lambda: fail(NotInstalled("no library"))) as child:
        with pytest.raises(NotInstalled, match="no library"):
            child.result()


@pytest.mark.parametrize("failure", [Rejected("reason", "detail", "Code"), AccessDenied("reason", "detail")])
def test_what_aws_said_to_a_child_comes_whole(failure: HardError) -> None:
    with ChildProcess(lambda: fail(failure)) as child:
        with pytest.raises(type(failure), match="reason") as raised:
            child.result()
    assert raised.value.full_text == failure.full_text and raised.value.certain_after == SETTLE_SECONDS
    assert vars(raised.value) == vars(failure)


def test_a_combined_failure_comes_whole() -> None:
    failure = combine([("rtb-1", AccessDenied("allow ec2:X in IAM", "request 7"))])
    with ChildProcess(lambda: fail(failure)) as child:
        with pytest.raises(type(failure)) as raised:
            child.result()
    assert (str(raised.value), raised.value.certain_after) == ("allow ec2:X on rtb-1 in IAM", SETTLE_SECONDS)


def test_an_exception_that_nobody_foresaw_is_unknown() -> None:
    with ChildProcess(lambda: 1 / 0) as child, pytest.raises(Unknown, match="ZeroDivisionError"):
        child.result()


@pytest.mark.parametrize("death", [lambda: os._exit(9), lambda: os.kill(os.getpid(), signal.SIGTERM)])
def test_a_child_that_dies_is_told_apart_from_one_that_is_late(death: Callable[[], None]) -> None:
    began = time.monotonic()
    with ChildProcess(death) as child:
        child.end_after(30)
        with pytest.raises(SoftError, match="died"):
            child.result()
    assert time.monotonic() - began < 10


def test_a_child_that_is_late_is_killed() -> None:
    began = time.monotonic()
    with ChildProcess(hang) as child:
        child.end_after(0.2)
        with pytest.raises(SoftError, match="took too long"):
            child.result()
    assert 0.2 <= time.monotonic() - began < 5


def test_a_child_that_is_done_is_not_killed() -> None:
    with ChildProcess(lambda: 7) as child:
        child.end_after(30)
        child.end_after(0)
        assert child.result() == 7


def test_a_child_has_ended_when_its_block_is_left() -> None:
    with pytest.raises(KeyError):
        with ChildProcess(lambda: "done") as child:
            raise KeyError("the parent fails first")
    assert child.result() == "done"


# --- two phases -------------------------------------------------------------------------------------------------------


def test_committed_child_does_its_work_after_the_commit(tmp_path: Path) -> None:
    def prepare() -> Callable[[], None]:
        (tmp_path / "prepared").touch()
        return (tmp_path / "done").touch

    with TwoPhaseChild(prepare) as child:
        child.wait_ready(5)
        assert (tmp_path / "prepared").exists() and not (tmp_path / "done").exists()
        child.commit()
        assert child.result() is True
    assert (tmp_path / "done").exists()


def test_uncommitted_child_does_nothing(tmp_path: Path) -> None:
    with pytest.raises(SoftError, match="before"):
        with TwoPhaseChild(lambda: (tmp_path / "done").touch) as child:
            child.wait_ready(5)
            raise SoftError("before")
    assert not (tmp_path / "done").exists()


def test_child_that_is_not_prepared_yet_can_be_committed(tmp_path: Path) -> None:
    def prepare() -> Callable[[], None]:
        time.sleep(0.3)
        return (tmp_path / "done").touch

    with TwoPhaseChild(prepare) as child:
        child.wait_ready(0.01)
        child.commit()
        assert child.result() is True
    assert (tmp_path / "done").exists()


def test_a_preparation_that_fails_is_waited_for_no_longer_and_told() -> None:
    def prepare() -> Callable[[], None]:
        raise HardError("no boto3")

    began = time.monotonic()
    with TwoPhaseChild(prepare) as child:
        child.wait_ready(5)
        child.commit()
        with pytest.raises(HardError, match="no boto3"):
            child.result()
    assert time.monotonic() - began < 2


def test_a_commit_to_a_dead_child_is_no_error() -> None:
    with TwoPhaseChild(lambda: os._exit(9)) as child:
        child.wait_ready(5)
        child.end_after(5)
        child.commit()
        with pytest.raises(SoftError, match="died"):
            child.result()


@pytest.mark.parametrize("where", ["preparing", "working"])
def test_a_child_that_hangs_is_given_up(where: str) -> None:
    def prepare() -> Callable[[], None]:
        if where == "preparing":
            hang()
        return hang

    began = time.monotonic()
    with TwoPhaseChild(prepare) as child:
        child.wait_ready(0.2)
        child.commit()
        child.end_after(0.2)
        with pytest.raises(SoftError):
            child.result()
    assert time.monotonic() - began < 3
