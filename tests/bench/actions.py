"""How long an action takes, and how much memory: ours beside what users run today, in one run on one machine.

Whole processes, as Pacemaker starts them; medians. EC2 is emulated and answers in milliseconds: what remains is the agents.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vpclab.checkout import CHECKOUT
from vpclab.hosts.single_node import PYTHON, SingleNode

IP = "192.168.10.10"
CIDR = f"{IP}/32"
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
HEARTBEAT = "/usr/lib/ocf/resource.d/heartbeat"


class Contender:
    """An agent with a resource definition."""

    def __init__(self, single_node: SingleNode, command: list[str], **parameters: str):
        self._command = command
        self._environ = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(single_node.directory),
            "OCF_ROOT": "/usr/lib/ocf",
            "OCF_RESOURCE_INSTANCE": "rsc_ip",
            "OCF_RESKEY_CRM_meta_timeout": "180000",
            "OCF_RESKEY_CRM_meta_interval": "10000",
            "HA_LOGFACILITY": "daemon",
            "PYTHONPATH": str(CHECKOUT / "lib"),
            "AWS_CA_BUNDLE": str(single_node.ca),
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
        }

    def __call__(self, action: str) -> float:
        """Run an action; returns its seconds. Raises RuntimeError if it fails."""
        started = time.perf_counter()
        done = subprocess.run([*self._command, action], env=self._environ, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            raise RuntimeError(f"{self._command} {action}: exit status {done.returncode}: {done.stderr}")
        return seconds

    def peak(self, action: str) -> float:
        """Run an action; returns its peak memory (MiB)."""
        # A child's peak starts with that of the process it is forked from: a small one has to come in between.
        command = [PYTHON, "-I", "-c", _PEAK, *self._command, action]
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, check=True)
        return int(done.stdout.splitlines()[-1]) / 1024


def median(times: int, contender: Contender, action: str, before: Callable[[], object] = lambda: None) -> float:
    """Median of the seconds of some runs, each after `before`."""
    runs = []
    for _ in range(times):
        before()
        runs.append(contender(action))
    return statistics.median(runs)


def compare(title: str, theirs: float, ours: float) -> None:
    """Print one line of the table."""
    print(f"{title:44} {theirs:8.3f} s {ours:8.3f} s {ours / theirs:8.3f}", flush=True)


def main() -> None:
    """Measure, and print the table."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as directory, SingleNode(Path(directory)) as single_node:
        measure(single_node, times)


def measure(single_node: SingleNode, times: int) -> None:
    """All measurements, on one instance."""
    operator = single_node.ec2.operator()
    single_node.disable_source_dest_check()
    other = single_node.primary_eni("node2")
    vpc_id = operator.describe_vpcs()["Vpcs"][-1]["VpcId"]
    tables = list(single_node.vpc.route_tables.values())
    while len(tables) < 20:
        tables.append(operator.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"])
    for table in tables:
        operator.create_route(RouteTableId=table, DestinationCidrBlock=CIDR, NetworkInterfaceId=other)
    aws = single_node.directory / ".aws"
    aws.mkdir()
    (aws / "config").write_text("[default]\nregion = eu-central-1\noutput = text\n")

    def give_away() -> None:
        ours(1)("stop")
        for table in tables:
            operator.replace_route(RouteTableId=table, DestinationCidrBlock=CIDR, NetworkInterfaceId=other)

    agent = [PYTHON, "-s", str(CHECKOUT / "agents/aws-overlay-ip")]
    shell = [f"{HEARTBEAT}/aws-vpc-move-ip"]

    def ours(count: int, **more: str) -> Contender:
        return Contender(single_node, agent, ip=IP, routing_table=",".join(tables[:count]), **more)

    def theirs(count: int, **more: str) -> Contender:
        return Contender(
            single_node, shell, ip=IP, routing_table=",".join(tables[:count]), interface=single_node.link, **more
        )

    ipaddr2 = Contender(single_node, [f"{HEARTBEAT}/IPaddr2"], ip=IP, nic=single_node.link, cidr_netmask="32")
    print(f"{'':44} {'today':>10} {'ours':>10} {'ratio':>8}")
    for count, runs in ((1, times), (20, max(1, times // 9))):
        word = f"{count} table{'s' if count > 1 else ''}"
        shell_start = median(runs, theirs(count), "start", give_away)
        our_start = median(times, ours(count), "start", give_away)
        compare(f"start, {word}", shell_start, our_start)
        shell_monitor = median(runs, theirs(count, monapi="true"), "monitor")
        compare(f"monitor with the route tables, {word}", shell_monitor, median(times, ours(count), "monitor"))
    local = median(times * 3, ours(1, monapi="false"), "monitor")
    compare("monitor, local, beside aws-vpc-move-ip", median(times * 3, theirs(1), "monitor"), local)
    compare("monitor, local, beside IPaddr2", median(times * 3, ipaddr2, "monitor"), local)
    stops = [median(times, agent, "stop", lambda: ours(1)("start")) for agent in (theirs(1), ours(1))]
    compare("stop", *stops)
    compare("stop of nothing", median(times, theirs(1), "stop"), median(times, ours(1), "stop"))
    print(f"{'peak memory of a start':44} {theirs(1).peak('start'):6.1f} MiB {ours(1).peak('start'):6.1f} MiB")
    print(f"{'peak memory of a local monitor':44} {'':>10} {ours(1, monapi='false').peak('monitor'):6.1f} MiB")


if __name__ == "__main__":
    main()
