"""The package in a running cluster: upgraded under a resource that runs, and removed with and without a warning."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocf_aws import __version__
from vpclab.client.consensus import wait_served_by
from vpclab.client.watch import Watch
from vpclab.hosts.instance import Instance
from vpclab.lab import Lab

IP = "192.168.10.10"
WARNING = "WARNING: resource-agents-aws is removed while this node runs: ip"


def install(node: Instance, package: Path) -> str:
    """Install a package from a file; returns what apt said."""
    shutil.copy(package, node.root / "tmp")
    return apt(node, "install", f"/tmp/{package.name}")


def apt(node: Instance, *words: str, check: bool = True) -> str:
    """Run apt-get; returns its output, errors included."""
    done = node.run("apt-get", "--yes", *words, env={"DEBIAN_FRONTEND": "noninteractive"}, check=check)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def lab(in_sandbox: None, older_deb: Path) -> Iterator[Lab]:
    """A VPC with a cluster whose nodes have the older package, and nothing of the checkout."""
    with Lab(package=older_deb) as lab:
        lab.fence()
        lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")
        yield lab


@pytest.fixture
def watch(lab: Lab) -> Iterator[Watch]:
    """A client of an overlay IP whose resource runs."""
    with lab.watch(IP) as watch:
        lab.cluster.pcs(
            *f"resource create ip ocf:aws:aws-overlay-ip ip={IP}".split(),
            f"routing_table={','.join(lab.route_tables.values())}",
            *"op monitor interval=1 timeout=30".split(),
        )
        lab.cluster.wait_until(lambda: bool(lab.cluster.resource_runs_on("ip")), 30)
        wait_served_by(lab, watch, holder(lab), "ip", IP)
        lab.cluster.settled()
        yield watch
        # A node that was fenced may have its power back, and no cluster yet.
        lab.cluster.wait_online(90)
        lab.cluster.pcs("resource", "delete", "ip", "--force")


def holder(lab: Lab) -> str:
    """The node that runs the resource."""
    (node,) = lab.cluster.resource_runs_on("ip")
    return node


def installed_version(node: Instance) -> str:
    return node.run("dpkg-query", "-W", "-f", "${Version}", "resource-agents-aws").stdout


def monitors(lab: Lab) -> int:
    """How many monitors there were, at least: each looks at the route tables once."""
    return len(lab.ec2.calls.named("DescribeRouteTables"))


def test_an_upgrade_does_not_disturb_a_resource_that_runs(lab: Lab, watch: Watch, deb: Path) -> None:
    node, start = holder(lab), watch.record.end
    for each in lab.nodes.values():
        assert installed_version(each) == "0.0.9"
        assert "WARNING" not in install(each, deb)
        assert installed_version(each) == __version__
    upgraded = monitors(lab)
    lab.cluster.wait_until(lambda: monitors(lab) >= upgraded + 3, 30)
    assert lab.cluster.failures() == []
    assert watch.outages(since=start) == []
    assert lab.cluster.resource_runs_on("ip") == {node}
    other = lab.other(node)
    lab.cluster.pcs("resource", "move", "ip", other)
    wait_served_by(lab, watch, other, "ip", IP)
    lab.cluster.settled()
    assert lab.cluster.failures() == []


@pytest.mark.acceptance
def test_a_removal_from_a_node_in_standby_says_nothing_and_costs_nothing(lab: Lab, watch: Watch, deb: Path) -> None:
    node = holder(lab)
    lab.nodes[node].run("crm_standby", "--update=on")
    wait_served_by(lab, watch, lab.other(node), "ip", IP)
    lab.cluster.settled()
    assert "WARNING" not in apt(lab.nodes[node], "remove", "resource-agents-aws")
    removed = monitors(lab)
    lab.cluster.wait_until(lambda: monitors(lab) >= removed + 3, 30)
    assert lab.cluster.failures() == []
    assert lab.ec2.calls.named("StopInstances") == []
    install(lab.nodes[node], deb)
    lab.nodes[node].run("crm_standby", "--delete")
    lab.cluster.settled()


def test_a_removal_from_the_node_that_has_the_address_warns_and_gets_it_fenced(lab: Lab, watch: Watch) -> None:
    node = holder(lab)
    # The cluster is as fast as apt: the node may lose its power before apt has ended.
    assert WARNING in apt(lab.nodes[node], "remove", "resource-agents-aws", check=False)
    wait_served_by(lab, watch, lab.other(node), "ip", IP)
    (fencing,) = lab.ec2.calls.named("StopInstances")
    assert fencing.parameters["InstanceIds"] == [lab.nodes[node].id]


@pytest.mark.acceptance
def test_the_rpm_warns_too(lab: Lab, watch: Watch, rhel_rpm: Path) -> None:
    node = lab.other(holder(lab))
    lab.cluster.wait_online(90)
    said = lab.nodes[node].run("dpkg", "--remove", "resource-agents-aws")
    assert "WARNING" not in said.stdout + said.stderr
    shutil.copy(rhel_rpm, lab.nodes[node].root / "tmp")
    # rpm's database is empty on Debian: it knows of no package that this one depends on.
    lab.nodes[node].run(
        "rpm", "--dbpath", "/var/lib/rpm", "--install", "--nodeps", "--force-debian", f"/tmp/{rhel_rpm.name}"
    )
    # A node that had no package when it was probed is banned until somebody cleans up.
    lab.cluster.run("crm_resource", "--refresh", "--resource", "ip")
    lab.cluster.settled()
    lab.cluster.pcs("resource", "move", "ip", node)
    wait_served_by(lab, watch, node, "ip", IP)
    lab.cluster.settled()
    erase = lab.nodes[node].run("rpm", "--dbpath", "/var/lib/rpm", "--erase", "resource-agents-aws", check=False)
    assert WARNING in erase.stderr
    wait_served_by(lab, watch, lab.other(node), "ip", IP)
