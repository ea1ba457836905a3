"""The lab's EC2 answers calls on route tables as AWS does."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from vpclab.ec2 import Ec2
from vpclab.plan import BuiltVpc
from vpclab.vpc import Route

OVERLAY = "192.168.7.7/32"
OVERLAY6 = "fd00:7::7/128"


def error_of(call: Any, **parameters: Any) -> tuple[str, int]:
    """The error code and HTTP status of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def eni_of(ec2: Ec2, instance_id: str) -> str:
    """The primary ENI of an instance."""
    return next(eni.id for eni in ec2.vpc().enis if eni.instance_id == instance_id)


def entry(ec2: Ec2, table: str, destination: str) -> dict[str, Any]:
    """The one entry of a table for a destination."""
    described = ec2.operator().describe_route_tables(RouteTableIds=[table])
    (found,) = [
        route
        for route in described["RouteTables"][0]["Routes"]
        if destination in (route.get("DestinationCidrBlock"), route.get("DestinationIpv6CidrBlock"))
    ]
    return dict(found)


@pytest.fixture
def table(vpc: BuiltVpc) -> str:
    """The route table of subnet a."""
    return vpc.route_tables["a"]


@pytest.fixture
def node(ec2: Ec2, hosts: dict[str, str]) -> Any:
    """node1's client."""
    return ec2.client(hosts["node1"])


def test_a_route_to_an_eni_tells_instance_owner_and_origin(
    ec2: Ec2, table: str, hosts: dict[str, str], node: Any
) -> None:
    eni = eni_of(ec2, hosts["node1"])
    node.create_route(RouteTableId=table, DestinationCidrBlock=OVERLAY, NetworkInterfaceId=eni)
    assert entry(ec2, table, OVERLAY) == {
        "DestinationCidrBlock": OVERLAY,
        "InstanceId": hosts["node1"],
        "InstanceOwnerId": "123456789012",
        "NetworkInterfaceId": eni,
        "Origin": "CreateRoute",
        "State": "active",
    }


def test_a_route_to_an_instance_is_one_to_its_only_eni(ec2: Ec2, table: str, hosts: dict[str, str], node: Any) -> None:
    node.create_route(RouteTableId=table, DestinationIpv6CidrBlock=OVERLAY6, InstanceId=hosts["node2"])
    assert entry(ec2, table, OVERLAY6)["NetworkInterfaceId"] == eni_of(ec2, hosts["node2"])


def test_an_existing_route_is_not_created_again(table: str, hosts: dict[str, str], node: Any) -> None:
    wanted = {"RouteTableId": table, "DestinationCidrBlock": OVERLAY, "InstanceId": hosts["node1"]}
    node.create_route(**wanted)
    assert error_of(node.create_route, **wanted) == ("RouteAlreadyExists", 400)


def test_replace_moves_a_route_and_the_snapshot_follows(ec2: Ec2, table: str, hosts: dict[str, str], node: Any) -> None:
    node.create_route(RouteTableId=table, DestinationCidrBlock=OVERLAY, InstanceId=hosts["node1"])
    seen: list[tuple[Route, ...]] = []
    ec2.on_change = lambda: seen.append(next(t.routes for t in ec2.vpc().route_tables if t.id == table))
    target = eni_of(ec2, hosts["node2"])
    node.replace_route(RouteTableId=table, DestinationCidrBlock=OVERLAY, NetworkInterfaceId=target)
    assert seen == [(Route(OVERLAY, target),)]


def test_replacing_a_missing_route_is_an_invalid_value_and_deleting_one_not_found(
    table: str, hosts: dict[str, str], node: Any
) -> None:
    where = {"RouteTableId": table, "DestinationCidrBlock": OVERLAY}
    assert error_of(node.replace_route, **where, InstanceId=hosts["node1"])[0] == "InvalidParameterValue"
    assert error_of(node.delete_route, **where)[0] == "InvalidRoute.NotFound"


def test_a_deleted_route_is_gone(ec2: Ec2, table: str, hosts: dict[str, str], node: Any) -> None:
    node.create_route(RouteTableId=table, DestinationCidrBlock=OVERLAY, InstanceId=hosts["node1"])
    node.delete_route(RouteTableId=table, DestinationCidrBlock=OVERLAY)
    with pytest.raises(ValueError):
        entry(ec2, table, OVERLAY)


def test_create_cuts_host_bits_off_and_replace_does_not(ec2: Ec2, table: str, hosts: dict[str, str], node: Any) -> None:
    node.create_route(RouteTableId=table, DestinationCidrBlock="192.168.7.9/24", InstanceId=hosts["node1"])
    assert entry(ec2, table, "192.168.7.0/24")["State"] == "active"
    wanted = {"RouteTableId": table, "DestinationCidrBlock": "192.168.7.9/24"}
    assert error_of(node.replace_route, **wanted, InstanceId=hosts["node1"])[0] == "InvalidParameterValue"


@pytest.mark.parametrize("cidr", ["banana", "192.168.7.7", "10.0.1.50/32", "169.254.169.254/32", "fd00::1/128"])
def test_impossible_destinations_are_refused(table: str, hosts: dict[str, str], node: Any, cidr: str) -> None:
    wanted = {"RouteTableId": table, "DestinationCidrBlock": cidr, "InstanceId": hosts["node1"]}
    assert error_of(node.create_route, **wanted) == ("InvalidParameterValue", 400)


def test_the_whole_of_a_subnet_can_be_routed(ec2: Ec2, table: str, hosts: dict[str, str], node: Any) -> None:
    node.create_route(RouteTableId=table, DestinationCidrBlock="10.0.2.0/24", InstanceId=hosts["node1"])
    assert entry(ec2, table, "10.0.2.0/24")["State"] == "active"


def test_a_route_needs_exactly_one_target(table: str, hosts: dict[str, str], node: Any) -> None:
    wanted = {"RouteTableId": table, "DestinationCidrBlock": OVERLAY}
    assert error_of(node.create_route, **wanted)[0] == "MissingParameter"
    both = {"InstanceId": hosts["node1"], "GatewayId": "igw-12345678"}
    assert error_of(node.create_route, **wanted, **both)[0] == "InvalidParameterCombination"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"RouteTableId": "rtb-00000000000000000"}, "InvalidRouteTableID.NotFound"),
        ({"RouteTableId": "banana"}, "InvalidRouteTableId.Malformed"),
        ({"NetworkInterfaceId": "eni-00000000000000000"}, "InvalidNetworkInterfaceID.NotFound"),
        ({"NetworkInterfaceId": "eni-0000"}, "InvalidNetworkInterfaceId.Malformed"),
    ],
)
def test_unknown_and_malformed_ids_are_told_apart(
    ec2: Ec2, table: str, hosts: dict[str, str], node: Any, changed: dict[str, str], code: str
) -> None:
    eni = eni_of(ec2, hosts["node1"])
    wanted = {"RouteTableId": table, "DestinationCidrBlock": OVERLAY, "NetworkInterfaceId": eni}
    assert error_of(node.create_route, **{**wanted, **changed})[0] == code


def test_a_route_is_a_blackhole_while_its_eni_has_no_instance_and_after_it_is_deleted(
    ec2: Ec2, vpc: BuiltVpc, table: str, hosts: dict[str, str]
) -> None:
    operator = ec2.operator()
    eni = operator.create_network_interface(SubnetId=vpc.subnets["a"])["NetworkInterface"]["NetworkInterfaceId"]
    operator.create_route(RouteTableId=table, DestinationCidrBlock=OVERLAY, NetworkInterfaceId=eni)
    states = [entry(ec2, table, OVERLAY)["State"]]
    attachment = operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=hosts["node1"], DeviceIndex=1)
    states.append(entry(ec2, table, OVERLAY)["State"])
    operator.detach_network_interface(AttachmentId=attachment["AttachmentId"])
    operator.delete_network_interface(NetworkInterfaceId=eni)
    last = entry(ec2, table, OVERLAY)
    assert [*states, last["State"]] == ["blackhole", "active", "blackhole"]
    assert last["NetworkInterfaceId"] == eni and "InstanceId" not in last


def test_a_propagated_route_cannot_be_replaced_but_a_static_one_goes_beside_it(
    ec2: Ec2, table: str, hosts: dict[str, str], node: Any
) -> None:
    ec2.propagate(table, OVERLAY, "vgw-12345678")
    assert entry(ec2, table, OVERLAY)["Origin"] == "EnableVgwRoutePropagation"
    wanted = {"RouteTableId": table, "DestinationCidrBlock": OVERLAY, "InstanceId": hosts["node1"]}
    assert error_of(node.replace_route, **wanted)[0] == "InvalidParameterValue"
    node.create_route(**wanted)
    routes = node.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    origins = [route["Origin"] for route in routes if route.get("DestinationCidrBlock") == OVERLAY]
    assert origins == ["EnableVgwRoutePropagation", "CreateRoute"]


def test_an_internet_gateway_can_take_the_place_of_an_eni_and_back(ec2: Ec2, table: str, hosts: dict[str, str]) -> None:
    operator = ec2.operator()
    gateway = operator.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    where = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    operator.create_route(**where, InstanceId=hosts["node1"])
    operator.replace_route(**where, GatewayId=gateway)
    replaced = entry(ec2, table, "0.0.0.0/0")
    operator.replace_route(**where, InstanceId=hosts["node2"])
    assert replaced["GatewayId"] == gateway and "NetworkInterfaceId" not in replaced
    assert entry(ec2, table, "0.0.0.0/0")["InstanceId"] == hosts["node2"]


def test_a_failed_replacement_leaves_the_route_as_it_was(
    ec2: Ec2, table: str, hosts: dict[str, str], node: Any
) -> None:
    where = {"RouteTableId": table, "DestinationCidrBlock": OVERLAY}
    node.create_route(**where, InstanceId=hosts["node1"])
    error_of(node.replace_route, **where, GatewayId="igw-12345678")
    assert entry(ec2, table, OVERLAY)["InstanceId"] == hosts["node1"]


def test_tables_are_found_by_their_id_subnet_route_and_tag(
    ec2: Ec2, vpc: BuiltVpc, table: str, hosts: dict[str, str], node: Any
) -> None:
    node.create_route(RouteTableId=table, DestinationCidrBlock=OVERLAY, NetworkInterfaceId=eni_of(ec2, hosts["node1"]))

    def found(name: str, value: str) -> set[str]:
        answer = node.describe_route_tables(Filters=[{"Name": name, "Values": [value]}])
        return {each["RouteTableId"] for each in answer["RouteTables"]}

    for name, value in {
        "route-table-id": table,
        "route.destination-cidr-block": "192.168.7.*",
        "association.subnet-id": vpc.subnets["a"],
        "tag:Name": "a",
    }.items():
        assert found(name, value) == {table}, name
    main = found("association.main", "true")
    assert len(main) == 1 and not main & set(vpc.route_tables.values())
    bad = [{"Name": "route.banana", "Values": ["x"]}]
    assert error_of(node.describe_route_tables, Filters=bad)[0] == "UnsupportedOperation"


def test_the_caller_chooses_the_size_of_a_page(ec2: Ec2, vpc: BuiltVpc, node: Any) -> None:
    for _ in range(9):
        ec2.operator().create_route_table(VpcId=vpc.vpc_id)
    pages = list(node.get_paginator("describe_route_tables").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["RouteTables"]) for page in pages] == [5, 5, 3]
    assert len({t["RouteTableId"] for page in pages for t in page["RouteTables"]}) == 13
    assert error_of(node.describe_instances, MaxResults=4)[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    "call, name, expected",
    [
        ("describe_route_tables", "RouteTables", [2, 2]),
        ("describe_subnets", "Subnets", [2, 1]),
        ("describe_network_interfaces", "NetworkInterfaces", [2, 1]),
        ("describe_instances", "Reservations", [2, 1]),
    ],
)
def test_the_server_pages_answers_although_the_caller_did_not_ask(
    ec2: Ec2, node: Any, call: str, name: str, expected: list[int]
) -> None:
    whole = getattr(node, call)()
    assert "NextToken" not in whole
    ec2.page_size = 2
    first = getattr(node, call)()
    second = getattr(node, call)(NextToken=first["NextToken"])
    assert [len(first[name]), len(second[name])] == expected
    assert first[name] + second[name] == whole[name]
    assert "NextToken" not in second


def test_a_table_takes_no_more_than_500_routes(table: str, hosts: dict[str, str], ec2: Ec2) -> None:
    operator = ec2.operator()
    wanted = {"RouteTableId": table, "InstanceId": hosts["node1"]}
    for number in range(500):
        operator.create_route(**wanted, DestinationCidrBlock=f"172.16.{number // 256}.{number % 256}/32")
    assert error_of(operator.create_route, **wanted, DestinationCidrBlock=OVERLAY)[0] == "RouteLimitExceeded"


def test_a_shared_table_exists_only_for_the_owners_role(
    ec2: Ec2, vpc: BuiltVpc, table: str, hosts: dict[str, str], node: Any
) -> None:
    role = "arn:aws:iam::210987654321:role/overlay"
    ec2.share([table], role)
    assert error_of(node.describe_route_tables, RouteTableIds=[table])[0] == "InvalidRouteTableID.NotFound"
    seen = {each["RouteTableId"] for each in node.describe_route_tables()["RouteTables"]}
    assert table not in seen and vpc.route_tables["b"] in seen
    wanted = {"RouteTableId": table, "DestinationCidrBlock": OVERLAY, "InstanceId": hosts["node1"]}
    assert error_of(node.create_route, **wanted)[0] == "InvalidRouteTableID.NotFound"
    ec2.client(hosts["node1"], role=role).create_route(**wanted)
    assert entry(ec2, table, OVERLAY)["State"] == "active"
    assert ec2.calls[-1].caller == hosts["node1"] and ec2.calls[-1].role == role


def test_a_dry_run_changes_nothing(ec2: Ec2, table: str, hosts: dict[str, str], node: Any) -> None:
    wanted = {"RouteTableId": table, "DestinationCidrBlock": OVERLAY, "InstanceId": hosts["node1"]}
    assert error_of(node.create_route, **wanted, DryRun=True) == ("DryRunOperation", 412)
    assert error_of(node.describe_route_tables, DryRun=True) == ("DryRunOperation", 412)
    with pytest.raises(ValueError):
        entry(ec2, table, OVERLAY)


def test_a_filter_takes_patterns_and_a_backslash_before_their_characters(ec2: Ec2, vpc: BuiltVpc) -> None:
    operator = ec2.operator()
    for table_id, value in zip(vpc.route_tables.values(), ("x*", "xy")):
        operator.create_tags(Resources=[table_id], Tags=[{"Key": "Service", "Value": value}])
    for value, count in (("x*", 2), ("x\\*", 1), ("x?", 2), ("x\\?", 0), ("[x]y", 0)):
        answer = operator.describe_route_tables(Filters=[{"Name": "tag:Service", "Values": [value]}])
        assert len(answer["RouteTables"]) == count, value
