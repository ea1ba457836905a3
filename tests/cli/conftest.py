"""The command as a person runs it on a node: a process of its own, a real kernel, the emulated EC2, a cluster's CIB."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vpclab.checkout import CHECKOUT
from vpclab.fixtures import single_node  # noqa: F401
from vpclab.hosts.single_node import PYTHON, SingleNode

PACEMAKER = Path("/etc/default/pacemaker")
IP = "192.168.10.10"
CIDR = f"{IP}/32"


@dataclass(frozen=True)
class Told:
    """What the command printed, its exit status, and the seconds that it took."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def results(self) -> list[dict[str, Any]]:
        document = json.loads(self.stdout)
        assert document["version"] == 1
        results: list[dict[str, Any]] = document["results"]
        return results

    def named(self, name: str) -> list[dict[str, Any]]:
        """The results of that name."""
        return [each for each in self.results if each["name"] == name]


class Node:
    """A node on which the command runs. cib: file of the cluster's configuration, None without a cluster."""

    def __init__(self, lab: SingleNode, directory: Path):
        self.lab = lab
        self.directory = directory
        self.cib: Path | None = None
        self.settings: dict[str, str] = {"AWS_CA_BUNDLE": str(lab.ca)}
        self.file = directory / "pacemaker"
        self.file.touch()

    def run(self, *words: str, environ: dict[str, str] | None = None, timeout: float = 60) -> Told:
        """Run the command."""
        self.file.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        variables = {
            "PATH": os.environ.get("CLI_PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "PYTHONPATH": str(CHECKOUT / "lib"),
            "HOME": str(self.directory),
            **({"CIB_file": str(self.cib)} if self.cib else {}),
            **(environ or {}),
        }
        start = time.monotonic()
        done = subprocess.run(
            [PYTHON, "-B", str(CHECKOUT / "packaging/bin/ocf-aws"), *words],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert "Traceback" not in done.stderr
        return Told(done.returncode, done.stdout, done.stderr, time.monotonic() - start)

    def check(self, *words: str, **how: Any) -> Told:
        """Run `ocf-aws check`, for scripts."""
        return self.run("check", *words, "--output", "json", **how)

    def overlay_ip(self, **parameters: str) -> list[str]:
        """The words that name an overlay IP in all route tables."""
        tables = ",".join(self.lab.vpc.route_tables.values())
        given = {"ip": IP, "routing_table": tables, **parameters}
        return ["aws-overlay-ip", *(f"{name}={value}" for name, value in given.items())]

    def create_routes(self, host: str = "node1") -> None:
        """An entry in each table."""
        for name in self.lab.vpc.route_tables:
            self.lab.create_route(name, CIDR, self.lab.primary_eni(host))

    def make_healthy(self) -> None:
        """What the guides tell an administrator to do before there is a resource."""
        self.lab.disable_source_dest_check()
        operator = self.lab.ec2.operator()
        operator.modify_network_interface_attribute(
            NetworkInterfaceId=self.lab.primary_eni("node2"), SourceDestCheck={"Value": False}
        )
        operator.authorize_security_group_ingress(
            GroupId=self.lab.vpc.security_group_id,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}],
        )
        for direction in (False, True):
            acl = operator.describe_network_acls()["NetworkAcls"][0]["NetworkAclId"]
            operator.create_network_acl_entry(
                NetworkAclId=acl, RuleNumber=101, Protocol="-1", RuleAction="allow", Egress=direction, Ipv6CidrBlock="::/0"
            )


@pytest.fixture
def node(single_node: SingleNode, tmp_path: Path) -> Iterator[Node]:  # noqa: F811
    """A node with all that the guides ask for, and no cluster."""
    made = Node(single_node, tmp_path)
    subprocess.run(["mount", "--bind", str(made.file), str(PACEMAKER)], check=True)
    try:
        made.make_healthy()
        yield made
    finally:
        subprocess.run(["umount", str(PACEMAKER)], check=True)
