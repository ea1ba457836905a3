"""The lab's client on real networks: an address moves between two network namespaces.

    node1 (10.0.1.11) --- 10.0.1.1 [ client ] 10.0.2.1 --- (10.0.2.12) node2

The client's own route to the address stands in for the route table of a VPC.
"""

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
from vpclab.checkout import CHECKOUT
from vpclab.client import responder
from vpclab.client.watch import Watch

SLACK = 0.25
"""Seconds that two busy processors may add to what takes no time."""
LOST = 0.3
LINKS = {"node1": "10.0.1.{} 2001:db8:1::{}", "node2": "10.0.2.{} 2001:db8:2::{}"}


class Namespace:
    """A network namespace that lives as long as its first process, at most as we do."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            "setpriv --pdeathsig KILL unshare --net".split() + ["sh", "-c", "echo made; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout
        if not self._holder.stdout.readline():
            self.close()
            pytest.skip("may not make a network namespace here")
        self.pid = self._holder.pid
        for key in ("ipv6/conf/default/accept_dad=0", "ipv4/conf/all/rp_filter=0"):
            self.run("sysctl", "-qw", f"net/{key}")
        self.run(*"ip link set lo up".split())

    def popen(self, *command: str, **options: Any) -> subprocess.Popen[Any]:
        dies_with_us = "setpriv --pdeathsig KILL".split()
        return subprocess.Popen([*dies_with_us, *self._inside(*command)], **options)

    def run(self, *command: str) -> None:
        subprocess.run(self._inside(*command), check=True)

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--target={self._holder.pid}", "--net", *command]

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


class Wires:
    """The client, the two nodes, and who has the address."""

    def __init__(self, prefix: str, stack: ExitStack) -> None:
        self.prefix = prefix
        self.address = prefix.partition("/")[0]
        self.client = Namespace()
        stack.callback(self.client.close)
        self.nodes = {name: Namespace() for name in LINKS}
        self.responders = {}
        for name, node in self.nodes.items():
            stack.callback(node.close)
            self._connect(name)
            self.responders[name] = self._respond(name)
            stack.callback(self._end, self.responders[name])

    def _connect(self, name: str) -> None:
        node = self.nodes[name]
        pair = f"ip link add {name} type veth peer name ens5 netns {node.pid}"
        self.client.run(*pair.split())
        for namespace, link, number in ((self.client, name, 1), (node, "ens5", 11)):
            for address in LINKS[name].format(number, number).split():
                length = 64 if ":" in address else 24
                place = f"ip address add {address}/{length} dev {link}"
                namespace.run(*place.split())
            namespace.run(*f"ip link set {link} up".split())

    def _respond(self, name: str) -> subprocess.Popen[Any]:
        command = ["/usr/bin/python3", "-I", responder.__file__, "--name", name]
        return self.nodes[name].popen(*command)

    @staticmethod
    def _end(process: subprocess.Popen[Any]) -> None:
        process.kill()
        process.wait()

    def add(self, name: str) -> None:
        """The address is on the node's link."""
        self.nodes[name].run(*f"ip address add {self.prefix} dev ens5".split())

    def remove(self, name: str) -> None:
        """The address is on the node's link no more."""
        self.nodes[name].run(*f"ip address delete {self.prefix} dev ens5".split())

    def route(self, name: str) -> None:
        """The client's packets to the address go to this node."""
        self.client.run(*f"ip route replace {self.prefix} dev {name}".split())


@pytest.fixture(params=["192.0.2.10/32", "2001:db8:ffff::10/128"])
def wires(request: pytest.FixtureRequest) -> Iterator[Wires]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")
    with ExitStack() as stack:
        yield Wires(request.param, stack)


@pytest.fixture
def watch(wires: Wires) -> Iterator[Watch]:
    """A watch to which node1 answers."""
    wires.add("node1")
    wires.route("node1")
    with Watch(wires.client.popen, [wires.address]) as watch:
        watch.wait_until_answers(wires.address, "node1", 10)
        yield watch


def hosts(watch: Watch) -> list[str | None]:
    """Who answered, one after the other."""
    return [host for host, _ in groupby(stretch.host for stretch in watch.answers)]


def test_move_shows_who_answers_and_how_long_nobody_did(wires: Wires, watch: Watch) -> None:
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


def test_move_with_the_address_first_and_then_the_route_is_no_outage(wires: Wires, watch: Watch) -> None:
    wires.add("node2")
    wires.route("node2")
    watch.wait_until_answers(wires.address, "node2", 5)
    assert watch.outages(minimum=SLACK) == []
    assert hosts(watch) == ["node1", "node2"]


def test_network_that_is_down_counts_as_no_answer(wires: Wires, watch: Watch) -> None:
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


def test_host_that_refuses_counts_as_no_answer(wires: Wires, watch: Watch) -> None:
    killed = time.time()
    wires.responders["node1"].kill()
    watch.wait_until_answers(wires.address, None, 5)
    wires.add("node2")
    wires.route("node2")
    watch.wait_until_answers(wires.address, "node2", 5)
    errors = [outage.errors for outage in watch.outages(since=killed, minimum=0)]
    assert ("Connection refused",) in errors


def test_answers_of_a_host_that_stood_still_come_too_late(wires: Wires, watch: Watch) -> None:
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


def test_answers_that_are_a_little_late_are_no_outage(wires: Wires, watch: Watch) -> None:
    stopped = time.time()
    wires.responders["node1"].send_signal(signal.SIGSTOP)
    watch.wait_until_answers(wires.address, None, 5)
    wires.responders["node1"].send_signal(signal.SIGCONT)
    watch.wait_until_answers(wires.address, "node1", 5)
    assert watch.outages(since=stopped, minimum=0) == []
    assert len(watch.answers) == 1


def test_client_ends_with_the_one_who_reads_it(wires: Wires) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.readline()"],
        stdin=subprocess.PIPE,
    )
    assert reader.stdin
    library = f"PYTHONPATH={CHECKOUT}/lib:{CHECKOUT}/tests"
    command = ["env", library, "/usr/bin/python3", "-s", "-m", "vpclab.client.probe", wires.address]
    watching = wires.client.popen(*command, stdin=subprocess.PIPE, stdout=reader.stdin)
    reader.kill()
    reader.wait()
    reader.stdin.close()
    assert watching.wait(10) == 0
