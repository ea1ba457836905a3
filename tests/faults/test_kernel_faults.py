"""The kernel fails: strace lets single system calls of an agent fail, setpriv takes the right to change anything."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.attack import check_answer
from faults.subjects import Subject

KINDS = ("an overlay IP", "an ENI")
LOCAL_ACTIONS = ("start", "monitor", "probe", "stop", "reload-agent")
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-net_admin")


def strace(effect: str, calls: str, number: str, output: Path) -> list[str]:
    """The command under which a program's main thread, the one that asks the kernel, meets the effect at these calls."""
    traced = f"trace={calls}"
    return ["strace", "-qq", "-o", str(output), "-e", traced, "-e", f"inject={calls}:{effect}:when={number}"]


def count(subject: Subject, action: str, call: str, output: Path) -> int:
    """How many such system calls the main thread of a healthy action makes."""
    subject.prepare(action)
    prefix = ["strace", "-qq", "-o", str(output), "-e", f"trace={call}"]
    result = subject.run(action, timeout=60, prefix=prefix)
    assert result.status == 0, result
    return output.read_text().count(f"{call}(")


@pytest.mark.matrix
@pytest.mark.parametrize("call", ["sendto", "recvfrom"])
@pytest.mark.parametrize("action", LOCAL_ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_that_is_short_of_memory_once_fails_nothing(
    subjects: dict[str, Subject],
    sample: random.Random | None,
    judge: Callable[[str, str, int, list[str]], None],
    tmp_path: Path,
    kind: str,
    action: str,
    call: str,
) -> None:
    subject = subjects[kind]
    total = count(subject, action, call, tmp_path / "calls")
    assert total
    broken = []
    numbers = [sample.randint(1, total)] if sample else range(1, total + 1)
    for number in numbers:
        subject.prepare(action)
        prefix = strace("error=ENOBUFS", call, str(number), tmp_path / "calls")
        result = subject.run(action, timeout=60, prefix=prefix)
        broken += [f"{call} {number}: {each}; {result}" for each in check_answer(result, {0}, [])]
        if action == "stop" and not subject.is_off():
            broken.append(f"{call} {number}: not off")
        if action in ("start", "reload-agent") and not subject.is_right():
            broken.append(f"{call} {number}: not right")
    judge("the kernel short of memory", action, len(numbers), broken)


@pytest.mark.parametrize("action", LOCAL_ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_that_never_answers_is_a_reason_in_time(
    subjects: dict[str, Subject], tmp_path: Path, kind: str, action: str
) -> None:
    subject = subjects[kind]
    subject.prepare(action)
    prefix = strace("error=ENOBUFS", "recvfrom", "1+", tmp_path / "calls")
    result = subject.run(action, timeout=12, prefix=prefix)
    assert not list(check_answer(result, {1}, [])), result
    assert subject.run("start", timeout=40).status == 0 and subject.is_right()


@pytest.mark.parametrize("action", LOCAL_ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_action_that_may_change_nothing_in_the_kernel_says_so(
    subjects: dict[str, Subject], kind: str, action: str
) -> None:
    subject = subjects[kind]
    subject.prepare(action)
    result = subject.run(action, timeout=20, prefix=WITHOUT_RIGHTS)
    assert not list(check_answer(result, {0 if action in ("monitor", "probe") else 1}, [])), result
    assert subject.run("start", timeout=40).status == 0 and subject.is_right()
