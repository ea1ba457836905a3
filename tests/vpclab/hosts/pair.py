"""Two nodes without a cluster: the sandbox as `node1`, a network namespace as `node2`, one emulated EC2 for both."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

from vpclab import sandbox
from vpclab.ec2.imds import Imds
from vpclab.hosts.pci_hotplug import PciHotplug
from vpclab.hosts.single_node import Result, SingleNode
from vpclab.plan import Plan

_READ = "link show\naddress show\nrule show\nroute show table all\n"


class Node:
    """One of the two.

    instance_id: of it in EC2. eni: id of its primary ENI. link: the link of that. imds: what it asks. netns: name of its
    network namespace, None for the sandbox's own.
    """

    def __init__(self, single: SingleNode, name: str, imds: Imds, netns: str | None = None):
        self.name = name
        self.instance_id = single.hosts[name]
        self.eni = single.primary_eni(name)
        self.link = single.link
        self.imds = imds
        self.netns = netns
        self._single = single
        self.state = single.directory / f"{name}-state"
        """Directory in which the agents keep what they know (HA_RSCTMP)."""

    def ip(self, command: str, **how: Any) -> str:
        """What `ip` prints. how: as subprocess.run."""
        netns = ["-n", self.netns] if self.netns else []
        how = {"check": True, **how}
        done = subprocess.run(["ip", *netns, *command.split()], capture_output=True, text=True, **how)
        return str(done.stdout)

    def kernel(self) -> list[str]:
        """All links, addresses, rules and routes, a line each."""
        return [
            line
            for family in ("-oneline -4", "-oneline -6")
            for line in self.ip(f"{family} -batch -", input=_READ).splitlines()
            # What the kernel makes itself some time after a link is up.
            if not line.startswith("multicast") and "fe80:" not in line
        ]

    def run(self, agent: str, action: str, parameters: dict[str, str], **how: Any) -> Result:
        """Run an action here. how: as SingleNode.run."""
        prefix = ["ip", "netns", "exec", self.netns] if self.netns else []
        environ = {"HA_RSCTMP": str(self.state), **how.pop("environ", {})}
        return self._single.run(agent, action, parameters, environ=environ, prefix=prefix, **how)


class Pair:
    """Both nodes; a context manager. Needs a sandbox around it.

    single: what they have in common, and `node1`. nodes: by name.
    """

    def __init__(self, single: SingleNode, plan: Plan):
        self.single = single
        self._plan = plan
        self.imds2 = Imds(single.ec2, identify=lambda address: single.hosts["node2"])
        self.nodes = {
            "node1": Node(single, "node1", single.imds),
            "node2": Node(single, "node2", self.imds2, "node2"),
        }

    def __enter__(self) -> Pair:
        node1, node2 = self.nodes.values()
        node1.ip("netns add node2")
        node2.ip("link set lo up")
        node2.ip("address add 169.254.169.254/32 dev lo")
        mac = self.single.describe_eni(node2.eni)["MacAddress"]
        node2.ip(f"link add {node2.link} address {mac} type veth peer name wire")
        node2.ip("link set wire up")
        node2.ip(f"link set {node2.link} up")
        for node in self.nodes.values():
            host = next(host for host in self._plan.hosts if host.name == node.name)
            subnet = self._plan.subnet(host.subnet)
            node.ip(f"address add {host.address}/{subnet.cidr.partition('/')[2]} dev {node.link}")
            node.ip(f"route add default via {subnet.cidr.rpartition('.')[0]}.1 dev {node.link}")
        self.single.ec2.listen(sandbox.listen("node2", "127.0.0.1", 443), self.single.authority.context())
        self.imds2.listen(sandbox.open_in("node2", lambda: socket.create_server(("169.254.169.254", 80))))
        self._hotplugs = [PciHotplug(self.single, node.instance_id, node.netns) for node in self.nodes.values()]
        self.single.ec2.on_change = self._sync
        return self

    def __exit__(self, *exception: object) -> None:
        self.imds2.close()
        for hotplug in self._hotplugs:
            hotplug.close()
        self.nodes["node1"].ip("netns del node2")

    def other(self, node: Node) -> Node:
        """The other node."""
        return next(each for each in self.nodes.values() if each is not node)

    def _sync(self) -> None:
        for hotplug in self._hotplugs:
            hotplug.sync()
