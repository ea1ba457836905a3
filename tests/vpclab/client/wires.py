"""An address that moves between two network namespaces, and a client in a third.

    node1 (10.0.1.11) --- 10.0.1.1 [ client ] 10.0.2.1 --- (10.0.2.12) node2

The client's own route to the address stands in for the route table of a VPC.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import Any

from vpclab.waiting import wait_until

LINKS = {"node1": "10.0.1.{} 2001:db8:1::{}", "node2": "10.0.2.{} 2001:db8:2::{}"}


class Namespace:
    """A network namespace that lives as long as its first process, at most as we do. Raises PermissionError."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            "setpriv --pdeathsig KILL unshare --net".split() + ["sh", "-c", "echo made; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout
        if not self._holder.stdout.readline():
            self.close()
            raise PermissionError("may not make a network namespace here")
        self.pid = self._holder.pid
        for key in ("ipv6/conf/default/accept_dad=0", "ipv4/conf/all/rp_filter=0"):
            self.run("sysctl", "-qw", f"net/{key}")
        self.run(*"ip link set lo up".split())

    def popen(self, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """Start a command in it, which dies with us."""
        dies_with_us = "setpriv --pdeathsig KILL".split()
        return subprocess.Popen([*dies_with_us, *self._inside(*command)], **options)

    def run(self, *command: str) -> str:
        """Run a command in it, and return its output. Raises CalledProcessError."""
        return subprocess.run(self._inside(*command), check=True, stdout=subprocess.PIPE, text=True).stdout

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--target={self.pid}", "--net", *command]

    def close(self) -> None:
        """End it."""
        self._holder.kill()
        self._holder.wait()


class Wires:
    """The client, the two nodes, and who has the address. prefix: the address, with its length."""

    def __init__(self, prefix: str, stack: ExitStack) -> None:
        self.prefix = prefix
        self.address = prefix.partition("/")[0]
        self.client = Namespace()
        stack.callback(self.client.close)
        self.nodes = {name: Namespace() for name in LINKS}
        for name, node in self.nodes.items():
            stack.callback(node.close)
            self._connect(name)

    def _connect(self, name: str) -> None:
        node = self.nodes[name]
        pair = f"ip link add {name} type veth peer name ens5 netns {node.pid}"
        self.client.run(*pair.split())
        for namespace, link, number in ((self.client, name, 1), (node, "ens5", 11)):
            for address in LINKS[name].format(number, number).split():
                length = 64 if ":" in address else 24
                place = f"ip address add {address}/{length} dev {link}"
                namespace.run(*place.split())
            namespace.run(*f"ip link set {link} up".split())

    def add(self, name: str) -> None:
        """The address is on the node's link, and the node answers for it."""
        node = self.nodes[name]
        node.run(*f"ip address add {self.prefix} dev ens5".split())
        # A worker of the kernel's lets an IPv6 address be asked for, a moment after it was added (addrconf_dad_work()); a
        # client that asks before it asks again after a second.
        wait_until(
            lambda: not node.run(*"ip address show tentative".split()),
            5,
            lambda: f"{self.prefix} is tentative",
            every=0.01,
        )

    def remove(self, name: str) -> None:
        """The address is on the node's link no more."""
        self.nodes[name].run(*f"ip address delete {self.prefix} dev ens5".split())

    def route(self, name: str) -> None:
        """The client's packets to the address go to this node."""
        self.client.run(*f"ip route replace {self.prefix} dev {name}".split())
