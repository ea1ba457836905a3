"""The node is out of processes, of disk space, or has odd settings: a stop still stops, and nothing secret is told."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.attack import check_answer
from faults.subjects import Subject
from faults.test_kernel_faults import strace
from vpclab.ec2 import effects

STOPPING = ("a shared overlay IP", "an ENI")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system without any space."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(tmp_path)], check=True)
    (tmp_path / "filler").write_bytes(bytes(4096))
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("action", ["stop", "monitor", "probe"])
@pytest.mark.parametrize("kind", STOPPING)
def test_a_node_that_can_make_no_process_and_no_thread_still_answers(
    subjects: dict[str, Subject], kind: str, action: str
) -> None:
    subject = subjects[kind]
    subject.prepare(action)
    result = subject.run(action, prefix=strace("error=EAGAIN", "clone,clone3,fork", "1+", Path(os.devnull)))
    assert not list(check_answer(result, {0}, [])), result
    assert action != "stop" or subject.is_off()


def test_a_node_that_can_make_no_process_stops_an_eni_of_which_it_has_no_record(subjects: dict[str, Subject]) -> None:
    subject = subjects["an ENI"]
    subject.reset()
    result = subject.run("stop", prefix=strace("error=EAGAIN", "clone,clone3,fork", "1+", Path(os.devnull)))
    assert not list(check_answer(result, {0}, [])), result


@pytest.mark.parametrize("kind", STOPPING)
def test_a_parent_that_ignores_its_children_fails_no_stop(subjects: dict[str, Subject], kind: str) -> None:
    subject = subjects[kind]
    subject.prepare("stop")
    result = subject.run("stop", prefix=("sh", "-c", 'trap \'\' CHLD; exec "$0" "$@"'))
    assert not list(check_answer(result, {0}, [])) and subject.is_off(), result


@pytest.mark.parametrize("kind", STOPPING)
def test_a_full_disk_keeps_no_resource_from_moving(subjects: dict[str, Subject], full_disk: Path, kind: str) -> None:
    subject = subjects[kind]
    subject.reset()
    full = {"HA_RSCTMP": str(full_disk), "HA_LOGFILE": str(full_disk / "log")}
    for action in ("start", "monitor", "stop"):
        result = subject.run(action, environ=full, timeout=40)
        assert result.status == 0 and "Traceback" not in result.stderr, result
    assert subject.is_off()


@pytest.mark.parametrize("log", ["HA_LOGFILE", "HA_LOGFACILITY"])
@pytest.mark.parametrize("kind", STOPPING)
def test_a_value_that_is_no_text_fails_no_stop(
    subjects: dict[str, Subject], tmp_path: Path, kind: str, log: str
) -> None:
    subject = subjects[kind]
    subject.prepare("stop")
    environ = {log: str(tmp_path / "log") if log == "HA_LOGFILE" else "daemon"}
    odd = {"mtu": "\udcff\udcfe", "source_dest_check": "\udcff\udcfe"}
    result = subject.run("stop", parameters=odd, environ=environ)
    assert result.status == 0 and subject.is_off() and "Traceback" not in result.stderr, result


@pytest.mark.parametrize("kind", STOPPING)
def test_a_password_of_a_proxy_is_told_nowhere(subjects: dict[str, Subject], kind: str) -> None:
    subject = subjects[kind]
    for proxy in (
        "http://user:pa55word@127.0.0.1:9",
        "http://user:pa55word@nowhere.invalid:1",
        "ftp://user:pa55word@x",
    ):
        subject.reset()
        result = subject.run("start", timeout=5, parameters={"proxy": proxy}, environ={"HA_debug": "1"})
        assert result.status in (1, 6) and "pa55word" not in result.stderr, result


@pytest.mark.parametrize("kind", STOPPING)
def test_a_token_that_no_header_can_carry_is_no_answer(subjects: dict[str, Subject], kind: str) -> None:
    subject = subjects[kind]
    subject.prepare("probe")
    for body in (b"two\nlines", b"\x00", "ü".encode(), b"x" * 100_000):
        with subject.node.imds.faults.add("/latest/api/token", effect=effects.Garbage(200, body)):
            result = subject.run("probe")
            assert not list(check_answer(result, {0}, [])), result
