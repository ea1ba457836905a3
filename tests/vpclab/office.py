"""An office: a network on premises that reaches the VPC by a VPN and a transit gateway, as the plan of a lab says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OfficePlan:
    """A network on premises with one host, also called `name`."""

    name: str
    cidr: str
    address: str
    overlay_cidr: str
    """What the transit gateway sends to the VPC beside the VPC's own CIDR: overlay IPs."""

    attached_subnets: tuple[str, ...]
    """Names of the subnets, one in a zone, in which the transit gateway has an interface."""


@dataclass(frozen=True)
class BuiltOffice:
    """The ids that EC2 gave to the way from the office into the VPC."""

    transit_gateway_id: str
    transit_gateway_route_table_id: str
    vpc_attachment_id: str
    vpn_attachment_id: str


def build_office(operator: Any, plan: OfficePlan, vpc_id: str, subnet_ids: list[str], tables: list[str]) -> BuiltOffice:
    """Make the transit gateway, its two attachments and the routes in both directions, as the guides tell to.

    operator: a client for EC2. subnet_ids: those that the plan attaches. tables: ids of the VPC's route tables that
    send replies to the office.
    """
    gateway = operator.create_transit_gateway()["TransitGateway"]
    id, table = gateway["TransitGatewayId"], gateway["Options"]["AssociationDefaultRouteTableId"]
    attached = operator.create_transit_gateway_vpc_attachment(TransitGatewayId=id, VpcId=vpc_id, SubnetIds=subnet_ids)[
        "TransitGatewayVpcAttachment"
    ]["TransitGatewayAttachmentId"]
    customer = operator.create_customer_gateway(Type="ipsec.1", BgpAsn=65000, PublicIp="203.0.113.20")
    vpn = operator.create_vpn_connection(
        Type="ipsec.1", CustomerGatewayId=customer["CustomerGateway"]["CustomerGatewayId"], TransitGatewayId=id
    )["VpnConnection"]["VpnConnectionId"]
    tunnel = operator.describe_transit_gateway_attachments(Filters=[{"Name": "resource-id", "Values": [vpn]}])[
        "TransitGatewayAttachments"
    ][0]["TransitGatewayAttachmentId"]
    in_table = {"TransitGatewayRouteTableId": table}
    # EC2 does these two by itself, for the transit gateway's default route table.
    operator.associate_transit_gateway_route_table(**in_table, TransitGatewayAttachmentId=tunnel)
    operator.enable_transit_gateway_route_table_propagation(**in_table, TransitGatewayAttachmentId=attached)
    for cidr, attachment in ((plan.overlay_cidr, attached), (plan.cidr, tunnel)):
        operator.create_transit_gateway_route(
            **in_table, DestinationCidrBlock=cidr, TransitGatewayAttachmentId=attachment
        )
    for each in tables:
        operator.create_route(RouteTableId=each, DestinationCidrBlock=plan.cidr, TransitGatewayId=id)
    return BuiltOffice(id, table, attached, tunnel)
