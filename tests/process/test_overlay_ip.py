"""aws-overlay-ip, each action as Pacemaker runs it: a process of its own, a real kernel, the emulated EC2."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ocf_aws.ocf.errors import SETTLE_SECONDS
from vpclab.checkout import CHECKOUT
from vpclab.ec2 import effects
from vpclab.ec2.http_server import Response
from vpclab.hosts.single_node import PYTHON, Result, SingleNode

IP = "192.168.10.10"
CIDR = f"{IP}/32"
IPV6_CIDR = "fd00:10::10/128"


class Resource:
    """A resource of the agent, by its parameters."""

    def __init__(self, single_node: SingleNode, **parameters: str):
        self.single_node = single_node
        self.tables = dict(single_node.vpc.route_tables)
        self.parameters = {"ip": IP, "routing_table": ",".join(self.tables.values()), **parameters}

    def __call__(self, action: str, **how: Any) -> Result:
        parameters = {**self.parameters, **how.pop("parameters", {})}
        return self.single_node.run("aws-overlay-ip", action, parameters, **how)

    def monitor(self, **how: Any) -> Result:
        return self("monitor", interval=10, **how)

    def holders(self, destination: str = CIDR) -> set[str | None]:
        return {self.single_node.holder(name, destination) for name in self.tables}


@pytest.fixture
def resource(single_node: SingleNode) -> Resource:
    """A resource whose address has a route in all three route tables, pointing to node2, as before a failover."""
    single_node.disable_source_dest_check()
    for table in single_node.vpc.route_tables:
        single_node.create_route(table, CIDR, single_node.primary_eni("node2"))
    return Resource(single_node)


# --- the life of a resource -------------------------------------------------------------------------------------------


def test_start_puts_the_address_here_and_all_tables_point_to_it(resource: Resource) -> None:
    assert resource("start").status == 0
    assert CIDR in resource.single_node.addresses()
    assert resource.holders() == {resource.single_node.eni}
    assert resource.monitor().status == 0
    assert resource("monitor", level=10).status == 0


def test_stop_takes_the_address_away_and_leaves_the_routes_alone(resource: Resource) -> None:
    resource("start")
    resource.single_node.ec2.calls.clear()
    assert resource("stop").status == 0
    assert CIDR not in resource.single_node.addresses()
    assert resource.monitor().status == 7
    assert resource.holders() == {resource.single_node.eni}
    assert not resource.single_node.ec2.calls


def test_start_and_stop_may_be_repeated(resource: Resource) -> None:
    assert [resource(action).status for action in ("start", "start", "stop", "stop")] == [0, 0, 0, 0]


def test_a_start_asks_for_all_tables_at_once_and_a_second_one_writes_nothing(resource: Resource) -> None:
    resource("start")
    calls = resource.single_node.ec2.calls
    # The address was not here: start replaces the routes at once, and reads them back; again where a write was slow.
    assert [call.action for call in calls if "Route" in call.action][0] == "ReplaceRoute"
    for call in calls.named("DescribeRouteTables"):
        (asked,) = call.parameters["Filters"]
        assert set(asked["Values"]) == set(resource.tables.values())
    assert len(calls.named("ReplaceRoute")) == 3
    calls.clear()
    resource("start")
    assert len(calls.named("DescribeRouteTables")) == 1
    assert not calls.named("ReplaceRoute")


def test_the_address_is_here_before_any_table_is_written(resource: Resource) -> None:
    seen = []

    def look() -> None:
        seen.append(CIDR in resource.single_node.addresses())

    resource.single_node.ec2.on_change = look
    resource("start")
    assert seen and all(seen)


def test_ipv4_and_ipv6_addresses_live_side_by_side(resource: Resource) -> None:
    six = Resource(resource.single_node, ip=IPV6_CIDR)
    assert resource("start").status == six("start").status == 0
    assert {CIDR, IPV6_CIDR} <= resource.single_node.addresses()
    assert resource.holders() == six.holders(IPV6_CIDR) == {resource.single_node.eni}
    assert six("stop").status == 0
    assert CIDR in resource.single_node.addresses() and IPV6_CIDR not in resource.single_node.addresses()
    assert resource.monitor().status == 0 and six.monitor().status == 7


def test_an_ipv6_address_is_used_at_once_and_never_as_a_source_by_itself(resource: Resource) -> None:
    Resource(resource.single_node, ip=IPV6_CIDR)("start")
    shown = subprocess.run(["ip", "-6", "addr", "show", "dev", "ens5"], capture_output=True, text=True).stdout
    line = next(line for line in shown.splitlines() if IPV6_CIDR in line)
    assert "nodad" in line and "deprecated" in line and "tentative" not in line


def test_an_address_that_begins_like_ours_is_not_ours(resource: Resource) -> None:
    subprocess.run(["ip", "address", "add", f"{IP}0/32", "dev", "ens5"], check=True)
    assert resource.monitor().status == 7


def test_the_label_stands_beside_the_address(resource: Resource) -> None:
    assert resource("start", parameters={"iflabel": "hana"}).status == 0
    shown = subprocess.run(["ip", "addr", "show", "label", "ens5:hana"], capture_output=True, text=True).stdout
    assert CIDR in shown


def test_the_address_may_be_on_the_loopback_interface(resource: Resource) -> None:
    assert resource("start", parameters={"interface": "lo"}).status == 0
    assert resource.holders() == {resource.single_node.eni}
    assert resource.monitor(parameters={"interface": "lo"}).status == 0
    assert resource("stop", parameters={"interface": "lo"}).status == 0


def test_cloudtrail_can_tell_the_resource_that_moved_a_route(resource: Resource) -> None:
    resource("start")
    for call in resource.single_node.ec2.calls.by(resource.single_node.instance_id):
        assert "ocf-aws/" in call.user_agent and "aws-overlay-ip/rsc_ip" in call.user_agent


def test_reload_moves_the_routes_of_a_table_that_was_added(resource: Resource) -> None:
    one = {"routing_table": resource.tables["a"]}
    resource("start", parameters=one)
    assert resource.single_node.holder("b", CIDR) != resource.single_node.eni
    assert resource("reload-agent").status == 0
    assert resource.holders() == {resource.single_node.eni}


# --- which tables, by whose rights ------------------------------------------------------------------------------------


def test_tables_may_be_selected_by_a_tag(resource: Resource) -> None:
    tables = [resource.tables["a"], resource.tables["b"]]
    resource.single_node.ec2.operator().create_tags(Resources=tables, Tags=[{"Key": "Cluster", "Value": "hana"}])
    assert resource("start", parameters={"routing_table": "tag:Cluster=hana"}).status == 0
    assert resource.single_node.holder("a", CIDR) == resource.single_node.holder("b", CIDR) == resource.single_node.eni
    assert resource.single_node.holder("clients", CIDR) != resource.single_node.eni


def test_a_tag_with_the_characters_of_a_pattern_means_itself(resource: Resource) -> None:
    operator = resource.single_node.ec2.operator()
    for key, value in (("a", "x*"), ("b", "xy"), ("clients", "x?")):
        operator.create_tags(Resources=[resource.tables[key]], Tags=[{"Key": "Service", "Value": value}])
    assert resource("start", parameters={"routing_table": "tag:Service=x*"}).status == 0
    assert resource.single_node.holder("a", CIDR) == resource.single_node.eni
    assert resource.single_node.eni not in [resource.single_node.holder(key, CIDR) for key in ("b", "clients")]


def test_a_tag_that_selects_nothing_is_an_error_that_names_it(resource: Resource) -> None:
    result = resource("start", parameters={"routing_table": "tag:Cluster=none"})
    assert result.status == 2 and "Cluster=none" in result.reason


def test_a_shared_vpc_is_reached_by_one_assumed_role(resource: Resource) -> None:
    role = "arn:aws:iam::123456789012:role/route-tables"
    resource.single_node.ec2.share(resource.tables.values(), role)
    result = resource("start")
    assert result.status == 2 and "routing_table_role" in result.reason
    resource.single_node.ec2.calls.clear()
    assert resource("start", parameters={"routing_table_role": role}).status == 0
    assert len(resource.single_node.ec2.calls.named("AssumeRole")) == 1
    assert resource.monitor(parameters={"routing_table_role": role}).status == 0


def test_a_missing_route_is_created_in_each_table_that_lacks_it(resource: Resource) -> None:
    new = Resource(resource.single_node, ip="192.168.10.11")
    assert new("start").status == 0
    assert new.holders("192.168.10.11/32") == {resource.single_node.eni}


def test_a_missing_route_is_reported_where_it_must_not_be_created(resource: Resource) -> None:
    new = Resource(resource.single_node, ip="192.168.10.11", create_route="false")
    result = new("start")
    assert result.status == 2 and "create_route=false" in result.reason
    assert f"{next(iter(resource.tables.values()))}, " in result.reason and "and 1 more: " in result.reason
    for table_id in resource.tables.values():
        assert table_id in result.stderr


def test_stop_deletes_the_routes_that_point_here_where_it_is_to(resource: Resource) -> None:
    deleting = Resource(resource.single_node, delete_route_on_stop="true", ip="192.168.10.12")
    deleting("start")
    other = resource.single_node.primary_eni("node2")
    resource.single_node.ec2.operator().replace_route(
        RouteTableId=resource.tables["b"], DestinationCidrBlock="192.168.10.12/32", NetworkInterfaceId=other
    )
    assert deleting("stop").status == 0
    assert deleting.holders("192.168.10.12/32") == {None, other}


MINIMAL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["ec2:DescribeRouteTables", "ec2:ReplaceRoute"], "Resource": "*"}],
}


def test_the_two_rights_of_the_vendors_guides_are_enough(resource: Resource) -> None:
    resource.single_node.ec2.allow(resource.single_node.instance_id, MINIMAL)
    result = resource("start")
    assert result.status == 0
    assert result.stderr.count("ec2:DescribeNetworkInterfaces") >= 1
    assert sum("source/destination check" in line for line in result.stderr.splitlines()) == 1
    assert resource.monitor().status == 0
    assert resource("validate-all", level=10).status == 0


def test_a_missing_route_without_the_right_to_create_it_says_what_to_do(resource: Resource) -> None:
    resource.single_node.ec2.allow(resource.single_node.instance_id, MINIMAL)
    result = Resource(resource.single_node, ip="192.168.10.11")("start")
    assert result.status == 4
    assert "create it once, or allow ec2:CreateRoute" in result.reason and "UnauthorizedOperation" in result.reason


# --- what a monitor tells apart ---------------------------------------------------------------------------------------


def test_a_stolen_route_names_its_holder(resource: Resource) -> None:
    resource("start")
    thief = resource.single_node.primary_eni("node2")
    resource.single_node.ec2.operator().replace_route(
        RouteTableId=resource.tables["b"], DestinationCidrBlock=CIDR, NetworkInterfaceId=thief
    )
    result = resource.monitor()
    assert result.status == 1
    assert thief in result.reason and resource.single_node.hosts["node2"] in result.reason
    assert resource.tables["b"] in result.reason and resource.tables["a"] not in result.reason
    assert resource("monitor").status == 1
    assert resource.monitor(parameters={"monapi": "false"}).status == 0
    assert resource.monitor(parameters={"monapi": "false"}, level=10).status == 1


def test_a_missing_route_fails_the_monitor(resource: Resource) -> None:
    resource("start")
    resource.single_node.ec2.operator().delete_route(RouteTableId=resource.tables["a"], DestinationCidrBlock=CIDR)
    result = resource.monitor()
    assert result.status == 1 and "has no route for it" in result.reason


def test_a_blackhole_fails_the_monitor_and_is_taken_over_by_a_start(resource: Resource) -> None:
    operator = resource.single_node.ec2.operator()
    spare = operator.create_network_interface(SubnetId=resource.single_node.vpc.subnets["a"])["NetworkInterface"]
    resource("start")
    operator.replace_route(
        RouteTableId=resource.tables["a"],
        DestinationCidrBlock=CIDR,
        NetworkInterfaceId=spare["NetworkInterfaceId"],
    )
    operator.delete_network_interface(NetworkInterfaceId=spare["NetworkInterfaceId"])
    result = resource.monitor()
    assert result.status == 1 and "blackhole" in result.reason
    assert resource("start").status == 0
    assert resource.monitor().status == 0


def test_another_eni_of_the_same_instance_is_not_here(resource: Resource) -> None:
    operator = resource.single_node.ec2.operator()
    second = operator.create_network_interface(SubnetId=resource.single_node.vpc.subnets["a"])["NetworkInterface"]
    second_id = second["NetworkInterfaceId"]
    operator.attach_network_interface(
        NetworkInterfaceId=second_id, InstanceId=resource.single_node.instance_id, DeviceIndex=1
    )
    resource("start")
    operator.replace_route(RouteTableId=resource.tables["a"], DestinationCidrBlock=CIDR, NetworkInterfaceId=second_id)
    result = resource.monitor()
    assert result.status == 1 and "another ENI of this instance" in result.reason


def test_a_route_that_aws_propagates_is_a_conflict_and_not_overwritten(resource: Resource) -> None:
    ip = "192.168.10.13"
    resource.single_node.ec2.propagate(resource.tables["a"], f"{ip}/32", "vgw-0123456789abcdef0")
    result = Resource(resource.single_node, ip=ip)("start")
    assert result.status == 2
    assert "AWS keeps" in result.reason and "vgw-0123456789abcdef0" in result.reason


def test_an_address_on_a_link_that_is_down_fails_the_monitor(resource: Resource) -> None:
    resource("start")
    subprocess.run(["ip", "link", "set", "ens5", "down"], check=True)
    result = resource.monitor()
    assert result.status == 1 and "ens5, which is down" in result.reason
    result = resource("start")
    assert result.status == 1 and "bring up interface ens5" in result.reason


def test_a_table_that_is_gone_or_hidden_is_warned_of_and_fails_no_monitor(resource: Resource) -> None:
    resource("start")
    gone = "rtb-0123456789abcdef0"
    result = resource.monitor(parameters={"routing_table": f"{resource.parameters['routing_table']},{gone}"})
    assert result.status == 0 and f"WARNING: {gone} not found" in result.stderr


def test_a_monitor_only_reads(resource: Resource) -> None:
    resource("start")
    resource.single_node.ec2.calls.clear()
    for how in ({"interval": 10}, {}, {"level": 10}):
        resource("monitor", **how)
    actions = {call.action for call in resource.single_node.ec2.calls}
    assert actions == {"DescribeRouteTables", "DescribeNetworkInterfaces"}


# --- the source/destination check -------------------------------------------------------------------------------------


def test_a_node_with_the_source_destination_check_is_refused(single_node: SingleNode) -> None:
    for table in single_node.vpc.route_tables:
        single_node.create_route(table, CIDR, single_node.primary_eni("node2"))
    subprocess.run(["ip", "address", "add", CIDR, "dev", single_node.link], check=True)
    result = Resource(single_node)("start")
    assert result.status == 2
    assert f"source/destination check is on for {single_node.eni}: set source_dest_check=disable" in result.reason
    assert f"--network-interface-id {single_node.eni} --no-source-dest-check" in result.stderr
    # With the address on this node, it is not known whether anybody else serves it.
    assert Resource(single_node).holders() == {single_node.primary_eni("node2")}


def test_the_source_destination_check_is_turned_off_where_that_is_wanted(single_node: SingleNode) -> None:
    result = Resource(single_node, source_dest_check="disable")("start")
    assert result.status == 0
    assert single_node.describe_eni(single_node.eni)["SourceDestCheck"] is False


def test_the_source_destination_check_is_not_looked_at_where_that_is_wanted(single_node: SingleNode) -> None:
    assert Resource(single_node, source_dest_check="ignore")("start").status == 0
    assert not single_node.ec2.calls.named("DescribeNetworkInterfaces")


@pytest.mark.parametrize("wanted", ["verify", "disable"])
def test_a_monitor_at_level_10_finds_a_check_that_was_turned_on_under_a_running_resource(
    resource: Resource, wanted: str
) -> None:
    how = {"parameters": {"source_dest_check": wanted}}
    resource("start", **how)
    resource.single_node.ec2.operator().modify_network_interface_attribute(
        NetworkInterfaceId=resource.single_node.eni, SourceDestCheck={"Value": True}
    )
    assert resource.monitor(**how).status == 0
    result = resource.monitor(level=10, **how)
    assert result.status == 1 and "source/destination check is on" in result.reason
    assert resource("start", **how).status == (0 if wanted == "disable" else 2)
    assert resource.monitor(level=10, parameters={"source_dest_check": "ignore"}).status == 0


# --- addresses by which the node itself lives --------------------------------------------------------------------------


def add_address(cidr: str, link: str = "ens5") -> None:
    subprocess.run(["ip", "address", "add", cidr, "dev", link], check=True)


@pytest.mark.parametrize("own", ["10.0.1.11", "2001:db8:100:1::11"])
def test_the_nodes_own_address_is_refused_and_never_removed(resource: Resource, own: str) -> None:
    cidr = f"{own}/64" if ":" in own else f"{own}/24"
    add_address(cidr)
    for how in ({"interval": 10}, {}):
        probed = resource("monitor", parameters={"ip": own}, **how)
        assert probed.status == 2
        assert probed.reason == f"ip {own} is this node's own address: choose one outside of the VPC"
    for action in ("start", "validate-all", "reload-agent"):
        assert resource(action, parameters={"ip": own}).status == 2
    stopped = resource("stop", parameters={"ip": own})
    assert stopped.status == 0 and "nothing is removed" in stopped.stderr
    assert cidr in resource.single_node.addresses()


def test_an_address_in_the_subnet_of_its_link_is_refused(resource: Resource) -> None:
    add_address("10.0.1.11/24")
    neighbour = {"ip": "10.0.1.12"}
    assert resource("start", parameters=neighbour).status == 2
    assert resource("validate-all", parameters={**neighbour, "interface": "ens5"}).status == 2
    add_address("10.0.1.12/32")
    assert resource("monitor", parameters=neighbour).status == 2
    assert resource("stop", parameters=neighbour).status == 0
    assert "10.0.1.12/32" in resource.single_node.addresses()


@pytest.mark.parametrize("left", [f"{IP}/24", "192.168.10.1/24"])
def test_what_somebody_left_on_a_passive_node_bans_this_node_alone(resource: Resource, left: str) -> None:
    # With 6 as the answer of this node's probe, Pacemaker stops the service that is healthy on the other node.
    add_address(left)
    how = {"parameters": {"interface": "ens5"}}
    for action in ("monitor", "start", "validate-all", "reload-agent"):
        result = resource(action, **how)
        assert result.status == 2 and "this node's own address" in result.reason, result
    stopped = resource("stop", **how)
    assert stopped.status == 0 and "nothing is removed" in stopped.stderr
    assert left in resource.single_node.addresses()


def test_what_somebody_adds_beside_a_running_address_neither_fails_it_nor_keeps_it_here(resource: Resource) -> None:
    assert resource("start").status == 0
    add_address("192.168.10.1/24")
    assert resource.monitor().status == resource("monitor").status == resource("start").status == 0
    stopped = resource("stop")
    assert stopped.status == 0 and "nothing is removed" not in stopped.stderr
    addresses = resource.single_node.addresses()
    assert CIDR not in addresses and "192.168.10.1/24" in addresses


def test_a_subnet_of_another_link_forbids_nothing(resource: Resource) -> None:
    subprocess.run(["ip", "link", "add", "docker0", "type", "bridge"], check=True)
    try:
        add_address("192.168.10.1/24", "docker0")
        assert [resource(action).status for action in ("start", "monitor", "stop")] == [0, 0, 0]
        assert CIDR not in resource.single_node.addresses()
    finally:
        subprocess.run(["ip", "link", "del", "docker0"], check=True)


def test_an_address_of_aws_vpc_move_ip_is_taken_over_and_removed(resource: Resource) -> None:
    add_address("10.0.1.11/24")
    add_address(CIDR)
    assert resource("monitor").status == 1
    assert resource("start").status == 0
    assert resource("stop").status == 0
    assert CIDR not in resource.single_node.addresses()


def test_an_address_inside_the_vpc_is_refused_by_a_start_and_by_a_probe_that_finds_it(resource: Resource) -> None:
    inside = {"ip": "10.0.77.7"}
    assert resource("start", parameters=inside).status == 2
    assert resource("monitor", parameters=inside).status == 7
    add_address("10.0.77.7/32")
    probed = resource("monitor", parameters=inside)
    assert probed.status == 2 and "choose one outside" in probed.reason
    assert resource("stop", parameters=inside).status == 0
    assert "10.0.77.7/32" not in resource.single_node.addresses()


# --- several tables, some of which fail -------------------------------------------------------------------------------


def test_a_table_that_fails_does_not_stop_the_others_and_is_named(resource: Resource) -> None:
    refused = resource.tables["b"]
    with resource.single_node.ec2.faults.add(
        "ReplaceRoute", where={"RouteTableId": refused}, effect=effects.Error("InvalidParameterValue", 400, "No.")
    ):
        result = resource("start")
    assert result.status == 2
    assert refused in result.reason and "InvalidParameterValue" in result.reason and "request " in result.stderr
    assert resource.tables["a"] not in result.reason
    assert (
        resource.single_node.holder("a", CIDR)
        == resource.single_node.holder("clients", CIDR)
        == resource.single_node.eni
    )


def test_a_start_moves_the_other_tables_where_one_does_not_exist_and_warns(resource: Resource) -> None:
    gone = "rtb-0123456789abcdef0"
    tables = f"{resource.parameters['routing_table']},{gone}"
    result = resource("start", parameters={"routing_table": tables})
    assert result.status == 0 and f"WARNING: {gone} not found" in result.stderr
    assert resource.holders() == {resource.single_node.eni}


def test_a_start_fails_where_no_table_exists(resource: Resource) -> None:
    result = resource("start", parameters={"routing_table": "rtb-0123456789abcdef0"})
    assert result.status == 2 and "rtb-0123456789abcdef0: not found" in result.reason
    assert result.seconds > 9, "a table that was made a moment ago may not be visible yet"


def test_a_route_that_another_made_in_between_is_taken_over(resource: Resource) -> None:
    new = Resource(resource.single_node, ip="192.168.10.14")
    # With the address here already, start looks before it writes.
    add_address("192.168.10.14/32")
    resource.single_node.ec2.faults.add("DescribeRouteTables", effect=effects.Stale(2))
    for table in resource.tables:
        resource.single_node.create_route(table, "192.168.10.14/32", resource.single_node.primary_eni("node2"))
    assert new("start").status == 0
    assert "RouteAlreadyExists" in {call.outcome for call in resource.single_node.ec2.calls.named("CreateRoute")}
    assert new.holders("192.168.10.14/32") == {resource.single_node.eni}


def test_a_route_that_the_other_nodes_stop_deletes_meanwhile_is_created(resource: Resource) -> None:
    resource.single_node.ec2.faults.add("DescribeRouteTables", effect=effects.Stale(1))
    for table_id in resource.tables.values():
        resource.single_node.ec2.operator().delete_route(RouteTableId=table_id, DestinationCidrBlock=CIDR)
    assert resource("start").status == 0
    assert "InvalidParameterValue" in {call.outcome for call in resource.single_node.ec2.calls.named("ReplaceRoute")}
    assert resource.holders() == {resource.single_node.eni}


def test_a_single_old_read_fails_no_monitor(resource: Resource) -> None:
    operator = resource.single_node.ec2.operator()
    resource("start")
    table = {"RouteTableId": resource.tables["b"], "DestinationCidrBlock": CIDR}
    operator.replace_route(**table, NetworkInterfaceId=resource.single_node.primary_eni("node2"))
    operator.replace_route(**table, NetworkInterfaceId=resource.single_node.eni)
    resource.single_node.ec2.faults.add("DescribeRouteTables", effect=effects.Stale(2), times=1)
    assert resource.monitor().status == 0


class OldBeforeLong:
    """EC2 answers late, and what it says is old by then."""

    def __init__(self, seconds: float, change: Callable[[], None]):
        self._seconds = seconds
        self._change = change

    def around(self, exchange: effects.Exchange, released: threading.Event) -> Response:
        """Execute the call late, and make the change right after it."""
        released.wait(self._seconds)
        answer = exchange.execute()
        self._change()
        return answer


def test_a_single_old_read_fails_no_monitor_where_ec2_is_slow_to_answer(resource: Resource) -> None:
    resource("start")
    operator = resource.single_node.ec2.operator()
    table = {"RouteTableId": resource.tables["b"], "DestinationCidrBlock": CIDR}

    def return_route() -> None:
        operator.replace_route(**table, NetworkInterfaceId=resource.single_node.eni)

    operator.replace_route(**table, NetworkInterfaceId=resource.single_node.primary_eni("node2"))
    resource.single_node.ec2.faults.add("DescribeRouteTables", effect=OldBeforeLong(4.9, return_route), times=1)
    result = resource.monitor(timeout=60)
    assert result.status == 0 and result.seconds > 4.9, result


def test_a_reload_names_a_table_that_was_dropped(resource: Resource) -> None:
    resource("start")
    kept = ",".join([resource.tables["a"], resource.tables["clients"]])
    result = resource("reload-agent", parameters={"routing_table": kept})
    assert result.status == 0
    assert f"WARNING: {resource.tables['b']} sends {IP} here too, and is not in the definition" in result.stderr


def test_a_reload_that_meets_an_outage_restarts_nothing(resource: Resource) -> None:
    resource("start")
    resource.single_node.ec2.faults.add(effect=effects.Error("RequestLimitExceeded", 503))
    result = resource("reload-agent", parameters={"api_timeout": "1"}, timeout=6)
    assert result.status == 0 and "WARNING: reloaded as far as possible" in result.stderr


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters, words",
    [
        ({"ip": ""}, ["parameter 'ip' is required"]),
        ({"ip": "10.0.0.0/24"}, ["parameter 'ip'", "10.0.0.0/24"]),
        ({"ip": "169.254.1.1"}, ["parameter 'ip'", "reserved"]),
        ({"routing_table": ""}, ["parameter 'routing_table' is required"]),
        ({"routing_table": "eth0"}, ["parameter 'routing_table'", "eth0"]),
        ({"routing_table_role": "role"}, ["parameter 'routing_table_role'", "arn:aws:iam"]),
        ({"monapi": "perhaps"}, ["parameter 'monapi'", "perhaps"]),
        ({"source_dest_check": "off"}, ["parameter 'source_dest_check'", "verify, disable, ignore"]),
        ({"api_timeout": "0"}, ["parameter 'api_timeout'"]),
        ({"endpoint_url": "vpce-1"}, ["parameter 'endpoint_url'", "URL"]),
        ({"proxy": "proxy:3128"}, ["parameter 'proxy'", "URL"]),
    ],
)
@pytest.mark.parametrize("action", ["start", "monitor", "validate-all"])
def test_a_wrong_parameter_is_named_and_fatal(
    resource: Resource, action: str, parameters: dict[str, str], words: list[str]
) -> None:
    result = resource(action, parameters=parameters)
    assert result.status == 6
    for word in words:
        assert word in result.reason


def test_a_stop_with_wrong_parameters_takes_away_what_can_be_named(resource: Resource) -> None:
    resource("start")
    assert resource("stop", parameters={"routing_table": "", "monapi": "perhaps"}).status == 0
    assert CIDR not in resource.single_node.addresses()
    assert resource("stop", parameters={"ip": "banana"}).status == 0


def test_a_misspelt_parameter_is_reported_by_validation(resource: Resource) -> None:
    result = resource("validate-all", parameters={"routing_tabel": "rtb-1"})
    assert result.status == 6 and "'routing_tabel'" in result.reason


def test_a_misspelt_parameter_that_was_forced_is_logged_by_a_start(resource: Resource) -> None:
    result = resource("start", parameters={"routing_tabel": "rtb-1"})
    assert result.status == 0 and "unknown parameter 'routing_tabel'" in result.stderr


@pytest.mark.parametrize(
    "parameters, words",
    [
        ({"iflabel": "a-label-of-more-than-fifteen"}, "15 characters"),
        ({"region": "Frankfurt"}, "not a region"),
        ({"region": "eu-central"}, "not a region"),
    ],
)
def test_what_can_never_be_is_refused_at_level_0(resource: Resource, parameters: dict[str, str], words: str) -> None:
    result = resource("validate-all", parameters=parameters)
    assert result.status == 6 and words in result.reason


def test_the_password_of_a_proxy_is_in_no_message(resource: Resource) -> None:
    for proxy in ("http://user:hunter2@127.0.0.1:9", "socks://user:hunter2@127.0.0.1:9"):
        result = resource("start", parameters={"proxy": proxy, "api_timeout": "1"}, timeout=4)
        assert result.status in (1, 6) and "hunter2" not in result.stderr


def test_a_role_may_be_assumed_by_a_resource_with_a_name_of_one_letter(resource: Resource) -> None:
    role = "arn:aws:iam::123456789012:role/route-tables"
    resource.single_node.ec2.share(resource.tables.values(), role)
    how = {"parameters": {"routing_table_role": role}, "environ": {"OCF_RESOURCE_INSTANCE": "x"}}
    assert resource("start", **how).status == 0


def test_an_endpoint_without_encryption_is_warned_of(resource: Resource) -> None:
    result = resource("start", parameters={"endpoint_url": "http://127.0.0.1:9", "api_timeout": "1"}, timeout=4)
    assert "WARNING: endpoint_url" in result.stderr and "not encrypted" in result.stderr


def test_a_label_that_the_kernel_would_cut_is_refused(resource: Resource) -> None:
    result = resource("validate-all", parameters={"interface": "ens5", "iflabel": "much-too-long"})
    assert result.status == 2 and "'ens5:much-too-long' has 18 characters" in result.reason
    assert resource("start", parameters={"iflabel": "much-too-long"}).status == 2


def test_a_label_is_measured_with_the_name_that_the_link_has_on_this_node(resource: Resource) -> None:
    label = {"iflabel": "sap-hana1"}
    assert resource("start", parameters=label).status == 0
    resource("stop")
    subprocess.run(
        "ip link set ens5 down; ip link set ens5 name enp125s0; ip link set enp125s0 up", shell=True, check=True
    )
    try:
        result = resource("start", parameters=label)
        # The other node, whose link is ens5, may serve.
        assert result.status == 2 and "'enp125s0:sap-hana1' has 18 characters" in result.reason
    finally:
        back = "ip link set enp125s0 down; ip link set enp125s0 name ens5; ip link set ens5 up"
        subprocess.run(back, shell=True, check=True)


def test_a_label_stands_on_the_kernels_name_of_a_link_that_is_named_by_another(resource: Resource) -> None:
    altname = "eni-0123456789abcdef0"
    subprocess.run(["ip", "link", "property", "add", "dev", "ens5", "altname", altname], check=True)
    try:
        how = {"parameters": {"interface": altname, "iflabel": "sap"}}
        assert [resource(action, **how).status for action in ("validate-all", "start", "stop")] == [0, 0, 0]
    finally:
        subprocess.run(["ip", "link", "property", "del", "dev", "ens5", "altname", altname], check=True)


def test_an_interface_that_does_not_exist_is_named_with_those_that_do(resource: Resource) -> None:
    for action, level in (("start", 0), ("validate-all", 10)):
        result = resource(action, level=level, parameters={"interface": "eth0"})
        assert result.status == 5
        assert "'eth0' does not exist" in result.reason and "ens5" in result.reason
        # A start does not believe it at once: a ban is for what lasts.
        assert SETTLE_SECONDS < result.seconds if action == "start" else result.seconds < 3
    assert resource("monitor", parameters={"interface": "eth0"}).status == 7
    assert resource("stop", parameters={"interface": "eth0"}).status == 0


@pytest.fixture
def later() -> Iterator[Callable[[float, str], None]]:
    """Runs a command of the shell so many seconds later."""
    timers = []

    def run(seconds: float, command: str) -> None:
        timers.append(threading.Timer(seconds, subprocess.run, [command], {"shell": True, "check": True}))
        timers[-1].start()

    yield run
    for timer in timers:
        timer.join()


def test_a_start_waits_for_a_link_that_is_down(resource: Resource, later: Callable[[float, str], None]) -> None:
    subprocess.run(["ip", "link", "set", "ens5", "down"], check=True)
    later(3, "ip link set ens5 up")
    result = resource("start")
    assert result.status == 0 and result.seconds > 3, result
    assert CIDR in resource.single_node.addresses() and resource.holders() == {resource.single_node.eni}


def test_a_start_whose_link_stays_down_says_so_in_time(resource: Resource, later: Callable[[float, str], None]) -> None:
    subprocess.run(["ip", "link", "set", "ens5", "down"], check=True)
    later(14, "ip link set ens5 up")
    result = resource("start", timeout=14)
    assert result.status == 1 and "bring up interface ens5: it is down" in result.reason
    assert result.seconds > 9 and CIDR not in resource.single_node.addresses()


@pytest.mark.parametrize("parameters", [{}, {"interface": "ens5"}])
def test_a_start_waits_for_a_link_that_is_missing(
    resource: Resource, later: Callable[[float, str], None], parameters: dict[str, str]
) -> None:
    away = "ip netns add away; ip link set ens5 netns away"
    subprocess.run(away, shell=True, check=True)
    later(3, f"ip -n away link set ens5 netns {os.getpid()}; ip netns del away; ip link set ens5 up")
    result = resource("start", parameters=parameters)
    assert result.status == 0 and result.seconds > 3, result
    assert CIDR in resource.single_node.addresses()


def test_a_profile_that_does_not_exist_is_named(resource: Resource) -> None:
    result = resource("start", parameters={"profile": "cluster"})
    assert result.status == 4 and "cluster" in result.reason


def test_without_imds_interface_region_and_profile_are_enough(resource: Resource) -> None:
    single_node = resource.single_node
    keys = single_node.ec2.credentials(single_node.instance_id)
    credentials = single_node.directory / "credentials"
    credentials.write_text(
        f"[cluster]\naws_access_key_id={keys['AccessKeyId']}\naws_secret_access_key={keys['SecretAccessKey']}\n"
        f"aws_session_token={keys['Token']}\n"
    )
    single_node.imds.disabled.add(single_node.instance_id)
    how = {
        "parameters": {"interface": "ens5", "region": "eu-central-1", "profile": "cluster"},
        "environ": {"AWS_SHARED_CREDENTIALS_FILE": str(credentials)},
    }
    assert resource("start", **how).status == 0
    assert resource.holders() == {single_node.eni}
    result = resource.monitor(**how)
    assert result.status == 0 and "unknown" not in result.stderr
    result = resource("start")
    assert result.status == 1 and "parameter 'interface'" in result.reason


# --- validation of the environment ------------------------------------------------------------------------------------


def test_validation_at_level_0_asks_nobody(resource: Resource) -> None:
    resource.single_node.imds.dead.add(resource.single_node.instance_id)
    result = resource("validate-all")
    assert result.status == 0 and result.seconds < 1
    assert not resource.single_node.ec2.calls


def test_validation_at_level_10_warns_of_a_tool_that_removes_the_address(resource: Resource, tmp_path: Path) -> None:
    file = tmp_path / "10-ens5.network"
    file.write_text("[Network]\nDHCP=yes\n")
    # /sys shows the machine's links, not the sandbox's.
    index = subprocess.check_output(["ip", "-oneline", "link", "show", "ens5"], text=True).partition(":")[0]
    state = Path("/run/systemd/netif/links", index)
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(f"ADMIN_STATE=configured\nNETWORK_FILE={file}\n")
    try:
        result = resource("validate-all", level=10)
        assert result.status == 0
        assert "a restart of systemd-networkd removes the address" in result.stderr and "ocf-aws check" in result.stderr
        file.write_text("[Network]\nDHCP=yes\nKeepConfiguration=yes\n")
        assert "networkd" not in resource("validate-all", level=10).stderr
    finally:
        state.unlink()


def test_validation_at_level_10_changes_nothing(resource: Resource) -> None:
    holders = resource.holders()
    assert resource("validate-all", level=10).status == 0
    assert resource.holders() == holders and CIDR not in resource.single_node.addresses()


def test_validation_finds_an_address_inside_the_vpc(resource: Resource) -> None:
    result = resource("validate-all", level=10, parameters={"ip": "10.0.77.7"})
    assert result.status == 2 and "ip 10.0.77.7 lies inside the VPC (10.0.0.0/16): choose one outside" in result.reason
    result = resource("validate-all", level=10, parameters={"ip": "2001:db8:100:77::7"})
    assert result.status == 2 and "inside the VPC (2001:db8:100::/56)" in result.reason


def test_validation_finds_a_table_of_another_vpc(resource: Resource) -> None:
    operator = resource.single_node.ec2.operator()
    other = operator.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    table = operator.create_route_table(VpcId=other)["RouteTable"]["RouteTableId"]
    result = resource("validate-all", level=10, parameters={"routing_table": table})
    assert result.status == 2 and other in result.reason


def test_validation_finds_a_missing_right(resource: Resource) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
    resource.single_node.ec2.allow(resource.single_node.instance_id, policy)
    result = resource("validate-all", level=10)
    assert result.status == 4 and "allow ec2:ReplaceRoute" in result.reason


def test_validation_finds_a_missing_right_to_delete(resource: Resource) -> None:
    resource.single_node.ec2.allow(resource.single_node.instance_id, MINIMAL)
    holders = resource.holders()
    result = resource("validate-all", level=10, parameters={"delete_route_on_stop": "true"})
    assert result.status == 4 and "allow ec2:DeleteRoute" in result.reason
    assert resource.holders() == holders


def test_validation_finds_the_source_destination_check(single_node: SingleNode) -> None:
    for table in single_node.vpc.route_tables:
        single_node.create_route(table, CIDR, single_node.eni)
    result = Resource(single_node)("validate-all", level=10)
    assert result.status == 2 and "source/destination check" in result.reason


# --- definitions written for aws-vpc-move-ip --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vendor",
    [
        {"interface": "ens5", "profile": "default"},
        {"interface": "ens5", "auth_type": "role", "region": "eu-central-1", "awscli": "/usr/local/bin/aws"},
        {"interface": "ens5", "lookup_type": "NetworkInterfaceId", "awscli_timeout": "10", "curl_retries": "4"},
        {"ip": "", "address": IP, "interface": "ens5", "monapi": "true", "curl_sleep": "3"},
    ],
)
def test_a_definition_of_the_vendors_guides_works_unchanged(resource: Resource, vendor: dict[str, str]) -> None:
    for action, status in (("validate-all", 0), ("start", 0), ("monitor", 0), ("stop", 0), ("monitor", 7)):
        assert resource(action, parameters=vendor).status == status
    ids = list(resource.tables.values())
    assert resource("start", parameters={**vendor, "routing_table": f"{ids[0]}, {ids[1]}"}).status == 0


def test_parameters_without_effect_are_mentioned_once_a_start(resource: Resource) -> None:
    idle = {"awscli": "/usr/bin/aws", "lookup_type": "InstanceId"}
    assert "without effect in aws-overlay-ip: awscli, lookup_type" in resource("start", parameters=idle).stderr
    assert "without effect" not in resource.monitor(parameters=idle).stderr


# --- what a person runs -----------------------------------------------------------------------------------------------


def test_meta_data_needs_neither_root_nor_libraries() -> None:
    # Not in a directory of pytest's: those are for one user alone.
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        done = meta_data_as_nobody(directory)
    assert done.returncode == 0 and done.stdout.startswith("<?xml")
    assert "boto" not in done.stderr and "pyroute2" not in done.stderr


def meta_data_as_nobody(root: str) -> subprocess.CompletedProcess[str]:
    """Install into a directory, and run the agent from there."""
    subprocess.run(["make", "-C", CHECKOUT, "install", f"DESTDIR={root}"], check=True, capture_output=True)
    return subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        + [PYTHON, "-B", "-X", "importtime", f"{root}/usr/lib/ocf/resource.d/aws/aws-overlay-ip", "meta-data"],
        env={"PYTHONPATH": str(next(Path(root).rglob("ocf_aws")).parent)},
        capture_output=True,
        text=True,
    )


def test_an_unknown_action_is_told_what_there_is(resource: Resource) -> None:
    result = resource("promote")
    assert result.status == 3 and "start|stop|monitor" in result.reason
