"""`ocf-aws watch`: outages that are made on real networks, as a person sees them and as a script reads them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cli.conftest import COMMAND
from vpclab.checkout import CHECKOUT
from vpclab.client.wires import Namespace, Wires
from vpclab.hosts.single_node import PYTHON
from vpclab.waiting import wait_until

IPV4, IPV6 = "192.0.2.10/32", "2001:db8:ffff::10/128"
PORT = 5000
LOST = 0.4
SLACK = 0.3
"""Seconds that two busy processors may add to what takes no time."""

NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all".split()

# A service: accepts, says its name if it has one, and closes.
SERVICE = """
import socket, sys
listening = socket.create_server(("", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1000)
print("listening", flush=True)
while True:
    connection, _ = listening.accept()
    try:
        connection.send(" ".join(sys.argv[2:]).replace("RANDOM", str(id(connection))).encode())
    except OSError:
        pass
    connection.close()
"""


class Watching:
    """The command while it runs in a network namespace."""

    def __init__(self, where: Namespace, *words: str, user: list[str] | None = None, python: tuple[str, ...] = ("-s",)):
        command = [*(user or []), PYTHON, "-B", *python, str(CHECKOUT / "packaging/bin/ocf-aws"), "watch", *words]
        # Of a job that a script runs in the background, as these tests may be, Ctrl-C is ignored and handed on.
        self.process = where.popen(
            *"/usr/bin/env --default-signal=INT".split(),
            f"PYTHONPATH={CHECKOUT}/lib",
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str, count: int = 1) -> None:
        """Wait until it has told this so many times."""
        wait_until(
            lambda: len(re.findall(pattern, "".join(self.lines))) >= count, 10, lambda: "".join(self.lines), every=0.02
        )

    def end(self, number: int = signal.SIGINT) -> Watching:
        """Ctrl-C, and wait for it."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> Watching:
        """Wait until it has ended."""
        self.status = self.process.wait(10)
        self._reader.join(5)
        self.stderr = self.process.stderr.read()
        assert "Traceback" not in self.stderr
        return self

    @property
    def results(self) -> list[dict[str, Any]]:
        document = json.loads("".join(self.lines))
        assert (document["version"], document["command"]) == (1, "watch")
        return list(document["results"])


@pytest.fixture
def stack(in_sandbox: None) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def wires(stack: ExitStack) -> Wires:
    """node1 has an IPv4 address, and the client's route leads there."""
    return connected(stack, IPV4)


def connected(stack: ExitStack, prefix: str) -> Wires:
    wires = Wires(prefix, stack)
    wires.add("node1")
    wires.route("node1")
    return wires


def watching(stack: ExitStack, wires: Wires, *words: str, **how: Any) -> Watching:
    """The command on the client."""
    watch = Watching(wires.client, *words, **how)
    stack.callback(watch.process.wait)
    stack.callback(watch.process.kill)
    return watch


def serve(stack: ExitStack, wires: Wires, name: str, *greeting: str) -> subprocess.Popen[Any]:
    """A service on a node, which listens when this returns."""
    process = wires.nodes[name].popen(PYTHON, "-c", SERVICE, str(PORT), *greeting, stdout=subprocess.PIPE)
    stack.callback(process.wait)
    stack.callback(process.kill)
    process.stdout.readline()
    return process


def fail_over(wires: Wires) -> float:
    """Move the address to node2, with a time between in which nobody has it. Returns how long that was."""
    before = time.time()
    wires.remove("node1")
    time.sleep(LOST)  # The length of the outage: what is to be measured.
    wires.add("node2")
    wires.route("node2")
    return time.time() - before


def mac(wires: Wires, name: str) -> str:
    shown = subprocess.run(
        ["nsenter", f"--target={wires.nodes[name].pid}", "--net", *"ip -j link show ens5".split()],
        capture_output=True,
        check=True,
    )
    return str(json.loads(shown.stdout)[0]["address"])


# --- outages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [IPV4, IPV6])
def test_a_failover_is_an_outage_between_two_neighbours(stack: ExitStack, prefix: str, tmp_path: Path) -> None:
    wires = connected(stack, prefix)
    picture = tmp_path / "failover.svg"
    watch = watching(stack, wires, wires.address, "--picture", str(picture))
    one, other = mac(wires, "node1"), mac(wires, "node2")
    watch.wait_for(f"{wires.address}  answers: {one}")
    took = fail_over(wires)
    watch.wait_for(f"{wires.address}  answers again after .*: {other}")
    watch.end()
    assert (watch.status, watch.stderr) == (1, "")
    (lost,) = re.findall(r"1 outage, ([\d.]+) s; available [\d.]+ % of", watch.lines[-2])
    assert took - 0.1 <= float(lost) <= took + SLACK
    assert [line.split()[3:6] for line in watch.lines if "any more" in line] == [["no", "answer", "any"]]
    text = picture.read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert one in text and other in text and f"{lost} s</text>" in text


@pytest.mark.parametrize("prefix", [IPV4, IPV6])
def test_a_service_that_greets_tells_who_answers(stack: ExitStack, prefix: str) -> None:
    wires = connected(stack, prefix)
    for name in ("node1", "node2"):
        serve(stack, wires, name, f"220 {name} at 12:00:0{name[-1]} ready\r\nmore")
    word = f"[{wires.address}]:{PORT}" if ":" in prefix else f"{wires.address}:{PORT}"
    watch = watching(stack, wires, word)
    watch.wait_for("answers: 220 node1 at ready\n")
    fail_over(wires)
    watch.wait_for("answers again after 0.[3-7]. s: 220 node2 at ready")
    assert watch.end().status == 1
    assert watch.lines[-1].startswith(f"{word}: 1 outage, 0.")


def test_a_script_reads_both_addresses_of_one_run(stack: ExitStack, wires: Wires) -> None:
    serve(stack, wires, "node1", "node1")
    serve(stack, wires, "node2", "node2")
    watch = watching(stack, wires, f"{wires.address}:{PORT}", "10.0.1.11", "--output", "json")
    wait_until(lambda: out_echos(wires) > 30, 10, lambda: "no probe was sent")
    fail_over(wires)
    echos = out_echos(wires)
    wait_until(lambda: out_echos(wires) > echos + 30, 10, lambda: "no probe was sent")
    moved, still = watch.end(signal.SIGTERM).results
    assert watch.status == 1
    assert (moved["address"], moved["port"], moved["protocol"]) == (wires.address, PORT, "tcp")
    (outage,) = moved["outages"]
    assert (outage["before"], outage["after"]) == ("node1", "node2")
    assert LOST - 0.1 <= outage["seconds"] <= LOST + SLACK
    assert outage["lost_probes"] > 20
    assert moved["longest_seconds"] == moved["outage_seconds"] == outage["seconds"]
    assert moved["availability"] == pytest.approx(1 - outage["seconds"] / moved["observed_seconds"], abs=0.001)
    assert moved["start"] < outage["start"] < outage["end"] < moved["end"]
    assert [answer["host"] for answer in moved["answers"]] == ["node1", "node2"]
    assert (still["protocol"], still["outages"], still["availability"]) == ("icmp", [], 1)
    assert [answer["host"] for answer in still["answers"]] == [mac(wires, "node1")]


def out_echos(wires: Wires) -> int:
    """How many echo requests the client has sent."""
    counters = Path(f"/proc/{wires.client.pid}/net/snmp").read_text()
    names, values = (line.split() for line in counters.splitlines() if line.startswith("Icmp:"))
    return int(values[names.index("OutEchos")])


def test_a_service_that_does_not_greet_answers_by_its_connections(stack: ExitStack, wires: Wires) -> None:
    process = serve(stack, wires, "node1")
    watch = watching(stack, wires, wires.address, "--port", str(PORT))
    watch.wait_for("answers: ..:")
    process.kill()
    watch.wait_for(r"no answer any more \(Connection refused\)")
    serve(stack, wires, "node1")
    watch.wait_for(r"answers again after .* \(Connection refused\)")
    assert watch.end().status == 1


def test_a_greeting_that_is_never_the_same_names_nobody(stack: ExitStack, wires: Wires) -> None:
    process = serve(stack, wires, "node1", "welcome, client RANDOM")
    watch = watching(stack, wires, f"{wires.address}:{PORT}", "--seconds", "1.5")
    watch.wait_for(f"answers: {mac(wires, 'node1')}")
    assert watch.ended().status == 0, watch.lines
    assert process.poll() is None


def test_packets_that_are_dropped_are_an_outage_that_goes_on(stack: ExitStack, wires: Wires) -> None:
    watch = watching(stack, wires, wires.address)
    watch.wait_for("answers")
    node = wires.nodes["node1"]
    node.run("nft", "add table ip t; add chain ip t in { type filter hook input priority 0; }; add rule ip t in drop")
    watch.wait_for("no answer any more")
    assert watch.end().status == 1
    assert re.search(r"1 outage, [\d.]+ s, it goes on; available", watch.lines[-1])


def test_an_answer_that_is_late_is_no_outage_and_probes_that_hang_stop_no_others(
    stack: ExitStack, wires: Wires
) -> None:
    process = serve(stack, wires, "node1", "node1")
    watch = watching(stack, wires, f"{wires.address}:{PORT}", wires.address)
    watch.wait_for("answers", 2)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)  # How late the answers are.
    process.send_signal(signal.SIGCONT)
    echos = out_echos(wires)
    wait_until(lambda: out_echos(wires) > echos + 20, 10, lambda: "no probe was sent")
    process.send_signal(signal.SIGSTOP)
    watch.wait_for(rf"{PORT}  no answer any more")
    process.send_signal(signal.SIGCONT)
    watch.wait_for(rf"{PORT}  answers again")
    assert watch.end().status == 1
    assert f"{wires.address}:{PORT}: 1 outage" in watch.lines[-2]
    assert f"{wires.address}: no outage in" in watch.lines[-1]


def test_an_address_without_any_answer_could_not_be_measured(stack: ExitStack, wires: Wires) -> None:
    watch = watching(stack, wires, "10.0.1.99", "--seconds", "1.3").ended()
    assert watch.status == 3
    assert "no answer so far" in "".join(watch.lines)
    assert re.search(r"10.0.1.99: no answer in 1\.\d", watch.lines[-1])


def test_a_client_without_a_route_says_so(stack: ExitStack, wires: Wires) -> None:
    watch = watching(stack, wires, "203.0.113.1", "--seconds", "1.2").ended()
    assert watch.status == 3
    assert "no answer so far (Network is unreachable)" in "".join(watch.lines)


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [IPV4, IPV6])
def test_a_user_without_rights_asks_by_a_ping_socket_where_the_kernel_allows_it(stack: ExitStack, prefix: str) -> None:
    wires = connected(stack, prefix)
    wires.client.run("sysctl", "-qw", "net.ipv4.ping_group_range=1 0")
    refused = watching(stack, wires, wires.address, user=NOBODY).ended()
    assert refused.status == 3 and not refused.lines
    assert refused.stderr.count("\n") == 1 and "net.ipv4.ping_group_range='0 2147483647'" in refused.stderr
    wires.client.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
    watch = watching(stack, wires, wires.address, user=NOBODY)
    watch.wait_for(f"answers: {mac(wires, 'node1')}")
    fail_over(wires)
    watch.wait_for(f"answers again after .*: {mac(wires, 'node2')}")
    assert watch.end().status == 1


def test_python_s_standard_library_is_enough(stack: ExitStack, wires: Wires) -> None:
    for words in ([wires.address], [f"{wires.address}:{PORT}"]):
        serve(stack, wires, "node1", "node1") if ":" in words[0] else None
        # Without site-packages: no boto3, no pyroute2.
        watch = watching(stack, wires, *words, "--seconds", "0.5", python=("-S", "-s")).ended()
        assert (watch.status, watch.stderr) == (0, ""), watch.lines


# --- how it is called -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words,said",
    [
        (["10.0.0.300"], "'10.0.0.300' is not an IPv4 or IPv6 address"),
        (["10.1"], "'10.1' is not an IPv4 or IPv6 address"),
        (["10.0.0.1/24"], "'10.0.0.1/24' is not an IPv4 or IPv6 address"),
        (["10.0.0.1:"], "'10.0.0.1:': '' is not a port: 1 to 65535"),
        (["[::1]:70000"], "'[::1]:70000': '70000' is not a port: 1 to 65535"),
        (["10.0.0.1:22", "--port", "23"], "'10.0.0.1:22' names port 22, and --port names 23"),
        (["[::1"], "'[::1' is not [IPV6] or [IPV6]:PORT"),
        (["::"], "'::' is not the address of one host"),
        (["224.0.0.1"], "'224.0.0.1' is not the address of one host"),
        (["fe80::1"], "'fe80::1' is link-local: name the link too, as in fe80::1%ens5"),
        ([""], "'' is not an IPv4 or IPv6 address"),
        (["::1", "--picture", "/nonexistent/a.svg"], "--picture: '/nonexistent/a.svg' cannot be a file"),
        (["::1", "--interval", "0"], "argument --interval: 0 is not within 0.002 and 60 seconds"),
        (["::1", "--seconds", "nan"], "argument --seconds: nan is not within"),
        (["::1", "--port", "ssh"], "argument --port: 'ssh' is not a port"),
    ],
)
def test_a_wrong_command_line_gets_one_clear_line(words: list[str], said: str) -> None:
    done = subprocess.run(
        [*COMMAND, "watch", *words],
        env={"PYTHONPATH": str(CHECKOUT / "lib"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[-1]


def test_a_word_that_is_no_address_needs_a_cluster_that_knows_it(stack: ExitStack, wires: Wires) -> None:
    watch = watching(stack, wires, "rsc_ip").ended()
    assert watch.status == 3
    assert watch.stderr.startswith(
        "ocf-aws: 'rsc_ip' is no address, and no cluster here knows it as a resource: cibadmin"
    )


@pytest.mark.parametrize("silent, status", [(False, 3), (True, 1)])
def test_a_picture_that_finds_no_room_costs_nothing_else(
    stack: ExitStack, wires: Wires, silent: bool, status: int
) -> None:
    watch = watching(stack, wires, wires.address, "--output", "json", "--picture", "/dev/full")
    wait_until(lambda: out_echos(wires) > 30, 10, lambda: "no probe was sent")
    if silent:
        fail_over(wires)
        echos = out_echos(wires)
        wait_until(lambda: out_echos(wires) > echos + 30, 10, lambda: "no probe was sent")
    (measured,) = watch.end().results
    assert (len(measured["outages"]), watch.status) == (int(silent), status)
    assert watch.stderr == "ocf-aws: --picture: /dev/full: No space left on device\n"


# --- on a cluster node ------------------------------------------------------------------------------------------------


def test_a_resource_is_asked_at_its_address_and_its_cluster_is_told(node: Any, tmp_path: Path) -> None:
    node.create_cluster()
    node.create_routes()
    node.report("node1")
    node.shell("ip address add 192.168.10.10/32 dev ens5")
    process = subprocess.Popen(
        [*"/usr/bin/env --default-signal=INT".split(), *COMMAND, "watch", "rsc_ip"],
        env={**node.variables(), "PYTHONPATH": str(CHECKOUT / "lib")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    told = {}
    for line in process.stdout:
        # A line has its time first, but for the summary.
        told[line.rstrip()[25:] if line.startswith("2") else line] = line[:23]
        if "kernel: node1: ens5 192.168.10.10/32, up" in line:
            node.shell("ip address del 192.168.10.10/32 dev ens5")
        if "kernel: node1: not here" in line:
            process.send_signal(signal.SIGINT)
    assert process.wait(10) == 1
    assert "192.168.10.10  answers" in told
    assert "rsc_ip  Pacemaker: Started node1" in told
    (lost,) = [at for text, at in told.items() if text.startswith("192.168.10.10  no answer any more")]
    assert lost < told["rsc_ip  kernel: node1: not here"]
    assert list(told)[-1].startswith("192.168.10.10: 1 outage")


def test_a_resource_may_be_named_after_its_address(node: Any) -> None:
    node.create_cluster()
    node.edit_cib("rsc_ip", "ip_192.168.10.10")
    told = node.run("watch", "ip_192.168.10.10", "--seconds", "0.3", "--output", "json")
    assert [each["address"] for each in told.results] == ["192.168.10.10"]


def test_an_eni_is_asked_at_all_its_addresses(node: Any) -> None:
    answer = node.lab.ec2.operator().create_network_interface(
        SubnetId=node.lab.vpc.subnets["a"], PrivateIpAddress="10.0.1.50"
    )
    node.create_cluster("aws-eni-move", eni_id=answer["NetworkInterface"]["NetworkInterfaceId"])
    told = node.run("watch", "rsc_ip", "--seconds", "0.3", "--output", "json")
    assert [each["address"] for each in told.results] == ["10.0.1.50"]
    assert told.status == 3
