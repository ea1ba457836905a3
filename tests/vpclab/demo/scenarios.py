"""The scenarios of the demonstration, one for each agent: planned moves, then a node without power."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vpclab.client.watch import Watch
from vpclab.demo.console import Console
from vpclab.lab import Lab
from vpclab.plan import DEFAULT, ONE_ZONE, Plan

IP = "192.168.10.10"
ENI_ADDRESSES = "10.0.1.50", "10.0.1.51", "2001:db8:100:1::50"
EC2_SECONDS = 2.0
"""How long EC2 takes to detach an ENI in the scenario of the ENI, and to attach it: a usual time."""


@dataclass(frozen=True)
class Scenario:
    """One scenario: title and file of its picture, diagram, VPC, addresses that a client probes, steps."""

    title: str
    picture: str
    diagram: str
    plan: Plan
    addresses: tuple[str, ...]
    run: Callable[[Console, Lab, Watch], None]


def overlay_ip(console: Console, lab: Lab, watch: Watch) -> None:
    """An overlay IP across two availability zones."""

    def until_served_by(node: str) -> None:
        lab.cluster.seen_by(node).wait_for("ip", node, 60)
        watch.wait_until_answers(IP, node, 60)
        console.status(f"{node} answers at {IP}; route tables: {_tables(lab)}")

    # Without a preference, Pacemaker chooses a node; with it, the address starts where the picture begins.
    console.run(lab, *"pcs resource defaults update resource-stickiness=1000".split())
    tables = ",".join(lab.route_tables.values())
    create = f"pcs resource create ip ocf:aws:aws-overlay-ip ip={IP} routing_table={tables} --disabled"
    console.run(lab, *create.split(), *"op monitor interval=10s timeout=60s".split())
    console.run(lab, *"pcs constraint location ip prefers node1=50".split())
    console.event("resource started")
    console.run(lab, *"pcs resource enable ip".split())
    until_served_by("node1")

    console.event("move to node2")
    console.run(lab, *"pcs resource move ip node2".split())
    until_served_by("node2")

    console.event("node2 in standby")
    console.run(lab, *"pcs node standby node2".split())
    until_served_by("node1")
    console.run(lab, *"pcs node unstandby node2".split())
    lab.cluster.settled()

    console.event("power of node1 lost")
    lab.nodes["node1"].off()
    until_served_by("node2")
    console.status("Waiting until fence_aws has started node1 again, and it has joined the cluster")
    lab.cluster.wait_online(90)
    console.event("node1 is back")


def eni(console: Console, lab: Lab, watch: Watch) -> None:
    """An ENI within one availability zone."""
    lab.ec2.times.attach = lab.ec2.times.detach = EC2_SECONDS
    eni_id = lab.create_eni("a", *ENI_ADDRESSES)

    def until_served_by(node: str) -> None:
        lab.cluster.seen_by(node).wait_for("eni", node, 60)
        for address in ENI_ADDRESSES:
            watch.wait_until_answers(address, node, 60)
        console.status(f"{node} has {eni_id} and answers at its {len(ENI_ADDRESSES)} addresses")

    console.event("resource started")
    console.run(lab, *"pcs resource defaults update resource-stickiness=1000".split())
    # From a node that stays off, EC2 lets an ENI be taken by force. And it cannot be back before anything has moved.
    console.run(lab, *"pcs property set stonith-action=off".split())
    create = f"pcs resource create eni ocf:aws:aws-eni-move eni_id={eni_id}"
    console.run(lab, *create.split(), *"op monitor interval=10s timeout=60s".split())
    here = _runner(lab, "eni")
    there = lab.other(here)
    until_served_by(here)

    console.event(f"move to {there}")
    console.run(lab, *f"pcs resource move eni {there}".split())
    until_served_by(there)

    console.event(f"power of {there} lost")
    lab.nodes[there].off()
    until_served_by(here)
    console.status(f"Starting {there}, which fence_aws has left off")
    lab.ec2.operator().start_instances(InstanceIds=[lab.nodes[there].id])
    lab.cluster.wait_online(90)
    console.event(f"{there} is back")


def _runner(lab: Lab, resource: str) -> str:
    """The node that runs a resource, once one does."""
    found: set[str] = set()

    def one() -> bool:
        found.clear()
        found.update(lab.cluster.resource_runs_on(resource))
        return len(found) == 1

    lab.cluster.wait_until(one, 60)
    return found.pop()


def _tables(lab: Lab) -> str:
    return ", ".join(f"{name} -> {node}" for name, node in lab.holders(f"{IP}/32").items())


SCENARIOS = (
    Scenario(
        "An overlay IP moves between two EC2 instances",
        "demo.svg",
        """
   Scenario 1, an overlay IP: VPC 10.0.0.0/16, emulated EC2, real packets
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
""",
        DEFAULT,
        (IP,),
        overlay_ip,
    ),
    Scenario(
        f"An ENI moves between two EC2 instances; EC2 itself takes {2 * EC2_SECONDS:g} s of it",
        "demo-eni.svg",
        f"""
   Scenario 2, an ENI: one zone, where EC2 takes {EC2_SECONDS:g} s to detach, and {EC2_SECONDS:g} s to attach
   +----------------------+     +----------------------+
   | node1    zone 1a     |     | node2    zone 1a     |
   | 10.0.1.11            |     | 10.0.1.12            |
   | corosync + Pacemaker |-----| corosync + Pacemaker |
   +----------+-----------+     +-----------+----------+
              |                             :
      +-------+-----------------------------+-------+
      |  ENI 10.0.1.50 10.0.1.51 2001:db8:100:1::50 |   plugged into one node
      +----------------------+----------------------+
                      +------+------+
                      |   client    |   asks each address a hundred times a second
                      +-------------+
""",
        ONE_ZONE,
        ENI_ADDRESSES,
        eni,
    ),
)
