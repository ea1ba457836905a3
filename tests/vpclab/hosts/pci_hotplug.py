"""PCI hot-plug for a node: a link appears when EC2 attaches an ENI, and disappears when EC2 detaches it."""

from __future__ import annotations

import subprocess
import threading

from vpclab.hosts.single_node import SingleNode


class PciHotplug:
    """Keeps the links of a node equal to what EC2 says. The primary ENI is left alone.

    instance_id: of the node, None: whichever the SingleNode is. netns: its network namespace, None: this one.
    """

    def __init__(self, single_node: SingleNode, instance_id: str | None = None, netns: str | None = None):
        self._node = single_node
        self._instance_id = instance_id
        self._ip = ["ip", *(["-n", netns] if netns else [])]
        self._links: dict[str, str] = {}
        self._lock = threading.Lock()
        self.is_stuck = False
        """Whether an attached ENI never appears in the kernel."""

        single_node.ec2.on_change = self.sync

    def sync(self) -> None:
        """Add and remove the links that differ."""
        with self._lock:
            instance_id = self._instance_id or self._node.instance_id
            wanted = {
                eni.mac: f"ens{5 + eni.device_index}"
                for eni in self._node.ec2.vpc().enis
                if eni.instance_id == instance_id and eni.device_index
            }
            for mac in self._links.keys() - wanted.keys():
                self._unplug(self._links.pop(mac))
            for mac in () if self.is_stuck else wanted.keys() - self._links.keys():
                self._links[mac] = name = wanted[mac]
                self._run(f"link add {name} address {mac} mtu 9001 type veth peer name {name}-wire")
                self._run(f"link set {name}-wire up")

    def close(self) -> None:
        """Remove all links, and stop following EC2."""
        self._node.ec2.on_change = lambda: None
        for name in self._links.values():
            self._unplug(name)

    def _unplug(self, name: str) -> None:
        # A veth goes with its other end, whatever somebody has renamed it to.
        self._run(f"link del {name}-wire")

    def _run(self, command: str) -> None:
        subprocess.run([*self._ip, *command.split()], check=True)
