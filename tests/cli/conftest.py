"""The command as a person runs it on a node: a process of its own, a real kernel, the emulated EC2, a cluster's CIB."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest

from vpclab.checkout import CHECKOUT
from vpclab.fixtures import single_node  # noqa: F401
from vpclab.hosts.single_node import PYTHON, SingleNode
from vpclab.sandbox import STATE

COMMAND = [PYTHON, "-B", str(CHECKOUT / "packaging/bin/ocf-aws")]

IP = "192.168.10.10"
CIDR = f"{IP}/32"


@contextmanager
def unread_pipe() -> Iterator[int]:
    """The end of a pipe for its writer, whose reader has closed the other: `| head` that has read enough."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


CIB = """\
<cib validate-with="pacemaker-3.9" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1" dc-uuid="1">
  <configuration>
    <crm_config>
      <cluster_property_set id="cib-bootstrap-options">
        <nvpair id="stonith-enabled" name="stonith-enabled" value="true"/>
      </cluster_property_set>
    </crm_config>
    <nodes><node id="1" uname="node1"/><node id="2" uname="node2"/></nodes>
    <resources>
      <primitive id="fence" class="stonith" type="fence_aws">
        <instance_attributes id="fence-ia">
          <nvpair id="fence-region" name="region" value="eu-central-1"/>
          <nvpair id="fence-map" name="pcmk_host_map" value="node1:{node1};node2:{node2}"/>
        </instance_attributes>
      </primitive>
      <primitive id="service" class="ocf" provider="pacemaker" type="Dummy"/>
      <primitive id="rsc_ip" class="ocf" provider="aws" type="{type}">
        <instance_attributes id="rsc_ip-ia">{parameters}</instance_attributes>
        <meta_attributes id="rsc_ip-meta">
          <nvpair id="rsc_ip-failure-timeout" name="failure-timeout" value="600"/>
        </meta_attributes>
        <operations>
          <op id="rsc_ip-start" name="start" interval="0s" timeout="180s"/>
          <op id="rsc_ip-stop" name="stop" interval="0s" timeout="180s"/>
          <op id="rsc_ip-monitor" name="monitor" interval="60s" timeout="60s"/>
        </operations>
      </primitive>
    </resources>
    <constraints>
      <rsc_colocation id="ip-with-service" rsc="rsc_ip" with-rsc="service" score="INFINITY"/>
    </constraints>
    <rsc_defaults><meta_attributes id="rsc-options">
      <nvpair id="rsc-options-stickiness" name="resource-stickiness" value="1000"/>
    </meta_attributes></rsc_defaults>
  </configuration>
  <status/>
</cib>
"""


NODE_STATE = """\
<node_state id="{number}" uname="{node}" in_ccm="true" crmd="online" join="member" expected="member">
  <lrm id="{number}"><lrm_resources>
    <lrm_resource id="rsc_ip" class="ocf" provider="aws" type="{type}">{operation}</lrm_resource>
  </lrm_resources></lrm>
</node_state>
"""
OPERATION = """\
<lrm_rsc_op id="rsc_ip_last_0" operation_key="rsc_ip_start_0" operation="start" crm_feature_set="3.16.2"
  transition-key="5:1:0:9e4a8f0e-0000-4000-8000-000000000000" call-id="10" rc-code="{rc}" op-status="{op_status}" interval="0"
  transition-magic="{op_status}:{rc};5:1:0:9e4a8f0e-0000-4000-8000-000000000000" exit-reason="{reason}" on_node="{node}"/>
"""


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

    def statuses(self) -> set[str]:
        """The statuses of all findings."""
        return {each["status"] for each in self.results}


class Node:
    """A node on which the command runs, with all that the guides ask for. cib: file of a cluster's configuration."""

    def __init__(self, lab: SingleNode, directory: Path):
        self.lab = lab
        self.directory = directory
        self.cib: Path | None = None
        self.environ: dict[str, str] = {}
        self.programs = directory / "bin"
        self.programs.mkdir()
        Path("/etc/default/pacemaker").write_text(f"AWS_CA_BUNDLE={lab.ca}\n")
        # pcs takes the file of a configuration by an option alone; and the agents of the checkout are not installed.
        self.write_program("pcs", '#!/bin/sh\nexec /usr/sbin/pcs -f "$CIB_file" "$@" --force\n')
        self.write_program("aws", '#!/bin/sh\nexec /usr/bin/aws "$@"\n')

    def write_program(self, name: str, text: str) -> None:
        """A program that comes first in the PATH."""
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, *words: str, timeout: float = 60, stdout: int = subprocess.PIPE, **environ: str) -> Told:
        """Run the command. stdout: where it prints, if that is not to be told."""
        start = time.monotonic()
        done = subprocess.run(
            # Of a job that a script runs in the background, as these tests may be, Ctrl-C is ignored and handed on.
            [*"/usr/bin/env --default-signal=INT".split(), *COMMAND, *words],
            env={**self._command_variables(), **environ},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout,
        )
        assert "Traceback" not in done.stderr
        return Told(done.returncode, done.stdout or "", done.stderr, time.monotonic() - start)

    @contextmanager
    def start(self, *words: str) -> Iterator[TextIO]:
        """Run the command until the end of the block; yields what it prints."""
        with subprocess.Popen(
            ["timeout", "60", *COMMAND, *words],
            env=self._command_variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout
            try:
                yield running.stdout
            finally:
                running.terminate()

    @contextmanager
    def start_on_terminal(self, *words: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
        """Run the command on a terminal of its own; yields the terminal, to be closed by the block, and the process."""
        terminal, its_end = pty.openpty()
        running = subprocess.Popen(
            ["setsid", "--ctty", *COMMAND, *words],
            env=self._command_variables(),
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
        )
        os.close(its_end)
        try:
            yield terminal, running
        finally:
            running.kill()
            running.wait()

    def _command_variables(self) -> dict[str, str]:
        return {**self.variables(), "PYTHONPATH": str(CHECKOUT / "lib"), **self.environ}

    def check(self, *words: str, **how: Any) -> Told:
        """Run `ocf-aws check`, for scripts."""
        return self.run("check", *words, "--output", "json", **how)

    def shell(self, command: str) -> None:
        """Run a command as an administrator, to whom AWS forbids nothing. Raises RuntimeError with what it said."""
        done = subprocess.run(
            ["bash", "-euc", command],
            env={**self.variables(), **self._operator()},
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")

    def variables(self) -> dict[str, str]:
        """The environment of a person on this node."""
        return {
            "PATH": f"{self.programs}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.directory),
            **({"CIB_file": str(self.cib)} if self.cib else {}),
        }

    def _operator(self) -> dict[str, str]:
        from vpclab.ec2.identity import OPERATOR, Principal

        known = self.lab.ec2.identities.of(Principal(OPERATOR))
        return {
            "AWS_ACCESS_KEY_ID": known.access_key_id,
            "AWS_SECRET_ACCESS_KEY": known.secret_access_key,
            "AWS_SESSION_TOKEN": known.session_token,
            "AWS_DEFAULT_REGION": self.lab.ec2.region,
            "AWS_CA_BUNDLE": str(self.lab.ca),
            "AWS_PAGER": "",
        }

    # --- what is on the node ------------------------------------------------------------------------------------------

    def tables(self, *names: str) -> str:
        """Ids of route tables by their names in the plan; all without any."""
        return ",".join(self.lab.vpc.route_tables[name] for name in names or self.lab.vpc.route_tables)

    def overlay_ip(self, **parameters: str) -> list[str]:
        """The words that name an overlay IP in all route tables."""
        given = {"ip": IP, "routing_table": self.tables(), **parameters}
        return ["aws-overlay-ip", *(f"{name}={value}" for name, value in given.items())]

    def create_cluster(self, type: str = "aws-overlay-ip", **parameters: str) -> None:
        """A configuration of two nodes, with the resource rsc_ip and whatever a sound one has."""
        if type == "aws-overlay-ip":
            parameters = {"ip": IP, "routing_table": self.tables(), **parameters}
        pairs = "".join(f'<nvpair id="rsc_ip-{n}" name="{n}" value="{v}"/>' for n, v in parameters.items())
        self.cib = self.directory / "cib.xml"
        self.cib.write_text(CIB.format(type=type, parameters=pairs, **self.lab.hosts))

    def report(self, *nodes: str, rc: int = 0, reason: str = "") -> None:
        """Let the cluster have the resource started on these nodes, as the executors there said."""
        assert self.cib
        text = self.cib.read_text()
        type = "aws-eni-move" if "aws-eni-move" in text else "aws-overlay-ip"
        states = ""
        for number, node in enumerate(("node1", "node2"), 1):
            operation = (
                OPERATION.format(node=node, rc=rc, op_status=4 if rc else 0, reason=reason) if node in nodes else ""
            )
            states += NODE_STATE.format(number=number, node=node, type=type, operation=operation)
        self.cib.write_text(text.partition("<status")[0] + f"<status>{states}</status></cib>")

    def edit_cib(self, old: str, new: str) -> None:
        """Change the configuration as text."""
        assert self.cib
        text = self.cib.read_text()
        assert old in text
        self.cib.write_text(text.replace(old, new))

    def set(self, **parameters: str) -> None:
        """Set parameters of rsc_ip."""
        for name, value in parameters.items():
            self.shell(f"crm_resource --resource rsc_ip --set-parameter {name} --parameter-value '{value}'")

    def create_routes(self, host: str = "node1", *names: str) -> None:
        """An entry in each table, or in those."""
        for name in names or self.lab.vpc.route_tables:
            self.lab.create_route(name, CIDR, self.lab.primary_eni(host))

    def serve_by_second_enis(self, index: int = 1) -> dict[str, str]:
        """Let ens6 carry the address on both nodes, and node2 serve; returns its ENIs by node, where the check is off.

        At the primary ENIs the check stays on. index: device index of the one at node2.
        """
        operator = self.lab.ec2.operator()
        self.lab.ec2.times.attach = 0
        enis = {}
        for host, subnet, place in (("node1", "a", 1), ("node2", "b", index)):
            created = operator.create_network_interface(
                SubnetId=self.lab.vpc.subnets[subnet], Groups=[self.lab.vpc.security_group_id]
            )
            enis[host] = str(created["NetworkInterface"]["NetworkInterfaceId"])
            primary = self.lab.primary_eni(host)
            operator.attach_network_interface(
                NetworkInterfaceId=enis[host],
                InstanceId=self.lab.hosts[host],
                DeviceIndex=place,
                NetworkCardIndex=0,
            )
            for eni, is_on in ((primary, True), (enis[host], False)):
                operator.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": is_on})
        mac = self.lab.describe_eni(enis["node1"])["MacAddress"]
        self.shell(
            f"ip link add ens6 address {mac} type veth peer name wire6; ip link set wire6 up; ip link set ens6 up"
        )
        self.create_cluster(interface="ens6")
        for table in self.lab.vpc.route_tables:
            self.lab.create_route(table, CIDR, enis["node2"])
        self.report("node2")
        return enis

    def answer_elsewhere(self) -> None:
        """Let something that is not this node answer at the address; nothing does any more when the test ends."""
        self.shell(
            f"ip netns add elsewhere; ip link add out type veth peer name in netns elsewhere;"
            f" ip link set out up; ip -n elsewhere link set in up; ip -n elsewhere link set lo up;"
            f" ip address add 172.20.0.1/24 dev out; ip -n elsewhere address add 172.20.0.2/24 dev in;"
            f" ip -n elsewhere address add {CIDR} dev in; ip route add {CIDR} via 172.20.0.2"
        )

    def forget_instance(self, host: str) -> None:
        """Let neither the fencing device nor a tag nor a DNS name tell which instance a node is."""
        self.edit_cib(f"{host}:{self.lab.hosts[host]}", "")
        self.lab.ec2.operator().delete_tags(Resources=[self.lab.hosts[host]], Tags=[{"Key": "Name"}])

    def make_remote(self, definition: str) -> None:
        """Let node2 be a node of Pacemaker Remote, which this resource defines."""
        self.edit_cib('<node id="2" uname="node2"/>', "")
        self.edit_cib('<primitive id="service" class="ocf" provider="pacemaker" type="Dummy"/>', definition)
        self.edit_cib('<node_state id="2"', '<node_state id="node2" remote_node="true"')

    def make_healthy(self) -> None:
        """What the guides tell an administrator to do before there is a resource."""
        operator = self.lab.ec2.operator()
        for host in ("node1", "node2"):
            operator.modify_network_interface_attribute(
                NetworkInterfaceId=self.lab.primary_eni(host), SourceDestCheck={"Value": False}
            )
        clients = [{"CidrIp": "10.0.0.0/16"}]
        operator.authorize_security_group_ingress(
            GroupId=self.lab.vpc.security_group_id,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "IpRanges": clients}],
        )
        acl = operator.describe_network_acls()["NetworkAcls"][0]["NetworkAclId"]
        for is_egress in (False, True):
            operator.create_network_acl_entry(
                NetworkAclId=acl,
                RuleNumber=101,
                Protocol="-1",
                RuleAction="allow",
                Egress=is_egress,
                Ipv6CidrBlock="::/0",
            )


def allow_what_policy_prints(node: Node) -> None:
    """The rights of the agent alone: they do not tell of other instances."""
    node.lab.ec2.allow(node.lab.instance_id, json.loads(node.run("policy", "rsc_ip", "--minimal").stdout))


def forget_node2(node: Node) -> None:
    """Nobody tells which instance node2 is."""
    node.forget_instance("node2")


UNKNOWN_PEERS = [allow_what_policy_prints, forget_node2]
"""Why it may not be known which instance the other node is."""

REMOTE_NODES = {
    "remote": '<primitive id="node2" class="ocf" provider="pacemaker" type="remote"/>'
    '<primitive id="service" class="ocf" provider="pacemaker" type="Dummy"/>',
    "guest": '<primitive id="service" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="service-meta">'
    '<nvpair id="service-node" name="remote-node" value="node2"/></meta_attributes></primitive>',
}
"""What defines node2 as a node of Pacemaker Remote."""


@pytest.fixture
def private_etc(in_sandbox: None, tmp_path: Path) -> Iterator[None]:
    """A copy of /etc for the test alone, where no service is enabled, and the name of a node."""
    layers = STATE / f"etc-{os.getpid()}-{time.monotonic_ns()}"
    for name in ("upper", "work"):
        (layers / name).mkdir(parents=True)
    options = f"lowerdir=/etc,upperdir={layers}/upper,workdir={layers}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, "/etc"], check=True)
    for service in Path("/etc/systemd/system").glob("*.wants/*"):
        service.unlink()
    subprocess.run(["hostname", "node1"], check=True)
    yield
    subprocess.run(["umount", "--lazy", "/etc"], check=True)


@pytest.fixture
def node(private_etc: None, single_node: SingleNode, tmp_path: Path) -> Iterator[Node]:  # noqa: F811
    """A node with all that the guides ask for, and no cluster."""
    made = Node(single_node, tmp_path)
    made.make_healthy()
    yield made
    # What a fault planted outside of /etc must not meet the tests of other files, in the same namespaces.
    subprocess.run(["ip", "link", "del", "ens6"], capture_output=True)
    subprocess.run(["ip", "netns", "del", "elsewhere"], capture_output=True)
    Path("/run/udev/control").unlink(missing_ok=True)
