"""The emulated EC2's state as the values that the network of the lab follows."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.route_tables import RouteTable as MotoTable
from moto.ec2.models.transit_gateway_route_tables import TransitGatewayRouteTable
from moto.ec2.models.vpcs import VPC

from vpclab.ec2.backend import Backend
from vpclab.vpc import Attachment, Eni, Route, RouteTable, Subnet, Vpc


def take_snapshot(backend: Backend) -> Vpc:
    """The region's only VPC; ValueError if there is none, or more than one."""
    (vpc,) = backend.vpcs.values()
    blocks = [block["cidr_block"] for ipv6 in (False, True) for block in vpc.get_cidr_block_association_set(ipv6=ipv6)]
    return Vpc(
        cidrs=tuple(blocks),
        subnets=tuple(_subnets(backend)),
        enis=tuple(_enis(backend)),
        route_tables=tuple(_route_tables(backend, vpc)),
        attachments=tuple(_attachments(backend, blocks)),
    )


def _subnets(backend: Backend) -> list[Subnet]:
    """The VPC's subnets."""
    return [
        Subnet(
            subnet.id,
            subnet.availability_zone,
            subnet.cidr_block,
            next(
                (association["ipv6CidrBlock"] for association in subnet.ipv6_cidr_block_associations.values()),
                None,
            ),
        )
        for subnet in backend.all_subnets()
    ]


def _enis(backend: Backend) -> list[Eni]:
    """The VPC's ENIs."""
    return [
        Eni(
            id=eni.id,
            mac=eni.mac_address,
            subnet_id=eni.subnet.id,
            addresses=eni.addresses,
            prefixes=eni.prefixes,
            source_dest_check=eni.source_dest_check,
            instance_id=eni.holder,
            device_index=eni.device_index if eni.holder else None,
        )
        for eni in backend.enis.values()
    ]


def _route_tables(backend: Backend, vpc: VPC) -> list[RouteTable]:
    """The VPC's route tables; the main one has the subnets that no other has."""
    tables = [t for t in backend.route_tables.values() if t.vpc_id == vpc.id]
    explicit = {subnet for table in tables for subnet in _explicit_subnets(table)}
    implicit = [s.id for s in backend.all_subnets() if s.id not in explicit]
    return [
        RouteTable(
            table.id,
            tuple(_explicit_subnets(table) + (implicit if table.main_association_id else [])),
            tuple(_routes(table)),
            tuple(r.destination_cidr_block for r in table.routes if r.transit_gateway and r.destination_cidr_block),
        )
        for table in tables
    ]


def _explicit_subnets(table: MotoTable) -> list[str]:
    """The subnets that a table is associated with by a call."""
    return [a["SubnetId"] for a in table.associations if "SubnetId" in a]


def _routes(table: MotoTable) -> list[Route]:
    """The entries that point to an ENI that can take packets."""
    return [
        Route(
            route.destination_cidr_block or route.destination_ipv6_cidr_block or "",
            route.network_interface_id,
        )
        for route in table.routes
        if route.network_interface_id and route.state == "active"
    ]


def _attachments(backend: Backend, vpc_cidrs: list[str]) -> list[Attachment]:
    """The transit gateway's attachments that take packets, each with the routes of the table it is associated with."""
    live = {a.id: a for a in backend.transit_gateway_attachments.values() if a.state == "available"}
    return [
        Attachment(
            attachment.id,
            tuple(getattr(attachment, "subnet_ids", ())),
            tuple(
                route
                for table in backend.transit_gateways_route_tables.values()
                if attachment.id in table.route_table_associations
                for route in _transit_gateway_routes(table, vpc_cidrs).items()
            ),
        )
        for attachment in live.values()
    ]


def _transit_gateway_routes(table: TransitGatewayRouteTable, vpc_cidrs: list[str]) -> dict[str, str | None]:
    """Its destinations, each with the attachment that gets the packets; a static route wins over a propagated one."""
    routes: dict[str, str | None] = {
        cidr: propagation.transitGatewayAttachmentId
        for propagation in table.route_table_propagation
        if propagation.resourceType == "vpc"
        for cidr in vpc_cidrs
        if ":" not in cidr
    }
    for destination, route in table.routes.items():
        attachment: Any = route.get("transitGatewayAttachments")
        is_active = route["state"] == "active" and attachment
        routes[destination] = attachment["transitGatewayAttachmentId"] if is_active else None
    return routes
