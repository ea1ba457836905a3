"""The page that leads from aws-vpc-move-ip to aws-overlay-ip: its commands, as they stand there, lose no packet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpclab.client.watch import Watch
from vpclab.ec2 import Call
from vpclab.lab import Lab

PAGE = Path(__file__).parents[2] / "packaging/examples/migrate-from-aws-vpc-move-ip.md"

RESOURCES = {"pcs": ("rsc_ip_pcs", "192.168.10.10"), "crm": ("rsc_ip_crm", "192.168.10.20")}
"""A resource and its address by the tool that is to migrate it."""

CREATE = (
    "resource create {name} ocf:heartbeat:aws-vpc-move-ip ip={ip} routing_table={table} interface=ens5"
    " op start interval=0 timeout=180 op stop interval=0 timeout=180 op monitor interval=10 timeout=60"
)


@pytest.fixture(scope="module")
def watch(lab: Lab) -> Iterator[Watch]:
    """A client of resources as they were created for the old agent, which serve it from node1."""
    # The old agent takes seconds for each table, and creates no entry.
    table = lab.route_tables["clients"]
    for _, ip in RESOURCES.values():
        lab.ec2.operator().create_route(
            RouteTableId=table, DestinationCidrBlock=f"{ip}/32", NetworkInterfaceId=lab.primary_eni("node2")
        )
    for node in lab.nodes.values():
        node.write("root/.aws/config", f"[default]\nregion = {lab.plan.region}\noutput = text\n")
    lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")
    with lab.watch(*(ip for _, ip in RESOURCES.values())) as watch:
        for name, ip in RESOURCES.values():
            lab.cluster.pcs(*CREATE.format(name=name, ip=ip, table=table).split())
            lab.cluster.pcs("constraint", "location", name, "prefers", "node1=INFINITY")
        for _, ip in RESOURCES.values():
            watch.wait_until_answers(ip, "node1", 180)
        lab.cluster.settled(180)
        yield watch


def commands(tool: str) -> list[str]:
    """The blocks of commands in the page's section for a tool."""
    section = PAGE.read_text().partition(f"\n## With {tool}\n")[2].partition("\n## ")[0]
    return re.findall("```sh\n(.*?)```", section, re.DOTALL)


def type_of(lab: Lab, name: str) -> str:
    """The type of a resource in the configuration, as provider and name."""
    primitive = lab.cluster.run("cibadmin", "--query", "--xpath", f"//primitive[@id='{name}']").partition(">")[0]
    return ":".join(re.search(f'{key}="([^"]*)"', primitive)[1] for key in ("provider", "type"))  # type: ignore[index]


def looks_of(lab: Lab, name: str) -> list[Call]:
    """The looks at the route tables that the new agent has taken for a resource."""
    calls = lab.ec2.calls.named("DescribeRouteTables")
    return [call for call in calls if f"aws-overlay-ip/{name}" in call.user_agent]


@pytest.mark.parametrize("tool", RESOURCES)
def test_a_running_resource_changes_its_agent_and_no_packet_is_lost(lab: Lab, watch: Watch, tool: str) -> None:
    name, ip = RESOURCES[tool]
    assert type_of(lab, name) == "heartbeat:aws-vpc-move-ip"
    migrate, release = (block.replace("rsc_ip", name) for block in commands(tool))
    node = lab.nodes["node1"]
    lab.ec2.calls.clear()
    start = watch.record.end

    node.run("sh", "-euc", f"cd /root\n{migrate}")
    lab.cluster.wait_until(lambda: lab.cluster.resource_runs_on(name) == {"node1"}, 90)
    node.run("sh", "-euc", release)
    looks = len(looks_of(lab, name))
    lab.cluster.wait_until(lambda: len(looks_of(lab, name)) > looks, 90)

    assert type_of(lab, name) == "aws:aws-overlay-ip"
    lab.cluster.settled()
    assert not lab.cluster.failures()
    assert watch.answering(ip) == "node1" and not watch.outages(since=start)
    assert not lab.ec2.calls.named("ReplaceRoute", "CreateRoute", "DeleteRoute")


def test_what_was_migrated_moves(lab: Lab, watch: Watch) -> None:
    lab.cluster.pcs("node", "standby", "node1")
    for _, ip in RESOURCES.values():
        watch.wait_until_answers(ip, "node2", 90)
    lab.cluster.settled()
    assert not lab.cluster.failures()
    assert all("aws-overlay-ip/" in call.user_agent for call in lab.ec2.calls.named("ReplaceRoute"))
