"""A VPC around the nodes, in EC2's words."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ocf_aws.aws.client import Client
from ocf_aws.aws.vpc import (
    Instance,
    acl_blocks_all,
    admits_anything,
    describe_instances,
    describe_network_acl,
    describe_security_groups,
    describe_vpc_cidrs,
    describe_vpc_subnets,
    describe_vpc_tables,
)
from ocf_aws.ip import IpAddress, IpNetwork

IP = IpAddress.parse("192.168.10.10")


class Answers:
    """EC2, with these members of its answers; `asked` are the filters of the last question."""

    def __init__(self, **members: list[dict[str, Any]]):
        self.members = members
        self.asked: dict[str, list[str]] = {}

    def paginate(self, operation: str, member: str, *, Filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.asked = {each["Name"]: each["Values"] for each in Filters}
        return self.members[member]


def ec2(**members: list[dict[str, Any]]) -> Client:
    return cast(Client, Answers(**members))


def test_an_instance_is_told_with_its_name_and_its_primary_eni() -> None:
    second = {"NetworkInterfaceId": "eni-2", "Attachment": {"DeviceIndex": 1}, "SourceDestCheck": True}
    first = {"NetworkInterfaceId": "eni-1", "Attachment": {"DeviceIndex": 0}, "SourceDestCheck": False}
    answer = {
        "InstanceId": "i-1",
        "Tags": [{"Key": "Cluster", "Value": "x"}, {"Key": "Name", "Value": "node1"}],
        "IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/path/nodes"},
        "State": {"Name": "running"},
        "NetworkInterfaces": [second, first],
    }
    gone = {"InstanceId": "i-2", "State": {"Name": "terminated"}}
    (instance,) = describe_instances(ec2(Reservations=[{"Instances": [answer, gone]}]), "instance-id", ["i-1", "i-2"])
    assert (instance.name, instance.profile, instance.state) == ("node1", "nodes", "running")
    assert instance.primary is not None and not instance.primary.source_dest_check


def test_an_instance_that_is_being_made_has_no_primary_eni() -> None:
    assert Instance.from_answer({"InstanceId": "i-1"}).primary is None


def test_a_table_tells_its_subnets_its_route_and_how_full_it_is() -> None:
    routes = [
        {"DestinationCidrBlock": "192.168.10.10/32", "NetworkInterfaceId": "eni-1", "Origin": "CreateRoute"},
        {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable"},
        {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1", "Origin": "CreateRoute"},
    ]
    associations = [{"Main": True}, {"SubnetId": "subnet-1"}]
    answer = {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": associations, "Routes": routes}
    client = ec2(RouteTables=[answer])
    (table,) = describe_vpc_tables(client, "vpc-1")
    assert table.is_main and table.subnets == ("subnet-1",) and cast(Any, client).asked == {"vpc-id": ["vpc-1"]}
    assert table.route(IP).entry == routes[0]
    assert (table.count_static_routes(is_ipv6=False), table.count_static_routes(is_ipv6=True)) == (1, 1)


def test_subnets_and_blocks_of_a_vpc_are_told() -> None:
    subnets = describe_vpc_subnets(ec2(Subnets=[{"SubnetId": "subnet-1", "AvailabilityZone": "a"}]), "vpc-1")
    assert [(each.id, each.zone, each.name) for each in subnets] == [("subnet-1", "a", "")]
    vpc = {
        "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.9.0.0/16"}],
        "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/56"}],
    }
    blocks = [IpNetwork.parse(text) for text in ("10.0.0.0/16", "10.9.0.0/16", "2001:db8::/56")]
    assert describe_vpc_cidrs(ec2(Vpcs=[vpc]), "vpc-1") == blocks


@pytest.mark.parametrize(
    "permissions, is_open",
    [([], False), ([{"IpRanges": []}], False), ([{"UserIdGroupPairs": [{"GroupId": "sg-1"}]}], True)],
)
def test_a_security_group_without_a_source_lets_nothing_in(permissions: list[dict[str, Any]], is_open: bool) -> None:
    assert admits_anything(permissions) is is_open


def test_security_groups_and_the_acl_of_a_subnet_are_told_as_ec2_has_them() -> None:
    assert describe_security_groups(ec2(SecurityGroups=[{"GroupId": "sg-1"}]), ["sg-1"]) == [{"GroupId": "sg-1"}]
    assert describe_network_acl(ec2(NetworkAcls=[]), "subnet-1") is None
    assert describe_network_acl(ec2(NetworkAcls=[{"Entries": []}]), "subnet-1") == {"Entries": []}


def rule(number: int, action: str, block: str = "0.0.0.0/0", protocol: str = "-1") -> dict[str, Any]:
    return {"RuleNumber": number, "RuleAction": action, "CidrBlock": block, "Protocol": protocol, "Egress": False}


@pytest.mark.parametrize(
    "rules, is_blocked",
    [
        ([rule(100, "allow"), rule(32767, "deny")], False),
        ([rule(32767, "deny")], True),
        ([rule(200, "allow"), rule(100, "deny")], True),
        ([rule(200, "allow"), rule(100, "deny", "10.0.0.0/8")], False),
        ([rule(200, "allow"), rule(100, "deny", protocol="6")], False),
        ([], True),
    ],
)
def test_the_rules_of_an_acl_count_in_the_order_of_their_numbers(rules: list[dict[str, Any]], is_blocked: bool) -> None:
    assert acl_blocks_all({"Entries": rules}, is_egress=False, is_ipv6=False) is is_blocked
