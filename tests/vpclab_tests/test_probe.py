"""The lab's client on real networks: an address moves between two network namespaces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from typing import Any

import pytest

from ocf_aws.cli.outages.target import SILENCE
from vpclab.checkout import PYTHONPATH
from vpclab.client import responder
from vpclab.client.watch import Watch
from vpclab.client.wires import LINKS, Wires

SLACK = 0.25
"""Seconds that two busy processors may add to what takes no time."""
LOST = 0.3


class Served(Wires):
    """Wires on which both nodes respond."""

    def __init__(self, prefix: str, stack: ExitStack) -> None:
        super().__init__(prefix, stack)
        self.responders = {}
        for name in self.nodes:
            self.responders[name] = self._respond(name)
            stack.callback(self._end, self.responders[name])

    def _respond(self, name: str) -> subprocess.Popen[Any]:
        command = ["/usr/bin/python3", "-I", responder.__file__, "--name", name]
        return self.nodes[name].popen(*command)

    @staticmethod
    def _end(process: subprocess.Popen[Any]) -> None:
        process.kill()
        process.wait()


@pytest.fixture(params=["192.0.2.10/32", "2001:db8:ffff::10/128"])
def wires(request: pytest.FixtureRequest) -> Iterator[Served]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")
    with ExitStack() as stack:
        try:
            made = Served(request.param, stack)
        except PermissionError as error:
            pytest.skip(str(error))
        yield made


@pytest.fixture
def watch(wires: Served) -> Iterator[Watch]:
    """A watch to which node1 answers."""
    wires.add("node1")
    wires.route("node1")
    with Watch(wires.client.popen, [wires.address]) as watch:
        watch.wait_until_answers(wires.address, "node1", 10)
        yield watch


def hosts(watch: Watch) -> list[str | None]:
    """Who answered, one after the other."""
    return [host for host, _ in groupby(stretch.host for stretch in watch.answers)]


def test_move_shows_who_answers_and_how_long_nobody_did(wires: Served, watch: Watch) -> None:
    lost = time.time()
    wires.remove("node1")
    silent = watch.wait_until_answers(wires.address, None, 5)
    assert watch.answering(wires.address) is None
    wires.add("node2")
    time.sleep(LOST)  # The length of the outage: what is to be measured.
    before = time.time()
    wires.route("node2")
    answered = watch.wait_until_answers(wires.address, "node2", 5)
    assert watch.answering(wires.address) == "node2"
    assert lost - SILENCE <= silent <= lost + SLACK
    assert before <= answered <= before + SLACK
    (outage,) = watch.outages(since=lost, minimum=LOST)
    assert (outage.before, outage.after) == ("node1", "node2")
    assert (outage.start, outage.end) == (silent, answered)
    assert hosts(watch) == ["node1", "node2"]


def test_move_with_the_address_first_and_then_the_route_is_no_outage(wires: Served, watch: Watch) -> None:
    wires.add("node2")
    wires.route("node2")
    watch.wait_until_answers(wires.address, "node2", 5)
    assert watch.outages(minimum=SLACK) == []
    assert hosts(watch) == ["node1", "node2"]


def test_network_that_is_down_counts_as_no_answer(wires: Served, watch: Watch) -> None:
    down = time.time()
    wires.client.run(*"ip link set node1 down".split())
    watch.wait_until_answers(wires.address, None, 5)
    wires.client.run(*"ip link set node1 up".split())
    if ":" in wires.address:
        # The kernel drops the IPv6 addresses of a link that goes down.
        address = LINKS["node1"].format(1, 1).split()[1]
        wires.client.run(*f"ip address add {address}/64 dev node1".split())
    wires.route("node1")
    watch.wait_until_answers(wires.address, "node1", 10)
    errors = [outage.errors for outage in watch.outages(since=down, minimum=0)]
    assert ("Network is unreachable",) in errors
    assert hosts(watch) == ["node1"]


def test_host_that_refuses_counts_as_no_answer(wires: Served, watch: Watch) -> None:
    killed = time.time()
    wires.responders["node1"].kill()
    watch.wait_until_answers(wires.address, None, 5)
    wires.add("node2")
    wires.route("node2")
    watch.wait_until_answers(wires.address, "node2", 5)
    errors = [outage.errors for outage in watch.outages(since=killed, minimum=0)]
    assert ("Connection refused",) in errors


def test_answers_of_a_host_that_stood_still_come_too_late(wires: Served, watch: Watch) -> None:
    wires.responders["node1"].send_signal(signal.SIGSTOP)
    watch.wait_until_answers(wires.address, None, 5)
    wires.add("node2")
    wires.route("node2")
    watch.wait_until_answers(wires.address, "node2", 5)
    wires.responders["node1"].send_signal(signal.SIGCONT)
    # Their answers, had they counted, would have made node1 answer again by now.
    with pytest.raises(TimeoutError):
        watch.wait_until_answers(wires.address, "node1", 0.5)
    assert hosts(watch) == ["node1", "node2"]


def test_answers_that_are_a_little_late_are_no_outage(wires: Served, watch: Watch) -> None:
    stopped = time.time()
    wires.responders["node1"].send_signal(signal.SIGSTOP)
    watch.wait_until_answers(wires.address, None, 5)
    wires.responders["node1"].send_signal(signal.SIGCONT)
    watch.wait_until_answers(wires.address, "node1", 5)
    assert watch.outages(since=stopped, minimum=0) == []
    assert len(watch.answers) == 1


def test_client_ends_with_the_one_who_reads_it(wires: Served) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.readline()"],
        stdin=subprocess.PIPE,
    )
    assert reader.stdin
    library = f"PYTHONPATH={PYTHONPATH}"
    command = ["env", library, "/usr/bin/python3", "-s", "-m", "vpclab.client.probe", wires.address]
    watching = wires.client.popen(*command, stdin=subprocess.PIPE, stdout=reader.stdin)
    reader.kill()
    reader.wait()
    reader.stdin.close()
    assert watching.wait(10) == 0
