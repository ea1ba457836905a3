"""A VPC around the nodes, as far as it decides whether clients reach an address: instances, subnets, tables, filters.

No agent needs it, and so the policy of an agent does not allow all of these calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ocf_aws.aws.client import Client
from ocf_aws.aws.route_tables import Route, describe_tables, find_entry
from ocf_aws.ip import IpAddress, IpNetwork


@dataclass(frozen=True)
class Interface:
    """An ENI of an instance, as the instance's description tells it."""

    id: str
    device_index: int
    network_card_index: int
    source_dest_check: bool


@dataclass(frozen=True)
class Instance:
    """An instance. name: its tag Name. profile: name of the instance profile, empty without one."""

    id: str
    name: str
    private_dns_name: str
    state: str
    vpc_id: str
    zone: str
    type: str
    profile: str
    interfaces: tuple[Interface, ...]

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Instance:
        """From DescribeInstances."""
        return cls(
            answer["InstanceId"],
            name_tag(answer),
            answer.get("PrivateDnsName", ""),
            answer.get("State", {}).get("Name", ""),
            answer.get("VpcId", ""),
            answer.get("Placement", {}).get("AvailabilityZone", ""),
            answer.get("InstanceType", ""),
            answer.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2],
            tuple(
                Interface(
                    each["NetworkInterfaceId"],
                    each.get("Attachment", {}).get("DeviceIndex", 0),
                    each.get("Attachment", {}).get("NetworkCardIndex", 0),
                    bool(each.get("SourceDestCheck")),
                )
                for each in answer.get("NetworkInterfaces", [])
            ),
        )

    @property
    def primary(self) -> Interface | None:
        """Its primary ENI; None where EC2 tells of none (a terminated instance)."""
        return next((each for each in self.interfaces if each.device_index == 0), None)


@dataclass(frozen=True)
class Subnet:
    """A subnet."""

    id: str
    name: str
    zone: str


@dataclass(frozen=True)
class Table:
    """A route table. subnets: ids of those associated explicitly. is_main: the others use it too."""

    id: str
    name: str
    vpc_id: str
    subnets: tuple[str, ...]
    is_main: bool
    answer: Mapping[str, Any]

    def route(self, ip: IpAddress) -> Route:
        """What it says of an address."""
        return Route(self.id, self.vpc_id, find_entry(self.answer, ip))

    def count_static_routes(self, is_ipv6: bool) -> int:
        """Routes that count for the quota "Routes per route table", of one family."""
        key = "DestinationIpv6CidrBlock" if is_ipv6 else "DestinationCidrBlock"
        return sum(
            1
            for entry in self.answer.get("Routes", [])
            if key in entry and entry.get("Origin") in (None, "CreateRoute")
        )


def name_tag(answer: Mapping[str, Any]) -> str:
    """The tag Name of anything, empty without one."""
    return next((str(tag["Value"]) for tag in answer.get("Tags", []) if tag["Key"] == "Name"), "")


def describe_instances(ec2: Client, name: str, values: Iterable[str]) -> list[Instance]:
    """The instances that a filter selects, but for terminated ones. Raises as Client.call."""
    filters = [{"Name": name, "Values": list(values)}]
    reservations = ec2.paginate("describe_instances", "Reservations", Filters=filters)
    found = [Instance.from_answer(each) for reservation in reservations for each in reservation["Instances"]]
    return [each for each in found if each.state != "terminated"]


def describe_vpc_tables(ec2: Client, vpc_id: str) -> list[Table]:
    """All route tables of a VPC. Raises as Client.call."""
    return [_table(answer) for answer in describe_tables(ec2, {"vpc-id": [vpc_id]})]


def _table(answer: Mapping[str, Any]) -> Table:
    associations = answer.get("Associations", [])
    return Table(
        answer["RouteTableId"],
        name_tag(answer),
        answer.get("VpcId", ""),
        tuple(each["SubnetId"] for each in associations if each.get("SubnetId")),
        any(each.get("Main") for each in associations),
        answer,
    )


def describe_vpc_subnets(ec2: Client, vpc_id: str) -> list[Subnet]:
    """All subnets of a VPC. Raises as Client.call."""
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
    found = ec2.paginate("describe_subnets", "Subnets", Filters=filters)
    return [Subnet(each["SubnetId"], name_tag(each), each.get("AvailabilityZone", "")) for each in found]


def describe_vpc_cidrs(ec2: Client, vpc_id: str) -> list[IpNetwork]:
    """The CIDR blocks of a VPC. Raises as Client.call."""
    found = ec2.paginate("describe_vpcs", "Vpcs", Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    blocks = [
        association[key]
        for vpc in found
        for kind, key in (("CidrBlockAssociationSet", "CidrBlock"), ("Ipv6CidrBlockAssociationSet", "Ipv6CidrBlock"))
        for association in vpc.get(kind, [])
    ]
    return [IpNetwork.parse(block) for block in blocks]


def admits_anything(permissions: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any inbound rule of a security group lets packets in from anywhere."""
    sources = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    return any(permission.get(source) for permission in permissions for source in sources)


def describe_security_groups(ec2: Client, ids: Iterable[str]) -> list[dict[str, Any]]:
    """Security groups in EC2's words. Raises as Client.call."""
    filters = [{"Name": "group-id", "Values": list(ids)}]
    return ec2.paginate("describe_security_groups", "SecurityGroups", Filters=filters)


def describe_network_acl(ec2: Client, subnet_id: str) -> dict[str, Any] | None:
    """The network ACL of a subnet in EC2's words, None where EC2 tells of none. Raises as Client.call."""
    filters = [{"Name": "association.subnet-id", "Values": [subnet_id]}]
    return next(iter(ec2.paginate("describe_network_acls", "NetworkAcls", Filters=filters)), None)


def acl_blocks_all(acl: Mapping[str, Any], is_egress: bool, is_ipv6: bool) -> bool:
    """Whether a network ACL lets nothing through in that direction: rules count in the order of their numbers."""
    key, everything = ("Ipv6CidrBlock", "::/0") if is_ipv6 else ("CidrBlock", "0.0.0.0/0")
    rules = [each for each in acl.get("Entries", []) if bool(each.get("Egress")) == is_egress and each.get(key)]
    for rule in sorted(rules, key=lambda each: int(each["RuleNumber"])):
        if rule["RuleAction"] == "allow":
            return False
        if rule[key] == everything and rule.get("Protocol") == "-1":
            return True
    return True
