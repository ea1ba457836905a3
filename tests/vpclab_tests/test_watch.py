"""What becomes of the reports of the lab's client."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import IO, Any

import pytest

from ocf_aws.cli.outages.record import Stretch
from vpclab.client.watch import ClientEnded, Watch

ADDRESS = "192.0.2.10"


class Reports:
    """Stands in for the process of a client: reports what it is told to."""

    def __init__(self, silent: bool = False) -> None:
        read, write = os.pipe()
        self.stdin: IO[str] = open(os.devnull, "w")
        self.stdout: IO[str] = open(read)
        self._reports = open(write, "w", buffering=1)
        if not silent:
            self.seen(None, 0.0, 0.0)

    def seen(self, host: str | None, start: float, end: float, **more: Any) -> None:
        line = {"address": ADDRESS, "host": host, "start": start, "end": end}
        self.say(**line, **{"probes": 1, "errors": [], **more})

    def say(self, **line: Any) -> None:
        self._reports.write(json.dumps(line) + "\n")

    def end(self) -> None:
        self._reports.close()

    def wait(self, timeout: float) -> int:
        self.end()
        return 0


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def watch(reports: Reports) -> Iterator[Watch]:
    with Watch(lambda *words, **pipes: reports, [ADDRESS]) as running:  # type: ignore
        yield running


def test_command_has_the_library_and_the_addresses() -> None:
    asked: list[Any] = []

    def run(*words: str, **pipes: int) -> Any:
        asked.append((words, pipes))
        return Reports()

    with Watch(run, [ADDRESS], library="/client", interval=0.02):
        pass
    program = "env PYTHONPATH=/client /usr/bin/python3 -s -m vpclab.client.probe"
    words = f"{program} --interval 0.02 {ADDRESS}".split()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    assert asked == [(tuple(words), pipes)]


def test_start_fails_when_the_client_ends_at_once() -> None:
    process = Reports(silent=True)
    process.end()
    with pytest.raises(ClientEnded):
        Watch(lambda *words, **pipes: process, [ADDRESS]).start()  # type: ignore
    assert process.stdin.closed


def test_longer_report_of_a_stretch_replaces_the_shorter_one(watch: Watch, reports: Reports) -> None:
    reports.seen("node1", 1.0, 1.1)
    reports.seen("node1", 1.0, 1.2, probes=20)
    reports.seen(None, 1.2, 1.23)
    watch.stop()
    assert watch.answers == [Stretch(ADDRESS, "node1", 1.0, 1.2, 20)]


def test_outage_tells_who_answered_before_and_after(watch: Watch, reports: Reports) -> None:
    reports.seen("node1", 1.0, 2.0)
    reports.seen(None, 2.0, 2.5, probes=50, errors=["No route to host"])
    reports.seen("node2", 2.5, 2.5)
    watch.wait_until_answers(ADDRESS, "node2", 5)
    (outage,) = watch.outages()
    assert (outage.before, outage.after) == ("node1", "node2")
    assert (outage.start, outage.seconds) == (2.0, 0.5)
    assert outage.errors == ("No route to host",)


def test_stalls_of_the_client_are_kept(watch: Watch, reports: Reports) -> None:
    reports.say(stalled=0.2, end=1.5)
    reports.seen("node1", 1.6, 1.6)
    watch.wait_until_answers(ADDRESS, "node1", 5)
    assert watch.record.stalls == ((1.5, 0.2),)


def test_waiting_in_vain_tells_who_answers_instead(watch: Watch, reports: Reports) -> None:
    reports.seen("node1", 1.0, 1.0)
    watch.wait_until_answers(ADDRESS, "node1", 5)
    with pytest.raises(TimeoutError, match=f"node2 .*: node1 at {ADDRESS}"):
        watch.wait_until_answers(ADDRESS, "node2", 0.01)


def test_nobody_is_said_to_answer_when_the_client_has_ended(watch: Watch, reports: Reports) -> None:
    reports.seen("node1", 1.0, 1.0)
    reports.end()
    with pytest.raises(ClientEnded):
        watch.wait_until_answers(ADDRESS, "node2", 5)
    with pytest.raises(ClientEnded):
        watch.answering(ADDRESS)
    assert watch.answers
