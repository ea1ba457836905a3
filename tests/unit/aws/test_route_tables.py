"""Routes for one address: where they lead, and the ENI where they are to lead."""

from __future__ import annotations

from typing import Any

import pytest

from ocf_aws.aws.errors import NotFound
from ocf_aws.aws.route_tables import Route, Target, describe_routes, find_target
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.errors import Unknown
from ocf_aws.parameters import RouteTableSelector
from unit.fakes.ec2 import FakeEc2, refusal
from unit.fakes.imds import ToldImds

IP = IpAddress.parse("192.168.10.10")
IP6 = IpAddress.parse("fd00::10")
HERE = Target("eni-here", "i-here", "vpc-1")
ONE, TWO, THREE = "rtb-1", "rtb-2", "rtb-3"


def route(**entry: Any) -> Route:
    return Route(ONE, "vpc-1", {"State": "active", "Origin": "CreateRoute", **entry})


# --- one route --------------------------------------------------------------------------------------------------------


def test_a_route_that_leads_to_this_eni_is_right() -> None:
    assert route(NetworkInterfaceId="eni-here", InstanceId="i-here").leads_to(HERE)


def test_a_shared_vpc_that_tells_no_instance_is_right_by_the_eni() -> None:
    assert route(NetworkInterfaceId="eni-here").leads_to(HERE)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (Route(ONE, None, None), ["not found", "routing_table_role"]),
        (Route(ONE, "vpc-1", None), ["has no route"]),
        (route(NetworkInterfaceId="eni-there", InstanceId="i-there"), ["eni-there", "i-there", "not here"]),
        (route(NetworkInterfaceId="eni-2", InstanceId="i-here"), ["eni-2", "another ENI of this instance"]),
        (route(NetworkInterfaceId="eni-here", State="blackhole"), ["eni-here", "blackhole"]),
        (route(NetworkInterfaceId="eni-there", State="blackhole"), ["eni-there", "blackhole"]),
        (route(State="blackhole"), ["nothing that is left", "blackhole"]),
        (route(TransitGatewayId="tgw-1"), ["tgw-1"]),
        (route(GatewayId="vgw-1", Origin="EnableVgwRoutePropagation"), ["vgw-1", "EnableVgwRoutePropagation"]),
        (route(NetworkInterfaceId="eni-here", Origin="Advertisement"), ["AWS keeps", "Advertisement"]),
    ],
)
def test_every_other_route_is_a_problem_that_names_the_holder(wrong: Route, words: list[str]) -> None:
    problem = wrong.problem(HERE)
    assert problem is not None and not wrong.leads_to(HERE)
    for word in words:
        assert word in problem


# --- what EC2 tells ---------------------------------------------------------------------------------------------------


def test_tables_are_found_by_id_with_one_call(tables: FakeEc2) -> None:
    found = describe_routes(tables, RouteTableSelector((ONE, TWO), ()), IP, "vpc-1")
    assert [(r.table_id, r.vpc_id, r.entry and r.entry["NetworkInterfaceId"]) for r in found] == [
        (ONE, "vpc-1", "eni-there"),
        (TWO, "vpc-1", "eni-there"),
    ]
    assert tables.count("describe_route_tables") == 1


def test_tables_are_found_by_tag_in_this_vpc_alone_and_count_once(tables: FakeEc2) -> None:
    tables.add_table("rtb-other", "vpc-2", {"Cluster": "hana"})
    selector = RouteTableSelector((TWO,), (("Cluster", "hana"),))
    assert sorted(r.table_id for r in describe_routes(tables, selector, IP, "vpc-1")) == [TWO, THREE]


def test_a_tag_that_selects_no_table_is_named(tables: FakeEc2) -> None:
    with pytest.raises(NotFound, match="parameter 'routing_table': no route table of vpc-1 has the tag Cluster=db2"):
        describe_routes(tables, RouteTableSelector((), (("Cluster", "db2"),)), IP, "vpc-1")


def test_a_table_that_ec2_does_not_tell_of_is_invisible_and_hides_no_other(tables: FakeEc2) -> None:
    gone, there = describe_routes(tables, RouteTableSelector(("rtb-9", ONE), ()), IP, "vpc-1")
    assert not gone.is_visible and there.is_visible


@pytest.mark.parametrize("block", ["192.168.10.0/24", "192.168.10.11/32", "0.0.0.0/0"])
def test_only_the_route_for_this_address_alone_counts(tables: FakeEc2, block: str) -> None:
    tables.tables[ONE]["Routes"] = [{"DestinationPrefixListId": "pl-1"}, {"DestinationCidrBlock": block}]
    assert describe_routes(tables, RouteTableSelector((ONE,), ()), IP, "vpc-1")[0].entry is None


def test_an_ipv6_route_is_found_however_ec2_writes_it(tables: FakeEc2) -> None:
    tables.tables[ONE]["Routes"] = [{"DestinationIpv6CidrBlock": "fd00:0:0::10/128", "NetworkInterfaceId": "eni-here"}]
    assert describe_routes(tables, RouteTableSelector((ONE,), ()), IP6, "vpc-1")[0].leads_to(HERE)


# --- the target -------------------------------------------------------------------------------------------------------

MAC, PRIMARY_MAC = "02:00:00:00:00:50", "02:00:00:00:00:11"
FACTS = {
    "meta-data/mac": PRIMARY_MAC,
    "meta-data/instance-id": "i-here",
    f"meta-data/network/interfaces/macs/{PRIMARY_MAC}/interface-id": "eni-primary",
    f"meta-data/network/interfaces/macs/{PRIMARY_MAC}/vpc-id": "vpc-1",
    f"meta-data/network/interfaces/macs/{MAC}/interface-id": "eni-here",
    f"meta-data/network/interfaces/macs/{MAC}/vpc-id": "vpc-1",
}


def test_the_target_is_the_eni_of_the_link_as_imds_tells_it(ec2: FakeEc2) -> None:
    assert find_target(ec2, ToldImds(FACTS), MAC, "ens6") == HERE
    assert not ec2.calls


def test_for_a_link_of_no_eni_the_target_is_the_primary_eni(ec2: FakeEc2) -> None:
    assert find_target(ec2, ToldImds(FACTS), "00:00:00:00:00:00", "lo").eni_id == "eni-primary"


VPC_FACT = f"meta-data/network/interfaces/macs/{MAC}/vpc-id"


@pytest.mark.parametrize(
    "told", [None, {name: fact for name, fact in FACTS.items() if name != VPC_FACT}], ids=["all", "of the VPC"]
)
def test_where_imds_is_silent_ec2_tells_whose_link_it_is(ec2: FakeEc2, told: dict[str, str] | None) -> None:
    ec2.add_interface("eni-here")
    ec2.hold("eni-here", "i-here")
    assert find_target(ec2, ToldImds(told), MAC, "ens6") == HERE


def test_a_target_that_neither_tells_is_unknown_with_both_reasons(ec2: FakeEc2) -> None:
    with pytest.raises(Unknown, match="not known which ENI ens6 is: IMDS is silent"):
        find_target(ec2, ToldImds(None), MAC, "ens6")
    ec2.fail("describe_network_interfaces", refusal("describe_network_interfaces", "RequestLimitExceeded"))
    with pytest.raises(Unknown, match="IMDS is silent; ec2:DescribeNetworkInterfaces: no answer"):
        find_target(ec2, ToldImds(None), MAC, "ens6")
    with pytest.raises(Unknown, match=f"IMDS tells no ENI with the MAC {PRIMARY_MAC}"):
        find_target(ec2, ToldImds({"meta-data/mac": PRIMARY_MAC}), MAC, "ens6")
