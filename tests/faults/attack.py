"""One attack: an action while a call fails in one way for some time, and whether every promise is kept."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from faults.promises import DURATIONS, FAULTS, allowed
from faults.subjects import Subject
from ocf_aws.ocf.errors import REASON_LENGTH
from vpclab.ec2 import effects
from vpclab.ec2.http_server import Response, Server
from vpclab.ec2.identity import NODE_ROLE
from vpclab.hosts.single_node import Result

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_TIMEOUTS = {"for ever": 20, "for 30 s": 60}
_TIMEOUT = 30
"""Seconds for an action whose fault passes; a loaded machine needs some of them."""


class Case(NamedTuple):
    """call: `ec2:NAME`, `sts:NAME` or a path of IMDS, with wildcards. fault, duration: names in promises."""

    action: str
    call: str
    fault: str
    duration: str

    def __str__(self) -> str:
        return f"{self.action}, {self.call}: {self.fault} {self.duration}"


def record(subject: Subject, action: str) -> list[str]:
    """The kinds of calls that an action makes while all is well, and all of EC2's and IMDS's together."""
    subject.prepare(action)
    ec2, imds = subject.node.ec2, subject.node.imds
    ec2.calls.clear()
    imds.calls.clear()
    result = subject.run(action, timeout=_TIMEOUT)
    assert result.status == 0, result
    paths = {_MAC.sub("*", call.action) for call in imds.calls}
    kinds = [f"ec2:{name}" for name in sorted({call.action for call in ec2.calls})]
    return [*kinds, *(["ec2:*"] if kinds else []), *sorted(paths), *(["/*"] if paths else [])]


def cases(action: str, calls: list[str], fault: str) -> Iterator[Case]:
    """What is to be tried with a fault: it lasts 30 s where it meets all calls of a service."""
    for call in calls:
        effect = FAULTS[fault].imds if call.startswith("/") else FAULTS[fault].ec2
        # Half of a word without structure is another word; HTTP itself tells a body that is cut off.
        if effect is None or (fault == "half a document" and call.startswith("/") and NODE_ROLE not in call):
            continue
        for duration in DURATIONS:
            is_waiting = action in ("start", "reload-agent")
            if duration in ("for 1 call", "for ever") or (is_waiting and (duration == "for 5 s" or call[-1] == "*")):
                yield Case(action, call, fault, duration)


def attack(subject: Subject, case: Case) -> list[str]:
    """Make the attack and return the promises that it broke, in words."""
    subject.prepare(case.action)
    before = subject.state()
    secrets = [subject.node.ec2.credentials(subject.node.instance_id)[name] for name in ("SecretAccessKey", "Token")]
    timeout = _TIMEOUTS.get(case.duration, _TIMEOUT)
    with trouble(subject, case):
        try:
            result = subject.run(case.action, timeout=timeout)
        except subprocess.TimeoutExpired:
            return [f"{case}: no answer within {timeout} s"]
    broken = [*check_answer(result, allowed(FAULTS[case.fault], case.call, case.action, case.duration), secrets)]
    broken += check_state(subject, case, result, before)
    return [f"{case}: {each}; {result}" for each in broken]


def check_answer(result: Result, statuses: set[int], secrets: list[str]) -> Iterator[str]:
    """What is wrong with the answer of an action, in words."""
    said = result.stdout + result.stderr
    if result.status not in statuses:
        yield f"status {result.status}, not {' or '.join(map(str, sorted(statuses)))}"
    if result.status not in (0, 7) and said.count("ocf-exit-reason:") != 1:
        yield "not one reason"
    if len(result.reason) > REASON_LENGTH:
        yield "a reason that Pacemaker cuts off"
    if "Traceback" in said or "internal error" in said or "unexpected error" in said:
        yield "an error that nobody foresaw"
    if any(secret in said for secret in secrets):
        yield "a secret is told"
    if len(said.splitlines()) > 12 + result.seconds:
        yield f"{len(said.splitlines())} lines"


def check_state(subject: Subject, case: Case, result: Result, before: object) -> Iterator[str]:
    """What is wrong with what the action leaves, and with what the next one makes of it."""
    if case.action in ("start", "reload-agent"):
        if result.status == 0 and case.action == "start" and not subject.is_right():
            yield "0, but not everything is here"
        if not subject.is_right():
            yield from _repair(subject)
    elif case.action == "stop":
        if not subject.is_off():
            yield "stopped, but not off this node"
        yield from _repair(subject)
    elif subject.state() != before:
        yield "an action that only reads has changed something"


def _repair(subject: Subject) -> Iterator[str]:
    """One start, once all is well again."""
    again = subject.run("start", timeout=40)
    if again.status != 0 or not subject.is_right():
        yield f"the next start does not repair it: {again}"


@dataclass(frozen=True)
class FromNowOn:
    """The call is lost, and from then on something is wrong with each new connection."""

    server: Server
    what: str
    seconds: float

    def around(self, exchange: effects.Exchange, released: threading.Event) -> Response:
        """Begin."""
        if self.what == "refused":
            self.server.refuse(True)
        else:
            self.server.speaks_tls = False
        if self.seconds != float("inf"):
            threading.Timer(max(self.seconds, 0.5), self.end).start()
        return effects.Reset().around(exchange, released)

    def end(self) -> None:
        """Take connections as before."""
        self.server.speaks_tls = True
        self.server.refuse(False)


@contextmanager
def trouble(subject: Subject, case: Case) -> Iterator[None]:
    """The fault of the case is in force."""
    fault, seconds = FAULTS[case.fault], DURATIONS[case.duration]
    if case.call.startswith("/"):
        service, effect, name = subject.node.imds, fault.imds, case.call
    else:
        service, effect, name = subject.node.ec2, fault.ec2, case.call.partition(":")[2]
    assert effect is not None
    lasting = FromNowOn(service.server, fault.connections, seconds) if fault.connections else None
    times = 1 if lasting or not seconds else None
    added = service.faults.add(
        name,
        effect=lasting or effect,
        times=times,
        seconds=None if lasting or seconds == float("inf") else seconds or None,
    )
    try:
        yield
    finally:
        service.faults.remove(added)
        if lasting:
            lasting.end()
