"""How long an action takes, and what else it costs: ours beside what users run today, and beside floors, in one run.

Whole processes, as Pacemaker starts them. Usage: actions.py [--against REVISION] [--runs N] [--quick] RESULT.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from bench.contenders import BUNDLE, HEARTBEAT, Contender, Entry, installed, measure
from ocf_aws import eni_state
from ocf_aws.eni_state import EniState
from ocf_aws.ip import IpAddress, IpNetwork
from ocf_aws.kernel.link import require_link
from ocf_aws.kernel.netlink import Rtnl
from ocf_aws.kernel.policy_routing import LinkConfig, default_table
from ocf_aws.ocf.log import Log
from vpclab.checkout import CHECKOUT
from vpclab.ec2.effects import Delay
from vpclab.hosts.single_node import PYTHON, SingleNode

IP = "192.168.10.10"
CIDR = f"{IP}/32"
ENI = "eni-0123456789abcdef0"
LATENCIES = (0, 50, 200)
"""Milliseconds that EC2 takes for a call."""
TABLES = (1, 2, 5, 10, 20, 50)
HERE = Path(__file__).parent


class Bench:
    """One instance with all contenders on it. against: another revision's checkout."""

    def __init__(self, node: SingleNode, against: Path | None, runs: int, is_quick: bool):
        self._node, self._runs, self._is_quick = node, runs, is_quick
        self.rows: list[dict[str, object]] = []
        self._bundle = node.directory / "bundle.pem"
        self._bundle.write_text(BUNDLE.read_text() + node.ca.read_text())
        self._agents = {"ours": installed(node.directory / "ours")}
        if against:
            self._agents["before"] = installed(node.directory / "before", against)
        self._operator = node.ec2.operator()
        node.disable_source_dest_check()
        self._other = node.primary_eni("node2")
        self._tables = self._create_tables(max(TABLES))
        aws = node.directory / ".aws"
        aws.mkdir()
        (aws / "config").write_text("[default]\nregion = eu-central-1\noutput = text\n")

    def _create_tables(self, count: int) -> list[str]:
        vpc_id = self._operator.describe_vpcs()["Vpcs"][-1]["VpcId"]
        tables = list(self._node.vpc.route_tables.values())
        while len(tables) < count:
            tables.append(self._operator.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"])
        for table in tables:
            self._operator.create_route(RouteTableId=table, DestinationCidrBlock=CIDR, NetworkInterfaceId=self._other)
        return tables

    # --- contenders ---------------------------------------------------------------------------------------------------

    def _overlay_ip(self, who: str, tables: int = 1, **more: str) -> Contender:
        command, environ = self._agents[who]("aws-overlay-ip")
        named = ",".join(self._tables[:tables])
        return Contender(self._node, self._bundle, command, environ, ip=IP, routing_table=named, **more)

    def _eni_move(self, who: str) -> Contender:
        command, environ = self._agents[who]("aws-eni-move")
        environ = {**environ, "HA_RSCTMP": str(self._node.directory)}
        return Contender(self._node, self._bundle, command, environ, eni_id=ENI)

    def _move_ip(self, tables: int = 1, **more: str) -> Contender:
        named = ",".join(self._tables[:tables])
        parameters = {"ip": IP, "routing_table": named, "interface": self._node.link, **more}
        return Contender(self._node, self._bundle, [str(HEARTBEAT / "aws-vpc-move-ip")], {}, **parameters)

    def _ipaddr2(self) -> Contender:
        parameters = {"ip": IP, "nic": self._node.link, "cidr_netmask": "32"}
        return Contender(self._node, self._bundle, [str(HEARTBEAT / "IPaddr2")], {}, **parameters)

    def _floor(self, script: str) -> Contender:
        environ = {"ENI": self._node.eni, "LINK": self._node.link}
        command = [PYTHON, "-IB", str(HERE / script)]
        return Contender(self._node, self._bundle, command, environ, ip=IP, routing_table=self._tables[0])

    # --- states -------------------------------------------------------------------------------------------------------

    def _add_address(self) -> None:
        subprocess.run(["ip", "address", "replace", CIDR, "dev", self._node.link], check=True)

    def _remove_address(self) -> None:
        subprocess.run(["ip", "address", "del", CIDR, "dev", self._node.link], capture_output=True)

    def _lead(self, eni: str, count: int) -> None:
        for table in self._tables[:count]:
            self._operator.replace_route(RouteTableId=table, DestinationCidrBlock=CIDR, NetworkInterfaceId=eni)

    def _give_away(self, count: int) -> Callable[[], None]:
        def act() -> None:
            self._remove_address()
            self._lead(self._other, count)

        return act

    def _configure_eni(self) -> None:
        """What a start of aws-eni-move leaves: a link with all that it is to have, and the record of it."""
        link = require_link("wire")
        addresses, subnets = (IpAddress.parse("10.0.9.9"),), (IpNetwork.parse("10.0.9.0/24"),)
        state = EniState(link.mac, default_table(ENI), addresses, (), subnets)
        log = Log("bench", ENI, {}, sys.stderr)
        eni_state.save({"HA_RSCTMP": str(self._node.directory)}, ENI, state, log)
        with Rtnl() as rtnl:
            LinkConfig(state.table, addresses, (), subnets).apply(rtnl, link)

    @contextmanager
    def _latency(self, milliseconds: int) -> Iterator[None]:
        if not milliseconds:
            yield
            return
        with self._node.ec2.faults.add(caller=self._node.instance_id, effect=Delay(milliseconds / 1000)):
            yield

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _row(self, work: str, entries: dict[str, Entry], *, tables: int = 0, latency: int = 0) -> None:
        runs = self._runs if tables or latency else self._runs * 3
        costs = measure(entries, runs)
        shown = "  ".join(f"{who} {cost.seconds * 1000:.0f}" for who, cost in costs.items())
        print(f"{work}, {tables} tables, {latency} ms: {shown}", flush=True)
        self.rows.append(
            {
                "work": work,
                "tables": tables,
                "latency": latency,
                "costs": {who: asdict(cost) for who, cost in costs.items()},
            }
        )

    def _of_all(self, make: Callable[[str], Contender], action: str, before: Callable[[], None]) -> dict[str, Entry]:
        return {who: Entry(make(who), action, before) for who in self._agents}

    def local(self) -> None:
        """What asks nobody but the kernel."""
        for work, action, before in (
            ("monitor, local", "monitor", self._add_address),
            ("stop of nothing", "stop", self._remove_address),
            ("stop", "stop", self._add_address),
        ):
            entries = self._of_all(lambda who: self._overlay_ip(who, monapi="false"), action, before)
            entries["IPaddr2"] = Entry(self._ipaddr2(), action, before)
            entries["aws-vpc-move-ip"] = Entry(self._move_ip(), action, before)
            self._row(work, entries)
        self._remove_address()
        entries = self._of_all(self._overlay_ip, "meta-data", lambda: None)
        entries["IPaddr2"] = Entry(self._ipaddr2(), "meta-data")
        entries["python3 -IS"] = Entry(
            Contender(self._node, self._bundle, [PYTHON, "-ISB", "-c", "pass"], {}), "meta-data"
        )
        self._row("meta-data", entries)
        self._configure_eni()
        self._row("aws-eni-move: monitor", self._of_all(self._eni_move, "monitor", lambda: None))

    def cloud(self) -> None:
        """What asks EC2, by its latency and by the number of tables."""
        for latency in LATENCIES:
            with self._latency(latency):
                for tables in TABLES:
                    if self._is_quick and tables not in (1, 20):
                        continue
                    if tables in (1, 20) or not latency:
                        self._start(tables, latency)
                        self._monitor(tables, latency)

    def _start(self, tables: int, latency: int) -> None:
        before = self._give_away(tables)
        entries = self._of_all(lambda who: self._overlay_ip(who, tables), "start", before)
        if tables == 1:
            entries["boto3"] = Entry(self._floor("plain_boto3.py"), "start", before)
            entries["by hand"] = Entry(self._floor("by_hand.py"), "start", before)
        if tables == 1 or (tables <= 5 and not latency and not self._is_quick):
            entries["aws-vpc-move-ip"] = Entry(self._move_ip(tables), "start", before, share=0.2)
        self._row("start", entries, tables=tables, latency=latency)

    def _monitor(self, tables: int, latency: int) -> None:
        self._add_address()
        self._lead(self._node.eni, tables)
        entries = self._of_all(lambda who: self._overlay_ip(who, tables), "monitor", lambda: None)
        if tables == 1:
            entries["boto3"] = Entry(self._floor("plain_boto3.py"), "monitor")
            entries["by hand"] = Entry(self._floor("by_hand.py"), "monitor")
        if tables == 1 or (tables <= 5 and not latency and not self._is_quick):
            entries["aws-vpc-move-ip"] = Entry(self._move_ip(tables, monapi="true"), "monitor", share=0.2)
        self._row("monitor with the route tables", entries, tables=tables, latency=latency)
        self._remove_address()


@contextmanager
def checkout_of(revision: str | None) -> Iterator[Path | None]:
    """A work tree of another revision; None without one."""
    if revision is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory, "tree")
        git = ["git", "-C", str(CHECKOUT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), revision], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def main() -> None:
    """Measure, print a line for each row, and write them all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", metavar="REVISION", help="another revision to measure in the same run")
    parser.add_argument("--runs", type=int, default=15, help="of what asks EC2; three times as many of what does not")
    parser.add_argument("--quick", action="store_true", help="1 and 20 tables only")
    parser.add_argument("result", type=Path, help="file to write")
    options = parser.parse_args()
    with (
        checkout_of(options.against) as against,
        tempfile.TemporaryDirectory() as directory,
        SingleNode(Path(directory)) as node,
    ):
        bench = Bench(node, against, options.runs, options.quick)
        bench.local()
        bench.cloud()
    options.result.parent.mkdir(parents=True, exist_ok=True)
    options.result.write_text(json.dumps(bench.rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
