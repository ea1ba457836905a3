"""The sandbox as one instance: an agent runs as Pacemaker runs it, against the emulated EC2.

The kernel and the agent's process are real. There is no cluster, and packets go nowhere. It starts much faster than a
whole lab, and is enough for everything that one action does.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpclab.authority import Authority
from vpclab.checkout import CHECKOUT
from vpclab.ec2 import Ec2
from vpclab.ec2.imds import Imds
from vpclab.plan import DEFAULT, Plan, build_vpc, run_hosts

PYTHON = os.environ.get("AGENT_PYTHON", "/usr/bin/python3")
"""The interpreter that runs the agents: the distribution's, with the distribution's boto3 and pyroute2."""


@dataclass(frozen=True)
class Result:
    """What one action came to: exit status, output, the exit reason (empty without one), seconds it took."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def reason(self) -> str:
        """The last exit reason, as Pacemaker finds it."""
        return (
            self.stderr.rpartition("ocf-exit-reason:")[2].partition("\n")[0]
            if "ocf-exit-reason:" in self.stderr
            else ""
        )


class SingleNode:
    """The sandbox as the host `node1` of a plan; a context manager. Needs a sandbox around it.

    ec2, imds: the emulated services, at their real names and addresses. vpc: ids by the names of the plan.
    hosts: instance ids by name. link: name of the link of the primary ENI. eni: its id. directory: for files of a test.
    authority: what certified them. ca: file with its certificate.
    """

    def __init__(self, directory: Path, plan: Plan = DEFAULT):
        self.ec2 = Ec2(plan.region)
        self.vpc = build_vpc(self.ec2, plan)
        self.hosts = run_hosts(self.ec2, plan, self.vpc)
        self.instance_id = self.hosts["node1"]
        self.imds = Imds(self.ec2, identify=lambda address: self.instance_id)
        self.link = "ens5"
        self.eni = self.primary_eni("node1")
        self.directory = directory
        self._plan = plan

    def __enter__(self) -> SingleNode:
        self.authority = Authority(self._plan.region)
        self.ca = self.directory / "ca.pem"
        self.ca.write_text(self.authority.pem)
        hosts = self.directory / "hosts"
        hosts.write_text("127.0.0.1 localhost " + " ".join(self.authority.names) + "\n")
        _run("mount", "--bind", str(hosts), "/etc/hosts")
        _run("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
        mac = self.describe_eni(self.eni)["MacAddress"]
        _run("ip", "link", "add", self.link, "address", mac, "type", "veth", "peer", "name", "wire")
        _run("ip", "link", "set", "wire", "up")
        _run("ip", "link", "set", self.link, "up")
        self.ec2.listen(socket.create_server(("127.0.0.1", 443)), self.authority.context())
        self.imds.listen(socket.create_server(("169.254.169.254", 80)))
        return self

    def __exit__(self, *exception: object) -> None:
        self.imds.close()
        self.ec2.close()
        _run("ip", "link", "del", self.link)
        _run("ip", "address", "del", "169.254.169.254/32", "dev", "lo")
        _run("umount", "/etc/hosts")

    def primary_eni(self, host: str) -> str:
        """Id of the primary ENI of a host."""
        enis = self.ec2.operator().describe_network_interfaces(
            Filters=[{"Name": "attachment.instance-id", "Values": [self.hosts[host]]}]
        )["NetworkInterfaces"]
        return str(enis[0]["NetworkInterfaceId"])

    def describe_eni(self, eni_id: str) -> dict[str, str]:
        """An ENI in EC2's words."""
        answer = self.ec2.operator().describe_network_interfaces(NetworkInterfaceIds=[eni_id])
        return dict(answer["NetworkInterfaces"][0])

    def holder(self, table: str, destination: str) -> str | None:
        """The ENI to which a route table (by its name in the plan) sends a destination; None without an entry."""
        table_id = self.vpc.route_tables[table]
        found = self.ec2.operator().describe_route_tables(RouteTableIds=[table_id])["RouteTables"][0]
        for route in found["Routes"]:
            if destination in (route.get("DestinationCidrBlock"), route.get("DestinationIpv6CidrBlock")):
                return str(route["NetworkInterfaceId"])
        return None

    def create_route(self, table: str, destination: str, eni: str) -> None:
        """Make an entry, as an administrator does."""
        kind = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
        self.ec2.operator().create_route(
            RouteTableId=self.vpc.route_tables[table], NetworkInterfaceId=eni, **{kind: destination}
        )

    def disable_source_dest_check(self) -> None:
        """Turn off the check of the primary ENI, as an administrator does."""
        self.ec2.operator().modify_network_interface_attribute(
            NetworkInterfaceId=self.eni, SourceDestCheck={"Value": False}
        )

    def addresses(self) -> set[str]:
        """All addresses on the links of this instance, with their prefix lengths."""
        lines = _run("ip", "-oneline", "address", "show").splitlines()
        return {line.split()[3] for line in lines}

    def run(self, agent: str, action: str, parameters: dict[str, str], *, timeout: float = 20, **how: Any) -> Result:
        """Run one action of an agent, as Pacemaker does.

        timeout: seconds that Pacemaker gives it; one that takes longer fails the test, as Pacemaker would kill it.
        how: as in `begin`.
        """
        started = time.monotonic()
        process = self.begin(agent, action, parameters, timeout=timeout, **how)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        result = Result(process.returncode, stdout, stderr, time.monotonic() - started)
        # Whatever happens, a person gets one whole line of what Pacemaker keeps (EXIT_REASON_MAX_LEN).
        assert len(result.reason) <= 127, result.reason
        assert "Traceback" not in stderr or "HA_debug" in (how.get("environ") or {}), stderr
        assert result.status == 7 or bool(result.reason) == (result.status != 0), result
        return result

    def begin(
        self,
        agent: str,
        action: str,
        parameters: dict[str, str],
        *,
        timeout: float = 20,
        interval: float = 0,
        level: int = 0,
        environ: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> subprocess.Popen[str]:
        """Begin an action, in a process group of its own as Pacemaker does.

        interval: seconds, of a recurring monitor; 0 for a probe. level: the check level.
        prefix: a command that runs the agent (strace, setpriv).
        """
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(CHECKOUT / "lib"),
            "AWS_CA_BUNDLE": str(self.ca),
            "HOME": str(self.directory),
            "OCF_ROOT": "/usr/lib/ocf",
            "OCF_RA_VERSION_MAJOR": "1",
            "OCF_RESOURCE_INSTANCE": "rsc_ip",
            "OCF_CHECK_LEVEL": str(level),
            "OCF_RESKEY_CRM_meta_timeout": str(int(timeout * 1000)),
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
            **(environ or {}),
        }
        if interval:
            variables["OCF_RESKEY_CRM_meta_interval"] = str(int(interval * 1000))
        # By its path, one that is installed.
        command = [agent] if agent.startswith("/") else [PYTHON, "-B", str(CHECKOUT / "agents" / agent)]
        return subprocess.Popen(
            [*prefix, *command, action],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
