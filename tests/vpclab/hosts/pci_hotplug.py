"""PCI hot-plug for a single node: a link appears when EC2 attaches an ENI, and disappears when EC2 detaches it."""

from __future__ import annotations

import subprocess

from vpclab.hosts.single_node import SingleNode


class PciHotplug:
    """Keeps the links of a SingleNode equal to what EC2 says. The primary ENI is left alone."""

    def __init__(self, single_node: SingleNode):
        self._node = single_node
        self._links: dict[str, str] = {}
        self.is_stuck = False
        """Whether an attached ENI never appears in the kernel."""

        single_node.ec2.on_change = self.sync

    def sync(self) -> None:
        """Add and remove the links that differ."""
        wanted = {
            eni.mac: f"ens{5 + eni.device_index}"
            for eni in self._node.ec2.vpc().enis
            if eni.instance_id == self._node.instance_id and eni.device_index
        }
        for mac in self._links.keys() - wanted.keys():
            _ip(f"link del {self._links.pop(mac)}")
        for mac in () if self.is_stuck else wanted.keys() - self._links.keys():
            self._links[mac] = name = wanted[mac]
            _ip(f"link add {name} address {mac} mtu 9001 type veth peer name {name}-wire")
            _ip(f"link set {name}-wire up")

    def close(self) -> None:
        """Remove all links, and stop following EC2."""
        self._node.ec2.on_change = lambda: None
        for name in self._links.values():
            _ip(f"link del {name}")


def _ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)
