"""The package in a running cluster: installed on all nodes, and upgraded under a resource that runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocf_aws import __version__
from vpclab.client.consensus import wait_served_by
from vpclab.hosts.instance import Instance
from vpclab.lab import Lab
from vpclab.waiting import wait_until

IP = "192.168.10.10"


def install(node: Instance, package: Path) -> None:
    shutil.copy(package, node.root / "tmp")
    node.run("apt-get", "install", "--yes", f"/tmp/{package.name}", env={"DEBIAN_FRONTEND": "noninteractive"})


@pytest.fixture
def lab(in_sandbox: None, older_deb: Path) -> Iterator[Lab]:
    """A VPC with a cluster whose nodes have the older package, and nothing of the checkout."""
    with Lab(package=older_deb) as lab:
        lab.fence()
        yield lab


def installed_version(node: Instance) -> str:
    return node.run("dpkg-query", "-W", "-f", "${Version}", "resource-agents-aws").stdout


def monitors(lab: Lab) -> int:
    """How many monitors there were, at least: each looks at the route tables once."""
    return len(lab.ec2.calls.named("DescribeRouteTables"))


def test_an_upgrade_does_not_disturb_a_resource_that_runs(lab: Lab, deb: Path) -> None:
    with lab.watch(IP) as watch:
        lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")
        lab.cluster.pcs(
            *f"resource create ip ocf:aws:aws-overlay-ip ip={IP}".split(),
            f"routing_table={','.join(lab.route_tables.values())}",
            *"op monitor interval=1 timeout=30".split(),
        )
        wait_until(lambda: bool(lab.cluster.resource_runs_on("ip")), 30, lab.cluster.status)
        (holder,) = lab.cluster.resource_runs_on("ip")
        wait_served_by(lab, watch, holder, "ip", IP)
        lab.cluster.settled()
        start = watch.record.end
        for node in lab.nodes.values():
            assert installed_version(node) == "0.0.9"
            install(node, deb)
            assert installed_version(node) == __version__
        upgraded = monitors(lab)
        wait_until(lambda: monitors(lab) >= upgraded + 3, 30, lab.cluster.status)
        assert lab.cluster.failures() == []
        assert watch.outages(since=start) == []
        assert lab.cluster.resource_runs_on("ip") == {holder}
        other = lab.other(holder)
        lab.cluster.pcs("resource", "move", "ip", other)
        wait_served_by(lab, watch, other, "ip", IP)
        lab.cluster.settled()
        assert lab.cluster.failures() == []
