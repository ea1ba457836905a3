"""The PCI slots of the one instance that a sandbox is: links come and go with the ENIs that EC2 attaches and detaches."""

from __future__ import annotations

import subprocess

from vpclab.solo import Solo


class Slots:
    """Keeps the links of a Solo equal to what EC2 says, but for its primary ENI's."""

    def __init__(self, solo: Solo):
        self._solo = solo
        self._plugged: dict[str, str] = {}
        self.is_stuck = False
        """Whether the kernel never gets to see what is attached."""

        solo.ec2.on_change = self.follow

    def follow(self) -> None:
        """Plug and unplug what has changed."""
        wanted = {
            eni.mac: f"ens{5 + eni.device_index}"
            for eni in self._solo.ec2.vpc().enis
            if eni.instance_id == self._solo.instance_id and eni.device_index
        }
        for mac in self._plugged.keys() - wanted.keys():
            _ip(f"link del {self._plugged.pop(mac)}")
        for mac in () if self.is_stuck else wanted.keys() - self._plugged.keys():
            self._plugged[mac] = name = wanted[mac]
            _ip(f"link add {name} address {mac} mtu 9001 type veth peer name {name}-wire")
            _ip(f"link set {name}-wire up")

    def close(self) -> None:
        """Unplug everything, and follow no longer."""
        self._solo.ec2.on_change = lambda: None
        for name in self._plugged.values():
            _ip(f"link del {name}")


def _ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)
