"""An action that is killed at any instant leaves what a stop here and a start at the other node put right."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from faults.subjects import Subject
from vpclab.ec2 import effects
from vpclab.ec2.http_server import Dropped, Response

KINDS = ("an overlay IP", "a shared overlay IP", "an ENI", "an ENI of a stopped holder")
ACTIONS = ("start", "stop", "reload-agent")
CHANGES = ("sendto", "rename", "unlink", "write")
"""System calls by which an agent changes something, or asks whether to: netlink's, those on its record, those on sysctls."""


class Killer:
    """An effect that kills the agent, children and all, before or after the effect of one of its calls."""

    def __init__(self, number: int, is_after: bool):
        self._left = number
        self._is_after = is_after
        self._lock = threading.Lock()
        self.group = 0
        self.has_struck = False

    def around(self, exchange: effects.Exchange, released: threading.Event) -> Response:
        """Let the calls before the one meant pass."""
        with self._lock:
            self._left -= 1
            if self._left > 0:
                return exchange.execute()
            if self._left == 0:
                self.has_struck = True
        if self._is_after and self._left == 0:
            exchange.execute()
        os.killpg(self.group, signal.SIGKILL)
        raise Dropped


def kill_at_call(subject: Subject, action: str, number: int, is_after: bool) -> bool:
    """Let an action be killed at one of its calls to EC2, STS or IMDS; returns whether it makes so many."""
    killer = Killer(number, is_after)
    services = subject.node.ec2, subject.node.imds
    faults = [service.faults.add(effect=killer) for service in services]

    def begin(*arguments: Any, **how: Any) -> Any:
        process = subject.node.begin(*arguments, timeout=60, **how)
        killer.group = process.pid
        process.communicate(timeout=60)
        return process

    subject.run(action, by=begin)
    for fault in faults:
        fault.faults.remove(fault)
    return killer.has_struck


def kill_at_change(subject: Subject, action: str, call: str, number: int) -> bool:
    """Let an action be killed when its main thread makes a system call; returns whether it makes so many."""
    prefix = [
        "strace",
        "-qq",
        "-o",
        os.devnull,
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:signal=KILL:when={number}",
    ]
    group = 0

    def begin(*arguments: Any, **how: Any) -> Any:
        nonlocal group
        process = subject.node.begin(*arguments, timeout=60, **how)
        group = process.pid
        process.communicate(timeout=60)
        return process

    process = subject.run(action, by=begin, prefix=prefix)
    if process.returncode != -signal.SIGKILL:
        return False
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return True


def check_recovery(subject: Subject, where: str) -> list[str]:
    """What is wrong once the node has stopped the resource, and the other node has started it, in words."""
    broken = []
    stopped = subject.run("stop", timeout=60)
    if stopped.status != 0 or not subject.is_off():
        broken.append(f"{where}: the stop leaves something: {stopped}")
    with subject.other_node():
        started = subject.run("start", timeout=60)
        if started.status != 0 or not subject.is_right():
            broken.append(f"{where}: the other node does not start it: {started}")
        if subject.run("stop", timeout=60).status != 0 or not subject.is_off():
            broken.append(f"{where}: the other node does not stop it")
    back = subject.run("start", timeout=60)
    if back.status != 0 or not subject.is_right():
        broken.append(f"{where}: it does not come back: {back}")
    return broken


def strike(
    subject: Subject, action: str, kills: list[Callable[[int], bool]], sample: random.Random | None
) -> tuple[int, list[str]]:
    """Kill an action at every instant that there is, or at one. Returns how often, and what was wrong then, in words."""
    broken: list[str] = []
    tried = 0
    for kill in [sample.choice(kills)] if sample else kills:
        number = sample.randint(1, 8) if sample else 1
        while True:
            subject.prepare(action)
            has_struck = kill(number)
            tried += 1
            broken += check_recovery(subject, f"{action}, {kill.__name__} {number}")
            if sample or not has_struck:
                break
            number += 1
    return tried, broken


@pytest.mark.matrix
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_action_that_is_killed_at_a_call_leaves_what_the_next_ones_put_right(
    subjects: dict[str, Subject],
    sample: random.Random | None,
    judge: Callable[[str, str, int, list[str]], None],
    kind: str,
    action: str,
) -> None:
    subject = subjects[kind]

    def before_call(number: int) -> bool:
        return kill_at_call(subject, action, number, False)

    def after_call(number: int) -> bool:
        return kill_at_call(subject, action, number, True)

    judge("killed at a call", action, *strike(subject, action, [before_call, after_call], sample))


@pytest.mark.parametrize("call", CHANGES)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.matrix
def test_an_action_that_is_killed_at_a_change_leaves_what_the_next_ones_put_right(
    subjects: dict[str, Subject],
    sample: random.Random | None,
    judge: Callable[[str, str, int, list[str]], None],
    kind: str,
    action: str,
    call: str,
) -> None:
    subject = subjects[kind]

    def before_change(number: int) -> bool:
        return kill_at_change(subject, action, call, number)

    judge("killed at a change", action, *strike(subject, action, [before_change], sample))
