"""The demonstration: addresses move as an operator and a disaster make them, and a client tells what it saw."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

from vpclab import picture, sandbox
from vpclab.lab import Lab
from vpclab.timeline import Event, as_text
from vpclab.waiting import wait_until
from vpclab.watch import Watch

IP = "192.168.10.10"

_MAP = """
        VPC 10.0.0.0/16, emulated EC2, real packets
   +----------------------+     +----------------------+
   | node1    zone 1a     |     | node2    zone 1b     |
   | 10.0.1.11            |     | 10.0.2.12            |
   | corosync + Pacemaker |-----| corosync + Pacemaker |
   +----------+-----------+     +-----------+----------+
              |      route tables a, b      |
              +--------------+--------------+
                             |   192.168.10.10/32 -> the ENI of one node
                      +------+------+
                      |   client    |   asks 192.168.10.10 a hundred times a second
                      +-------------+
"""


class Stage:
    """What the audience sees: progress as it happens, and the marks on the timeline."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._start = time.monotonic()

    def tell(self, text: str) -> None:
        """Show one line with the time since the beginning."""
        print(f"[{time.monotonic() - self._start:5.1f} s] {text}", flush=True)

    def mark(self, text: str) -> None:
        """Show it, and mark the time of it."""
        self.events.append(Event(time.time(), text))
        self.tell(text)

    def type(self, lab: Lab, *command: str) -> None:
        """Show a command as an operator types it, and run it on a node."""
        print(f"          # {shlex.join(command)}", flush=True)
        lab.cluster.run(*command)


def run(path: str) -> int:
    """Show everything, write the picture, remove everything. Returns an exit status."""
    if not sandbox.inside():
        print("The demonstration needs a sandbox: use `make demo`, as root.")
        return 1
    stage = Stage()
    try:
        print(_MAP)
        stage.tell("Bringing up the VPC and its instances; corosync and Pacemaker start on the nodes")
        with Lab() as lab:
            stage.tell(f"The cluster is online after {lab.ready_seconds:.1f} s")
            stage.tell("Letting it fence its nodes with fence_aws")
            lab.fence()
            with lab.watch(IP) as watch:
                overlay_ip(stage, lab, watch)
            stage.tell("Removing everything")
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left behind.")
        return 130
    print(f"\nWhat the client saw at {IP}:\n\n{as_text(watch.record, stage.events)}")
    _write(path, picture.draw(watch.record, stage.events, "An overlay IP moves between two EC2 instances"))
    stage.tell(f"The picture is in {path}")
    return 0


def overlay_ip(stage: Stage, lab: Lab, watch: Watch) -> None:
    """The first act: an overlay IP across two availability zones."""

    def until_served_by(node: str) -> None:
        lab.cluster.seen_by(node).wait_for("ip", node, 60)
        watch.wait_until_answers(IP, node, 60)
        stage.tell(f"{node} answers at {IP}; route tables: {_tables(lab)}")

    stage.mark("resource created")
    stage.type(lab, *"pcs resource defaults update resource-stickiness=1000".split())
    tables = ",".join(lab.route_tables.values())
    create = f"pcs resource create ip ocf:aws:aws-overlay-ip ip={IP} routing_table={tables}"
    stage.type(lab, *create.split(), *"op monitor interval=10s timeout=60s".split())
    until_served_by(_runner(lab, "ip"))

    if _runner(lab, "ip") != "node1":
        stage.type(lab, *"pcs resource move ip node1".split())
        until_served_by("node1")
    stage.mark("move to node2")
    stage.type(lab, *"pcs resource move ip node2".split())
    until_served_by("node2")

    stage.mark("node2 in standby")
    stage.type(lab, *"pcs node standby node2".split())
    until_served_by("node1")
    stage.type(lab, *"pcs node unstandby node2".split())
    lab.cluster.settled()

    stage.mark("power of node1 lost")
    lab.nodes["node1"].off()
    until_served_by("node2")
    stage.tell("Waiting until fence_aws has started node1 again, and it has joined the cluster")
    lab.cluster.wait_online(90)
    stage.mark("node1 is back")


def _runner(lab: Lab, resource: str) -> str:
    """The node that runs a resource, once one does."""
    found: set[str] = set()

    def one() -> bool:
        found.clear()
        found.update(lab.cluster.resource_runs_on(resource))
        return len(found) == 1

    wait_until(one, 60, lab.cluster.status)
    return found.pop()


def _tables(lab: Lab) -> str:
    return ", ".join(f"{name} -> {node}" for name, node in lab.holders(f"{IP}/32").items())


def _write(path: str, text: str) -> None:
    """Write a file that belongs to whoever called sudo."""
    file = Path(path)
    file.write_text(text)
    if "SUDO_UID" in os.environ:
        os.chown(file, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
