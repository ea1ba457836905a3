"""Work that is prepared in a child and done when it is told, and work in a thread that may fail early."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ocf_aws.parallel import Meanwhile, Prepared
from ocf_aws.status import HardError, SoftError


def test_what_is_prepared_is_done_when_it_is_told(tmp_path: Path) -> None:
    def prepare() -> Callable[[], None]:
        (tmp_path / "prepared").touch()
        return (tmp_path / "done").touch

    with Prepared(prepare) as work:
        work.wait_ready(5)
        assert (tmp_path / "prepared").exists() and not (tmp_path / "done").exists()
        work.go()
        assert work.result() is True
    assert (tmp_path / "done").exists()


def test_what_nobody_tells_is_never_done(tmp_path: Path) -> None:
    with pytest.raises(SoftError, match="before"):
        with Prepared(lambda: (tmp_path / "done").touch):
            raise SoftError("before")
    assert not (tmp_path / "done").exists()


def test_a_preparation_that_fails_is_waited_for_no_longer_and_told() -> None:
    def prepare() -> Callable[[], None]:
        raise HardError("no boto3")

    began = time.monotonic()
    with Prepared(prepare) as work:
        work.wait_ready(5)
        work.go()
        with pytest.raises(HardError, match="no boto3"):
            work.result()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("where", ["preparing", "working"])
def test_what_hangs_is_given_up(where: str) -> None:
    def hang() -> None:
        time.sleep(60)

    def prepare() -> Callable[[], None]:
        if where == "preparing":
            hang()
        return hang

    began = time.monotonic()
    with Prepared(prepare) as work:
        work.wait_ready(0.2)
        work.go()
        work.give_up_after(0.2)
        with pytest.raises(SoftError):
            work.result()
    assert time.monotonic() - began < 3


def test_a_thread_tells_its_failure_before_its_result_is_asked_for() -> None:
    def fail() -> None:
        raise SoftError("taken away")

    meanwhile = Meanwhile(fail)
    with pytest.raises(SoftError, match="taken away"):
        meanwhile.result()
    with pytest.raises(SoftError, match="taken away"):
        meanwhile.check()
    assert Meanwhile(lambda: 7).result() == 7
