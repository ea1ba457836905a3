"""Who goes on when nodes are lost or do not see each other: three nodes, and two with a quorum device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vpclab.client.consensus import wait_served_by
from vpclab.client.watch import Watch
from vpclab.hosts.examples import SUFFIXES, load
from vpclab.lab import Lab
from vpclab.plan import QUORUM_DEVICE, THREE_NODES
from vpclab.waiting import wait_until

IP = "172.16.52.1"

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def lab(in_sandbox: None, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A cluster by the plan that the test is parametrized with, with an example's overlay IP and fencing."""
    plan, file = request.param
    with Lab(plan) as lab:
        load(lab, file, {"OVERLAY_IP": IP})
        lab.cluster.settled()
        yield lab


@pytest.fixture
def watch(lab: Lab) -> Iterator[Watch]:
    """A client of the address."""
    with lab.watch(IP) as watch:
        yield watch


def fenced(lab: Lab) -> list[str]:
    """The nodes that were fenced, in their order."""
    names = {node.id: node.name for node in lab.nodes.values()}
    return [names[id] for call in lab.ec2.calls.named("StopInstances") for id in call.parameters["InstanceIds"]]


def holder(lab: Lab) -> str:
    """The node that runs the address."""
    (node,) = lab.cluster.resource_runs_on("overlay-ip")
    return node


def leave_to(lab: Lab, watch: Watch, *nodes: str) -> str:
    """Move the address to one of these nodes; returns which."""
    for other in set(lab.nodes) - set(nodes):
        lab.cluster.pcs("node", "standby", other)
    lab.cluster.wait_until(lambda: bool(lab.cluster.resource_runs_on("overlay-ip") & set(nodes)), 60)
    lab.cluster.pcs("node", "unstandby", *lab.nodes)
    lab.cluster.settled()
    wait_served_by(lab, watch, holder(lab), "overlay-ip", IP)
    return holder(lab)


@pytest.mark.parametrize(
    "lab", [(THREE_NODES, "three-nodes" + suffix) for suffix in SUFFIXES], indirect=True, ids=SUFFIXES
)
def test_two_of_three_nodes_go_on_without_the_third(lab: Lab, watch: Watch) -> None:
    lost = leave_to(lab, watch, "node1")
    lab.ec2.calls.clear()
    lab.nodes[lost].off()
    lab.cluster.wait_until(lambda: fenced(lab) == ["node1"], 60)
    lab.cluster.wait_until(lambda: bool(lab.cluster.resource_runs_on("overlay-ip") - {lost}), 60)
    wait_served_by(lab, watch, holder(lab), "overlay-ip", IP)
    lab.cluster.wait_online(120)

    # The one that is alone has no quorum: it stops what it runs, and fences nobody.
    alone = leave_to(lab, watch, "node2", "node3")
    lab.ec2.calls.clear()
    lab.network.cut(lab.nodes[alone].id)
    others = set(lab.nodes) - {alone}
    seen = lab.cluster.seen_by(sorted(others)[0])
    wait_until(lambda: bool(seen.resource_runs_on("overlay-ip") & others), 60, seen.status)
    assert fenced(lab) == [alone]
    lab.network.heal(lab.nodes[alone].id)
    lab.cluster.wait_online(120)
    wait_served_by(lab, watch, holder(lab), "overlay-ip", IP)
    assert not lab.cluster.failures()


@pytest.mark.parametrize("lab", [(QUORUM_DEVICE, "overlay-ip-pair.pcs.sh")], indirect=True, ids=["overlay-ip-pair"])
def test_the_quorum_device_decides_between_two_nodes(lab: Lab, watch: Watch) -> None:
    said = lab.nodes["node1"].run("corosync-quorumtool", "-s", check=False).stdout
    assert "Qdevice" in said and "Expected votes:   3" in said
    # The nodes see the device and EC2, but not each other: the device gives its vote to the lowest node id.
    leave_to(lab, watch, "node1")
    lab.ec2.calls.clear()
    start = watch.record.end
    lab.nodes["node1"].run("ip", "route", "add", "blackhole", "10.0.2.12/32")
    lab.nodes["node2"].run("ip", "route", "add", "blackhole", "10.0.1.11/32")
    wait_until(lambda: fenced(lab) == ["node2"], 60, lab.cluster.seen_by("node1").status)
    assert lab.ec2.calls.named("StopInstances")[0].caller == lab.nodes["node1"].id
    lab.nodes["node1"].run("ip", "route", "del", "blackhole", "10.0.2.12/32")
    lab.cluster.wait_online(120)
    wait_served_by(lab, watch, "node1", "overlay-ip", IP)
    assert watch.outages(since=start) == []

    # A node alone with the device goes on.
    lab.nodes["node1"].off()
    wait_served_by(lab, watch, "node2", "overlay-ip", IP)
    lab.cluster.wait_online(120)
