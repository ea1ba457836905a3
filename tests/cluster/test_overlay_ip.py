"""An overlay IP in a real cluster: whatever an operator or a disaster does, one node has it and all tables know."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from vpclab.client.consensus import has_address, wait_served_by
from vpclab.client.watch import Watch
from vpclab.ec2 import effects
from vpclab.lab import LIBRARY, Lab
from vpclab.plan import DEFAULT, OFFICE
from vpclab.waiting import wait_until

PLAN = replace(DEFAULT, office=OFFICE)
"""A client on premises sees each move too, by a VPN and a transit gateway."""

IP = "192.168.10.10"
CIDR = f"{IP}/32"
IPV6 = "fd00:10::10"


def create(lab: Lab, name: str, ip: str, *options: str) -> None:
    """Create a resource as the vendors' guides do, with the type changed, and a monitor that a test can wait for."""
    lab.cluster.pcs(
        *f"resource create {name} ocf:aws:aws-overlay-ip ip={ip}".split(),
        "routing_table=" + ",".join(lab.route_tables.values()),
        *"op start interval=0 timeout=180 op stop interval=0 timeout=180 op monitor interval=2 timeout=30".split(),
        *options,
    )


@pytest.fixture(scope="module")
def watch(lab: Lab) -> Iterator[Watch]:
    """The resource `ip`, created with pcs, running on node1 and answering the client."""
    with lab.watch(IP) as watch:
        create(lab, "ip", IP, "meta", "migration-threshold=5000")
        lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")
        yield watch


@pytest.fixture(scope="module")
def office(lab: Lab, watch: Watch) -> Iterator[Watch]:
    """The same, as a client on premises sees it."""
    with lab.watch(IP, host="office") as office:
        yield office


@pytest.fixture(autouse=True)
def ip_on_node1(lab: Lab, watch: Watch) -> None:
    """Whatever the test before has done: both nodes online, nothing failed, the address on node1."""
    lab.ec2.faults.clear()
    for node in lab.nodes.values():
        lab.network.heal(node.id)
    lab.cluster.wait_online(90)
    # Each pcs takes a second of a processor; Pacemaker's own commands take none.
    lab.cluster.run(*"crm_attribute --type crm_config --name maintenance-mode --update false".split())
    for name in lab.nodes:
        lab.cluster.run("crm_standby", "--node", name, "--delete")
    lab.cluster.run("crm_resource", "--cleanup")
    lab.cluster.settled()
    if lab.cluster.resource_runs_on("ip") != {"node1"}:
        lab.cluster.pcs("resource", "move", "ip", "node1")
    wait_served_by(lab, watch, "node1", "ip", IP)


def test_a_move_by_an_operator_takes_the_address_along(lab: Lab, watch: Watch, office: Watch) -> None:
    office.wait_until_answers(IP, "node1", 10)
    command = measuring(lab)
    start = watch.record.end
    lab.cluster.pcs("resource", "move", "ip", "node2")
    wait_served_by(lab, watch, "node2", "ip", IP)
    office.wait_until_answers(IP, "node2", 10)
    assert not lab.cluster.failures()
    # What a user measures on AWS is what is measured here.
    (measured,) = command()
    assert abs(measured["outage_seconds"] - sum(outage.seconds for outage in watch.outages(since=start))) < 0.3


def measuring(lab: Lab) -> Callable[[], Any]:
    """Start `ocf-aws watch` on the client. Returns what ends it, and gives its results."""
    program = f"echo $$; exec env PYTHONPATH={LIBRARY} python3 -m ocf_aws.cli.main watch {IP} --output json"
    process = lab.client.popen("sh", "-c", program, stdout=subprocess.PIPE)
    assert process.stdout
    pid = process.stdout.readline().strip()

    def has_begun() -> bool:
        counters = lab.client.run("cat", "/proc/net/snmp").stdout.splitlines()
        names, values = (line.split() for line in counters if line.startswith("Icmp:"))
        return int(values[names.index("InEchoReps")]) > 10

    def end() -> Any:
        lab.client.run("kill", "-INT", pid)
        return json.loads(process.communicate(timeout=10)[0])["results"]

    wait_until(has_begun, 10, lambda: "no answer to a ping")
    return end


def test_a_node_in_standby_gives_the_address_away(lab: Lab, watch: Watch) -> None:
    lab.cluster.crm("node", "standby", "node1")
    wait_served_by(lab, watch, "node2", "ip", IP)
    lab.cluster.crm("node", "online", "node1")
    lab.cluster.settled()
    wait_served_by(lab, watch, "node2", "ip", IP)


def test_a_node_that_loses_its_power_is_fenced_and_replaced(lab: Lab, watch: Watch, office: Watch) -> None:
    office.wait_until_answers(IP, "node1", 10)
    lab.nodes["node1"].off()
    wait_served_by(lab, watch, "node2", "ip", IP)
    office.wait_until_answers(IP, "node2", 10)
    assert [call.caller for call in lab.ec2.calls.named("StopInstances")][-1] == lab.nodes["node2"].id
    lab.cluster.wait_online(90)
    wait_served_by(lab, watch, "node2", "ip", IP)


def test_a_node_that_is_cut_off_is_fenced_and_replaced(lab: Lab, watch: Watch) -> None:
    lab.network.cut(lab.nodes["node1"].id)
    wait_served_by(lab, watch, "node2", "ip", IP)
    lab.network.heal(lab.nodes["node1"].id)
    lab.cluster.wait_online(90)
    wait_served_by(lab, watch, "node2", "ip", IP)


def test_a_refresh_of_a_healthy_resource_changes_nothing(lab: Lab, watch: Watch) -> None:
    start = watch.record.end
    writes = len(lab.ec2.calls.named("ReplaceRoute", "CreateRoute"))
    lab.cluster.pcs("resource", "refresh", "ip")
    lab.cluster.settled()
    wait_served_by(lab, watch, "node1", "ip", IP)
    assert watch.outages(since=start) == []
    assert len(lab.ec2.calls.named("ReplaceRoute", "CreateRoute")) == writes


def test_a_stolen_route_is_claimed_back_by_the_next_monitor(lab: Lab, watch: Watch) -> None:
    steal(lab, "clients", "node2")
    lab.cluster.wait_until(lambda: has_failed(lab, "monitor"), 30)
    wait_served_by(lab, watch, "node1", "ip", IP)
    failure = lab.cluster.failures()[0]
    assert failure.action == "monitor" and lab.route_tables["clients"] in failure.reason
    assert lab.nodes["node2"].id in failure.reason


def test_maintenance_mode_is_left_in_peace_with_a_stolen_route(lab: Lab, watch: Watch) -> None:
    lab.cluster.pcs("property", "set", "maintenance-mode=true")
    lab.cluster.settled()
    steal(lab, "clients", "node2")
    lab.cluster.pcs("resource", "refresh", "ip")
    lab.cluster.wait_until(lambda: has_failed(lab, "monitor"), 30)
    assert lab.holders(CIDR) == {"a": "node1", "b": "node1", "clients": "node2"}
    assert has_address(lab, "node1", CIDR)
    lab.cluster.pcs("property", "set", "maintenance-mode=false")
    wait_served_by(lab, watch, "node1", "ip", IP)


def test_an_address_that_somebody_removed_comes_back(lab: Lab, watch: Watch) -> None:
    lab.nodes["node1"].run("ip", "address", "del", CIDR, "dev", "ens5")
    lab.cluster.wait_until(lambda: has_failed(lab, "monitor"), 30)
    wait_served_by(lab, watch, "node1", "ip", IP)


def test_a_dead_api_neither_moves_nor_stops_a_healthy_resource(lab: Lab, watch: Watch) -> None:
    start = watch.record.end
    monitors = monitors_run(lab, "node1")
    lab.ec2.faults.add(effect=effects.Reset())
    lab.imds.dead.add(lab.nodes["node1"].id)
    try:
        lab.cluster.wait_until(lambda: monitors_run(lab, "node1") >= monitors + 3, 120)
    finally:
        lab.imds.dead.clear()
    assert not [failure for failure in lab.cluster.failures() if failure.resource == "ip"]
    assert watch.outages(since=start) == []
    assert has_address(lab, "node1", CIDR)


def test_a_throttled_api_delays_a_move_and_does_not_break_it(lab: Lab, watch: Watch) -> None:
    lab.ec2.faults.add("*Route*", effect=effects.Error("RequestLimitExceeded", 503), times=4)
    lab.cluster.pcs("resource", "move", "ip", "node2")
    wait_served_by(lab, watch, "node2", "ip", IP)
    assert not lab.cluster.failures()


def test_a_node_without_rights_says_so_and_the_other_node_takes_over(lab: Lab, watch: Watch) -> None:
    lab.ec2.allow(
        lab.nodes["node1"].id, {"Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
    )
    try:
        steal(lab, "clients", "node2")
        wait_served_by(lab, watch, "node2", "ip", IP)
        failure = next(f for f in lab.cluster.failures() if f.action == "start")
        assert failure.node == "node1" and "allow ec2:ReplaceRoute" in failure.reason
    finally:
        lab.ec2.allow(lab.nodes["node1"].id, None)


def test_ipv6_lives_beside_ipv4(lab: Lab, watch: Watch) -> None:
    with lab.watch(IPV6) as six:
        create(lab, "ip6", IPV6)
        lab.cluster.pcs("constraint", "colocation", "add", "ip6", "with", "ip")
        try:
            wait_served_by(lab, six, "node1", "ip6", IPV6)
            lab.cluster.pcs("resource", "move", "ip", "node2")
            wait_served_by(lab, six, "node2", "ip6", IPV6)
            wait_served_by(lab, watch, "node2", "ip", IP)
        finally:
            lab.cluster.pcs("resource", "delete", "ip6")


def test_a_second_address_follows_the_standby(lab: Lab, watch: Watch) -> None:
    reader = "192.168.10.20"
    with lab.watch(reader) as reading:
        create(lab, "reader", reader)
        lab.cluster.pcs("constraint", "colocation", "add", "reader", "with", "ip", "-2000")
        try:
            wait_served_by(lab, reading, "node2", "reader", reader)
            lab.cluster.pcs("node", "standby", "node2")
            wait_served_by(lab, reading, "node1", "reader", reader)
            wait_served_by(lab, watch, "node1", "ip", IP)
        finally:
            lab.cluster.pcs("resource", "delete", "reader")


def test_the_office_reaches_an_address_once_the_tables_of_the_attachment_are_named(lab: Lab, watch: Watch) -> None:
    other = "192.168.10.30"
    with lab.watch(other) as client, lab.watch(other, host="office") as office:
        lab.cluster.pcs(
            *f"resource create other ocf:aws:aws-overlay-ip ip={other}".split(),
            f"routing_table={lab.route_tables['clients']}",
            *"op monitor interval=2".split(),
        )
        try:
            client.wait_until_answers(other, "node2", 60)
            lab.cluster.settled()
            assert office.answering(other) is None
            start = client.record.end
            lab.cluster.pcs("resource", "update", "other", "routing_table=" + ",".join(lab.route_tables.values()))
            wait_served_by(lab, office, "node2", "other", other)
            assert client.outages(since=start) == []
        finally:
            lab.cluster.pcs("resource", "delete", "other")


def has_failed(lab: Lab, action: str) -> bool:
    """Whether the cluster remembers that this action of the resource failed."""
    return any((failure.resource, failure.action) == ("ip", action) for failure in lab.cluster.failures())


def steal(lab: Lab, table: str, thief: str) -> None:
    """Let one route table send the address to another node, as a hand or a tool outside of the cluster might."""
    lab.ec2.operator().replace_route(
        RouteTableId=lab.route_tables[table], DestinationCidrBlock=CIDR, NetworkInterfaceId=lab.primary_eni(thief)
    )


def monitors_run(lab: Lab, node: str) -> int:
    """How many monitors have warned so far that the route tables are unknown."""
    log = lab.nodes[node].root / "var/log/pacemaker/pacemaker.log"
    return log.read_text(errors="replace").count("what EC2 does is unknown")
