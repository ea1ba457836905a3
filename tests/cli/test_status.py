"""`ocf-aws status`: what EC2, the kernel here and Pacemaker say, and where they disagree."""

from __future__ import annotations

from typing import Any

import pytest

from cli.conftest import REMOTE_NODES, UNKNOWN_PEERS
from vpclab.ec2 import effects
from vpclab.plan import ONE_ZONE

IP = "192.168.10.10"
CIDR = f"{IP}/32"


def started(node: Any, host: str = "node1") -> None:
    """The resource runs on that node, and everybody says so."""
    node.create_cluster()
    node.create_routes(host)
    node.report(host)
    if host == "node1":
        node.shell(f"ip address add {CIDR} dev ens5")


def status(node: Any) -> dict[str, Any]:
    told = node.run("status", "rsc_ip", "--output", "json")
    (view,) = told.results
    assert told.status == (1 if view["disagreements"] else 3 if view["unknown"] else 0)
    return dict(view)


@pytest.mark.parametrize("host", ["node1", "node2"])
def test_all_agree(node: Any, host: str) -> None:
    started(node, host)
    view = status(node)
    assert (view["disagreements"], view["unknown"]) == ([], [])
    assert view["cluster"] == f"Started {host}"
    assert {row["holder"] for row in view["tables"]} == {host}
    assert view["kernel"] == ("node1: ens5 192.168.10.10/32, up" if host == "node1" else "node1: not here")
    assert view["source_dest"] == "node1 off, node2 off"


def test_a_person_sees_a_table(node: Any) -> None:
    started(node)
    told = node.run("status")
    lines = told.stdout.splitlines()
    assert lines[0] == f"rsc_ip  {IP}  Started node1"
    assert lines[1].split() == ["table", "subnets", "points", "to", "state"]
    assert f"{node.tables('a')} a" in lines[2] and lines[2].endswith("active")
    assert (lines[-2], told.status) == ("all agree", 0)


def test_a_stolen_route_stands_out(node: Any) -> None:
    started(node)
    node.lab.ec2.operator().replace_route(
        RouteTableId=node.tables("b"), DestinationCidrBlock=CIDR, NetworkInterfaceId=node.lab.primary_eni("node2")
    )
    assert status(node)["disagreements"] == [f"{node.tables('b')} leads to node2, not to node1"]
    told = node.run("status")
    assert told.status == 1
    assert f"event ReplaceRoute, requestParameters {node.tables('b')}" in told.stdout


def test_a_blackhole_stands_out(node: Any) -> None:
    started(node)
    operator = node.lab.ec2.operator()
    eni = operator.create_network_interface(SubnetId=node.lab.vpc.subnets["a"])["NetworkInterface"][
        "NetworkInterfaceId"
    ]
    operator.replace_route(RouteTableId=node.tables("a"), DestinationCidrBlock=CIDR, NetworkInterfaceId=eni)
    assert status(node)["disagreements"] == [f"{node.tables('a')} is a blackhole"]


def test_a_missing_route_and_a_table_that_is_not_named_stand_out(node: Any) -> None:
    started(node)
    node.lab.ec2.operator().delete_route(RouteTableId=node.tables("a"), DestinationCidrBlock=CIDR)
    node.set(routing_table=node.tables("a", "b"))
    assert status(node)["disagreements"] == [
        f"{node.tables('a')} has no route, node1 has the address",
        f"{node.tables('clients')} is not in the definition, and has a route",
    ]


def test_an_address_that_nobody_told_pacemaker_of_stands_out(node: Any) -> None:
    started(node, "node2")
    node.shell(f"ip address add {CIDR} dev ens5")
    assert status(node)["disagreements"] == ["the kernel of node1 has it, and Pacemaker says Started node2"]


def test_an_address_that_is_gone_stands_out(node: Any) -> None:
    started(node)
    node.shell(f"ip address del {CIDR} dev ens5")
    assert status(node)["disagreements"] == ["Pacemaker says Started node1, and the kernel of node1 has it not"]


def test_a_link_that_is_down_and_the_check_that_is_on_stand_out(node: Any) -> None:
    started(node)
    node.shell("ip link set ens5 down")
    node.lab.ec2.operator().modify_network_interface_attribute(
        NetworkInterfaceId=node.lab.eni, SourceDestCheck={"Value": True}
    )
    assert status(node)["disagreements"] == [
        "ens5 is down",
        f"the source/destination check of node1 is on: EC2 drops packets for {IP}",
    ]


def test_two_nodes_at_once_and_a_lost_quorum_stand_out(node: Any) -> None:
    started(node)
    node.report("node1", "node2")
    node.edit_cib('have-quorum="1"', 'have-quorum="0"')
    said = status(node)["disagreements"]
    assert "Pacemaker has it active on node1 and node2" in said
    assert "node1 has no quorum: another part of the cluster may say otherwise" in said


@pytest.mark.parametrize("effect", [effects.Hang(), effects.Error("RequestLimitExceeded")], ids=repr)
def test_without_an_answer_of_ec2_its_part_is_unknown_within_seconds(node: Any, effect: Any) -> None:
    started(node)
    with node.lab.ec2.faults.add(effect=effect):
        told = node.run("status", "rsc_ip", "--output", "json")
    (view,) = told.results
    assert (told.status, told.seconds < 15) == (3, True)
    assert (view["cluster"], view["kernel"]) == ("Started node1", "node1: ens5 192.168.10.10/32, up")
    assert view["tables"] == [] and view["unknown"] and not view["disagreements"]


def test_without_an_answer_of_imds_it_takes_seconds(node: Any) -> None:
    started(node)
    node.lab.imds.dead.add(node.lab.instance_id)
    told = node.run("status", "rsc_ip", "--output", "json")
    assert (told.status, told.seconds < 15) == (3, True)
    assert told.results[0]["kernel"] == "node1: ens5 192.168.10.10/32, up"


def test_watching_goes_on_while_pacemaker_does_not_run(node: Any) -> None:
    started(node)
    for tool in ("cibadmin", "crm_mon", "crm_node"):
        # Without its file they ask the cluster of this machine, which does not run.
        node.write_program(tool, f'#!/bin/sh\n[ -e "$CIB_file" ] || unset CIB_file\nexec /usr/sbin/{tool} "$@"\n')
    with node.start("status", "rsc_ip", "--watch") as lines:
        assert read_until(lines, "Pacemaker: ") == "Started node1"
        away = node.cib.rename(node.directory / "away.xml")
        assert read_until(lines, "Pacemaker: ") == "unknown"
        assert read_until(lines, "kernel: ") == f"ens5 {CIDR}, up"
        node.shell(f"ip address del {CIDR} dev ens5")
        assert read_until(lines, "kernel: ") == "not here"
        away.rename(node.cib)
        assert read_until(lines, "Pacemaker: ") == "Started node1"


def test_watching_is_no_document(node: Any) -> None:
    node.create_cluster()
    told = node.run("status", "--watch", "--output", "json", timeout=20)
    assert (told.status, told.stdout) == (2, "")
    assert "--watch" in told.stderr and "--output json" in told.stderr


def read_until(lines: Any, name: str) -> str:
    """What the next line says of that. Waits for it."""
    return str(next(line.partition(f"  {name}")[2] for line in lines if f"  {name}" in line).rstrip())


def test_without_a_cluster_the_parameters_are_enough(node: Any) -> None:
    node.create_routes("node2")
    told = node.run("status", *node.overlay_ip())
    assert told.status == 0, told.stdout
    assert node.lab.hosts["node2"] in told.stdout


def attach_to_node2(node: Any) -> None:
    """An ENI that moves is attached to the other node, which runs the resource."""
    operator = node.lab.ec2.operator()
    node.lab.ec2.times.attach = 0
    answer = operator.create_network_interface(SubnetId=node.lab.vpc.subnets["a"], PrivateIpAddress="10.0.1.50")
    eni = answer["NetworkInterface"]["NetworkInterfaceId"]
    operator.attach_network_interface(
        NetworkInterfaceId=eni, InstanceId=node.lab.hosts["node2"], DeviceIndex=1, NetworkCardIndex=0
    )
    node.create_cluster("aws-eni-move", eni_id=eni)
    node.report("node2")


@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
def test_an_eni_that_another_node_has_stands_out(node: Any) -> None:
    attach_to_node2(node)
    assert status(node)["disagreements"] == []
    node.report("node1")
    said = status(node)["disagreements"]
    attachment = f"attached to {node.lab.hosts['node2']} (node2)"
    assert said == [
        "Pacemaker says Started node1, and the kernel of node1 has it not",
        f"EC2 has the ENI {attachment}, Pacemaker says Started node1",
    ]


@pytest.mark.parametrize("forget", UNKNOWN_PEERS, ids=lambda each: each.__name__)
def test_an_instance_that_may_be_the_active_node_is_unknown_and_no_disagreement(node: Any, forget: Any) -> None:
    started(node, "node2")
    forget(node)
    view = status(node)
    assert view["disagreements"] == []
    assert any(text.startswith(f"whether {node.lab.hosts['node2']} is node2: ") for text in view["unknown"])


@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
@pytest.mark.parametrize("forget", UNKNOWN_PEERS, ids=lambda each: each.__name__)
def test_an_eni_of_an_instance_that_may_be_the_active_node_is_unknown(node: Any, forget: Any) -> None:
    attach_to_node2(node)
    forget(node)
    view = status(node)
    assert view["disagreements"] == []
    assert len(view["unknown"]) == 1 and view["unknown"][0].startswith(f"whether {node.lab.hosts['node2']} is node2: ")


def test_another_instance_is_not_this_node_whichever_it_is(node: Any) -> None:
    started(node)
    node.lab.ec2.operator().replace_route(
        RouteTableId=node.tables("b"), DestinationCidrBlock=CIDR, NetworkInterfaceId=node.lab.primary_eni("node2")
    )
    node.forget_instance("node2")
    assert status(node)["disagreements"] == [
        f"{node.tables('b')} leads to {node.lab.hosts['node2']}, not to node1",
    ]


@pytest.mark.parametrize("kind", REMOTE_NODES)
def test_a_node_of_pacemaker_remote_is_a_node(node: Any, kind: str) -> None:
    started(node, "node2")
    node.make_remote(REMOTE_NODES[kind])
    view = status(node)
    assert {(row["holder"], row["disagreement"]) for row in view["tables"]} == {("node2", "")}
    # No connection to it runs here, so Pacemaker has doubts of its own.
    assert view["unknown"] == []


def test_all_agree_where_the_second_enis_carry_the_address(node: Any) -> None:
    node.serve_by_second_enis()
    view = status(node)
    assert (view["disagreements"], view["unknown"]) == ([], [])
    assert view["source_dest"] == "node1 off, node2 off"


def test_without_a_route_nobody_tells_which_of_the_other_enis_carries_the_address(node: Any) -> None:
    node.serve_by_second_enis(index=2)
    for table in node.lab.vpc.route_tables:
        node.lab.ec2.operator().delete_route(RouteTableId=node.tables(table), DestinationCidrBlock=CIDR)
    view = status(node)
    assert view["source_dest"] == "node1 off, node2 unknown"
    assert view["unknown"] == [f"which ENI of node2 carries {IP}, and so its source/destination check"]
