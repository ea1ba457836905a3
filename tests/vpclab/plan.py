"""The plan of a lab: the VPC, its subnets and route tables, the hosts in them.

A plan is an immutable value; `build_vpc` and `run_hosts` create it in an emulated EC2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vpclab.office import BuiltOffice, OfficePlan, build_office

if TYPE_CHECKING:
    from vpclab.ec2 import Ec2


@dataclass(frozen=True)
class SubnetPlan:
    """A subnet with a route table of its own, both called `name`."""

    name: str
    zone: str
    cidr: str
    ipv6_cidr: str


@dataclass(frozen=True)
class HostPlan:
    """An instance: `subnet` is a subnet's name, `node`: whether it is in the cluster."""

    name: str
    subnet: str
    address: str
    ipv6_address: str
    type: str = "m5.large"
    node: bool = True


@dataclass(frozen=True)
class Plan:
    """One region, one VPC, its subnets and hosts, and maybe a network on premises.

    quorum_host: the host that runs a quorum device for the cluster.
    """

    region: str
    cidr: str
    ipv6_cidr: str
    subnets: tuple[SubnetPlan, ...]
    hosts: tuple[HostPlan, ...]
    office: OfficePlan | None = None
    quorum_host: str | None = None

    @property
    def nodes(self) -> tuple[HostPlan, ...]:
        """The hosts that form the cluster."""
        return tuple(host for host in self.hosts if host.node)

    def subnet(self, name: str) -> SubnetPlan:
        """The subnet of that name; raises KeyError if there is none."""
        for subnet in self.subnets:
            if subnet.name == name:
                return subnet
        raise KeyError(name)


@dataclass(frozen=True)
class BuiltVpc:
    """The ids that EC2 gave to the parts of a plan, by the names in the plan."""

    vpc_id: str
    security_group_id: str
    subnets: dict[str, str]
    route_tables: dict[str, str]
    office: BuiltOffice | None = None


DEFAULT = Plan(
    region="eu-central-1",
    cidr="10.0.0.0/16",
    ipv6_cidr="2001:db8:100::/56",
    subnets=(
        SubnetPlan("a", "eu-central-1a", "10.0.1.0/24", "2001:db8:100:1::/64"),
        SubnetPlan("b", "eu-central-1b", "10.0.2.0/24", "2001:db8:100:2::/64"),
        SubnetPlan("clients", "eu-central-1a", "10.0.9.0/24", "2001:db8:100:9::/64"),
    ),
    hosts=(
        HostPlan("node1", "a", "10.0.1.11", "2001:db8:100:1::11"),
        HostPlan("node2", "b", "10.0.2.12", "2001:db8:100:2::12"),
        HostPlan("client", "clients", "10.0.9.100", "2001:db8:100:9::100", node=False),
    ),
)

ONE_ZONE = replace(
    DEFAULT,
    hosts=(
        DEFAULT.hosts[0],
        HostPlan("node2", "a", "10.0.1.12", "2001:db8:100:1::12"),
        DEFAULT.hosts[2],
    ),
)
"""Both nodes in one availability zone, where an ENI can move between them."""

OFFICE = OfficePlan(
    name="office",
    cidr="10.20.0.0/24",
    address="10.20.0.100",
    overlay_cidr="192.168.10.0/24",
    attached_subnets=("a", "b"),
)
"""What a plan can have beside its VPC: `replace(DEFAULT, office=OFFICE)`."""

_THIRD_ZONE = SubnetPlan("c", "eu-central-1c", "10.0.3.0/24", "2001:db8:100:3::/64")

THREE_NODES = replace(
    DEFAULT,
    subnets=(*DEFAULT.subnets, _THIRD_ZONE),
    hosts=(*DEFAULT.hosts, HostPlan("node3", "c", "10.0.3.13", "2001:db8:100:3::13")),
)
"""A node in each of three availability zones."""

QUORUM_DEVICE = replace(
    DEFAULT,
    subnets=(*DEFAULT.subnets, _THIRD_ZONE),
    hosts=(*DEFAULT.hosts, HostPlan("quorum", "c", "10.0.3.20", "2001:db8:100:3::20", node=False)),
    quorum_host="quorum",
)
"""A quorum device in a third availability zone."""


def build_vpc(ec2: Ec2, plan: Plan = DEFAULT) -> BuiltVpc:
    """Make the VPC of a plan, with its subnets and a route table for each; no hosts yet."""
    operator = ec2.operator()
    vpc_id = ec2.create_vpc(plan.cidr, plan.ipv6_cidr)
    subnets, route_tables = {}, {}
    for subnet in plan.subnets:
        subnets[subnet.name] = operator.create_subnet(
            VpcId=vpc_id,
            AvailabilityZone=subnet.zone,
            CidrBlock=subnet.cidr,
            Ipv6CidrBlock=subnet.ipv6_cidr,
            TagSpecifications=_name_tag("subnet", subnet.name),
        )["Subnet"]["SubnetId"]
        route_tables[subnet.name] = operator.create_route_table(
            VpcId=vpc_id, TagSpecifications=_name_tag("route-table", subnet.name)
        )["RouteTable"]["RouteTableId"]
        operator.associate_route_table(RouteTableId=route_tables[subnet.name], SubnetId=subnets[subnet.name])
    groups = operator.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["SecurityGroups"]
    office = None
    if plan.office:
        attached = [subnets[name] for name in plan.office.attached_subnets]
        office = build_office(operator, plan.office, vpc_id, attached, list(route_tables.values()))
    return BuiltVpc(vpc_id, groups[0]["GroupId"], subnets, route_tables, office)


def run_hosts(ec2: Ec2, plan: Plan, vpc: BuiltVpc) -> dict[str, str]:
    """Run the hosts of a plan in its VPC; returns instance ids by host name."""
    return {
        host.name: ec2.run_instance(
            host.name,
            vpc.subnets[host.subnet],
            private_ip=host.address,
            ipv6=host.ipv6_address,
            type=host.type,
        )
        for host in plan.hosts
    }


def _name_tag(kind: str, name: str) -> list[dict[str, object]]:
    """A TagSpecifications argument that gives something of that kind a name."""
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]
