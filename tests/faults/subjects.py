"""What is attacked: a resource of each agent on a node, put into a known state before each attack."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ocf_aws.kernel.policy_routing import default_table
from vpclab.ec2.identity import ACCOUNT
from vpclab.hosts.single_node import Result, SingleNode

IP = "192.168.10.10"
CIDR = f"{IP}/32"
OWNER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/route-tables"
_LOOKS = "-brief link", "-oneline address", "rule", "-6 rule", "route show table all", "-6 route show table all"

# How each action of the table is asked for: its name, and how.
HOW: dict[str, tuple[str, dict[str, Any]]] = {
    "start": ("start", {}),
    "monitor": ("monitor", {"interval": 10}),
    "monitor 10": ("monitor", {"interval": 10, "level": 10}),
    "probe": ("monitor", {}),
    "stop": ("stop", {}),
    "validate-all 10": ("validate-all", {"level": 10}),
    "reload-agent": ("reload-agent", {}),
}


def ip(command: str) -> str:
    """Run `ip` with this command line and return what it prints."""
    return subprocess.run(["ip", *command.split()], check=True, capture_output=True, text=True).stdout


def kernel() -> list[str]:
    """All that an agent may change in the kernel, but for what the kernel numbers anew with each link."""
    lines = "\n".join(ip(look) for look in _LOOKS).splitlines()
    return [re.sub(r"@\S+|^\d+: ", "", line) for line in lines if not line.startswith("multicast")]


class Subject:
    """A resource under attack."""

    agent: str
    parameters: dict[str, str]

    def __init__(self, node: SingleNode):
        self.node = node
        self.operator = node.ec2.operator()

    def run(self, action: str, **how: Any) -> Result:
        """Run an action, by its name in the table of promises. how: as SingleNode.run, and more parameters."""
        name, usual = HOW[action]
        parameters = {**self.parameters, **how.pop("parameters", {})}
        environ = {"HA_RSCTMP": str(self.node.directory / "state"), **how.pop("environ", {})}
        run = how.pop("by", self.node.run)
        result: Result = run(self.agent, name, parameters, environ=environ, **{**usual, **how})
        return result

    def prepare(self, action: str) -> None:
        """Bring everything into the state in which the action is asked for."""
        if action in ("start", "validate-all 10"):
            self.reset()
        elif not self.is_right():
            self.reset()
            self.bring_here()
        if action == "reload-agent":
            self.disturb()

    @contextmanager
    def other_node(self) -> Iterator[None]:
        """This node is node2, which has just booted, for so long."""
        self.power_on()
        node, here, eni, directory = self.node, self.node.instance_id, self.node.eni, self.node.directory
        node.instance_id, node.eni = node.hosts["node2"], node.primary_eni("node2")
        node.directory = directory / "node2"
        mac = node.describe_eni(node.eni)["MacAddress"]
        before = node.describe_eni(eni)["MacAddress"]
        ip(f"link set {node.link} address {mac}")
        node.ec2.on_change()
        try:
            yield
        finally:
            ip(f"link set {node.link} address {before}")
            node.instance_id, node.eni, node.directory = here, eni, directory
            node.ec2.on_change()

    def power_on(self) -> None:
        """Let node2 run, and let go of every ENI that it is to let go."""
        self.node.ec2.stuck.clear()
        node2 = self.node.hosts["node2"]
        if self.power(node2) != "running":
            self.operator.start_instances(InstanceIds=[node2])
            wait(lambda: self.power(node2) == "running")

    def power(self, instance_id: str) -> str:
        """The state of an instance (running, stopped, ...)."""
        found = self.operator.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
        return str(found["State"]["Name"])

    def bring_here(self) -> None:
        """Let the resource run here."""
        result = self.run("start", timeout=40)
        assert result.status == 0 and self.is_right(), result

    def reset(self) -> None:
        """Let nothing of the resource be here, and everything at the other node."""
        raise NotImplementedError

    def disturb(self) -> None:
        """Take away something that a reload brings back."""
        raise NotImplementedError

    def is_right(self) -> bool:
        """Whether the resource runs here, completely."""
        raise NotImplementedError

    def is_off(self) -> bool:
        """Whether the kernel has nothing of it."""
        raise NotImplementedError

    def holders(self) -> list[str]:
        """The instances to which EC2 sends packets for the resource."""
        raise NotImplementedError

    def state(self) -> object:
        """All that an action that only reads must leave as it is."""
        return kernel(), self.holders()


class OverlayIp(Subject):
    """An overlay IP in three route tables of this account."""

    agent = "aws-overlay-ip"

    def __init__(self, node: SingleNode):
        super().__init__(node)
        self.tables = dict(node.vpc.route_tables)
        self.parameters = {"ip": IP, "routing_table": " ".join(self.tables.values()), "api_timeout": "2"}
        self.elsewhere = node.primary_eni("node2")

    def prepare(self, action: str) -> None:
        self.node.ec2.state.shared.clear()
        super().prepare(action)

    def reset(self) -> None:
        self.node.ec2.state.shared.clear()
        self._set_check(False)
        for table in self.tables:
            self._set_route(table, self.elsewhere)
        if CIDR in self.node.addresses():
            ip(f"address del {CIDR} dev {self.node.link}")

    def disturb(self) -> None:
        self._set_route("b", self.elsewhere)

    def is_right(self) -> bool:
        return CIDR in self.node.addresses() and self.holders() == [self.node.eni] * len(self.tables)

    def is_off(self) -> bool:
        return CIDR not in self.node.addresses()

    def holders(self) -> list[str]:
        return [str(self.node.holder(table, CIDR)) for table in self.tables]

    def _set_check(self, is_on: bool) -> None:
        for host in ("node1", "node2"):
            self.operator.modify_network_interface_attribute(
                NetworkInterfaceId=self.node.primary_eni(host), SourceDestCheck={"Value": is_on}
            )

    def _set_route(self, table: str, eni: str | None) -> None:
        if self.node.holder(table, CIDR):
            self.operator.delete_route(RouteTableId=self.tables[table], DestinationCidrBlock=CIDR)
        if eni:
            self.node.create_route(table, CIDR, eni)


class SharedOverlayIp(OverlayIp):
    """An overlay IP in route tables of another account, one of them without a route, the source/destination check on."""

    def __init__(self, node: SingleNode):
        super().__init__(node)
        more = {"routing_table_role": OWNER_ROLE, "source_dest_check": "disable", "delete_route_on_stop": "true"}
        self.parameters.update(more)

    def prepare(self, action: str) -> None:
        self.node.ec2.share(self.tables.values(), OWNER_ROLE)
        Subject.prepare(self, action)

    def reset(self) -> None:
        super().reset()
        self.node.ec2.share(self.tables.values(), OWNER_ROLE)
        self._set_check(True)
        self._set_route("clients", None)

    def is_right(self) -> bool:
        return super().is_right() and not self.node.describe_eni(self.node.eni)["SourceDestCheck"]


class EniMove(Subject):
    """An ENI that node2 has."""

    agent = "aws-eni-move"
    addresses = ("10.0.1.50", "10.0.1.51")
    index = 1
    """Device index at node2."""

    def __init__(self, node: SingleNode):
        super().__init__(node)
        self.id = self.operator.create_network_interface(
            SubnetId=node.vpc.subnets["a"],
            PrivateIpAddresses=[{"PrivateIpAddress": a, "Primary": a == self.addresses[0]} for a in self.addresses],
        )["NetworkInterface"]["NetworkInterfaceId"]
        self.parameters = {"eni_id": self.id, "monapi": "true", "api_timeout": "2"}

    def reset(self) -> None:
        self.power_on()
        if self.holders() != [self.node.hosts["node2"]]:
            self.detach()
            self.attach("node2")
        subprocess.run("ip rule flush protocol 203", shell=True, check=True)
        for file in (self.node.directory / "state").glob("*"):
            file.unlink()

    def disturb(self) -> None:
        ip(f"address del {self.addresses[1]}/32 dev {self.link}")

    def is_right(self) -> bool:
        wanted = {f"{address}/32" for address in self.addresses}
        return (
            wanted <= self.node.addresses()
            and "state DOWN" not in ip(f"link show {self.link}")
            and self.holders() == [self.node.instance_id]
            and ip("rule").count(f"lookup {self.table}") == len(wanted)
        )

    def is_off(self) -> bool:
        addresses = {f"{address}/32" for address in self.addresses}
        return not addresses & self.node.addresses() and self.table not in ip("rule") + ip("route show table all")

    @property
    def link(self) -> str:
        """Name of the link that has the first address."""
        return ip(f"-oneline address show to {self.addresses[0]}/32").split()[1]

    @property
    def table(self) -> str:
        """Number of the ENI's routing table."""
        return str(default_table(self.id))

    def holders(self) -> list[str]:
        attachment = self._attachment()
        return [attachment["InstanceId"]] if attachment.get("Status") in ("attaching", "attached") else []

    def attach(self, host: str) -> None:
        """Let a host have the ENI, which is attached to none."""
        answer = self.operator.attach_network_interface(
            NetworkInterfaceId=self.id, InstanceId=self.node.hosts[host], DeviceIndex=self.index
        )
        change = {"AttachmentId": answer["AttachmentId"], "DeleteOnTermination": True}
        self.operator.modify_network_interface_attribute(NetworkInterfaceId=self.id, Attachment=change)

    def detach(self) -> None:
        """Let no host have the ENI."""
        attachment = self._attachment()
        if attachment:
            self.operator.detach_network_interface(AttachmentId=attachment["AttachmentId"], Force=True)
        wait(lambda: not self._attachment())

    def _attachment(self) -> dict[str, Any]:
        found = self.operator.describe_network_interfaces(NetworkInterfaceIds=[self.id])["NetworkInterfaces"][0]
        return dict(found.get("Attachment") or {})


class EniOfAStoppedHolder(EniMove):
    """An ENI that a stopped node2 does not let go but by force."""

    addresses = ("10.0.1.60", "10.0.1.61")
    index = 2

    def reset(self) -> None:
        super().reset()
        node2 = self.node.hosts["node2"]
        self.operator.stop_instances(InstanceIds=[node2])
        wait(lambda: self.power(node2) == "stopped")
        self.node.ec2.stuck.add(self.id)

    def power_on(self) -> None:
        super().power_on()
        if self._attachment().get("Status") == "detaching":
            # With the boot of its holder EC2 ends a detach for which nobody was there.
            self.detach()

    def bring_here(self) -> None:
        super().bring_here()
        self.node.ec2.stuck.discard(self.id)


def wait(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until the condition holds. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
