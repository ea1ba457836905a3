"""What the lab's client counts as an answer, and what becomes of its reports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import IO, Any

import pytest

from vpclab.client import probe
from vpclab.client.record import Record, Stretch
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


# ----------------------------------------------------------------------------- watch


def test_command_has_the_script_and_the_addresses() -> None:
    asked: list[Any] = []

    def run(*words: str, **pipes: int) -> Any:
        asked.append((words, pipes))
        return Reports()

    with Watch(run, [ADDRESS], script="/client.py", interval=0.02):
        pass
    words = f"/usr/bin/python3 -I /client.py --interval 0.02 watch {ADDRESS}".split()
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


# ---------------------------------------------------------------------------- record


def record(*stretches: tuple[str | None, float, float]) -> Record:
    return Record({ADDRESS: tuple(Stretch(ADDRESS, *s, probes=1) for s in stretches)})


def test_silence_before_the_first_answer_is_no_outage() -> None:
    assert record((None, 0, 5), ("node1", 5, 6)).outages() == []


def test_silence_at_the_end_is_an_outage_that_goes_on() -> None:
    (outage,) = record(("node1", 0, 5), (None, 5, 6)).outages()
    assert (outage.seconds, outage.after) == (1, None)


def test_short_silence_is_no_outage_and_does_not_cut_an_answer_in_two() -> None:
    seen = record(("node1", 0, 5), (None, 5, 5.04), ("node1", 5.04, 6))
    assert seen.outages() == []
    assert seen.answers(ADDRESS) == [Stretch(ADDRESS, "node1", 0, 6, probes=2)]
    assert len(seen.outages(minimum=0.03)) == 1


def test_outages_that_had_ended_are_left_out() -> None:
    seen = record(("node1", 0, 1), (None, 1, 2), ("node1", 2, 3), (None, 3, 4))
    assert [outage.start for outage in seen.outages(since=2.5)] == [3]


# ---------------------------------------------------------------------------- client


class Responder:
    """Answers as the test wants it to."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        port = self.socket.getsockname()[1]
        self.target = probe.Target("127.0.0.1", port, time.time())

    def probe(self) -> bytes:
        self.target.probe()
        packet, self._client = self.socket.recvfrom(512)
        return packet

    def answer(self, packet: bytes, host: str) -> None:
        self.socket.sendto(packet + host.encode(), self._client)
        self.target.hear()


@pytest.fixture
def responder() -> Iterator[Responder]:
    responder = Responder()
    yield responder
    responder.socket.close()
    responder.target.socket.close()


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tells the hosts of the stretches that were reported since the last call."""
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(probe, "write", lambda **line: lines.append(line))

    def reported() -> list[str | None]:
        found = [line["host"] for line in lines]
        lines.clear()
        return found

    return reported


def test_change_reports_the_old_stretch_and_the_new_one(responder: Responder, hosts: Any) -> None:
    responder.answer(responder.probe(), "node1")
    assert hosts() == [None, "node1"]
    responder.answer(responder.probe(), "node2")
    assert hosts() == ["node1", "node2"]


def test_answer_to_an_earlier_probe_does_not_count(responder: Responder, hosts: Any) -> None:
    earlier, later = responder.probe(), responder.probe()
    responder.answer(later, "node2")
    hosts()
    responder.answer(earlier, "node1")
    responder.answer(later, "node1")
    assert hosts() == []


def test_answer_to_another_run_does_not_count(responder: Responder, hosts: Any) -> None:
    mark, _, sequence, sent = probe.PROBE.unpack(responder.probe())
    responder.answer(probe.PROBE.pack(mark, bytes(8), sequence, sent), "node1")
    responder.answer(b"not an answer", "node1")
    assert hosts() == []


def test_answer_that_comes_too_late_does_not_count(
    responder: Responder, hosts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = time.time_ns() - int(probe.STALE * 1.1e9)
    monkeypatch.setattr("vpclab.client.probe.time.time_ns", lambda: sent)
    responder.answer(responder.probe(), "node1")
    assert hosts() == []


def test_silence_needs_probes_that_nobody_answered(responder: Responder, hosts: Any) -> None:
    responder.answer(responder.probe(), "node1")
    hosts()
    later = time.time() + 1
    responder.probe()
    responder.target.judge(later)
    assert hosts() == []
    responder.probe()
    responder.target.judge(later)
    assert hosts() == ["node1", None]
