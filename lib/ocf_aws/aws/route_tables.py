"""Routes for one address in VPC route tables: where they lead, and where they are to lead."""

from __future__ import annotations

from functools import partial

from ocf_aws.aws.errors import NotFound
from ocf_aws.aws.network_interfaces import describe_interfaces
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.errors import Failure, Unknown
from ocf_aws.record import Record
from ocf_aws.threads import results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ocf_aws.aws.client import Client
    from ocf_aws.aws.imds import Imds
    from ocf_aws.parameters import RouteTableSelector


class Target(Record):
    """Where routes are to lead: the ENI, its instance, the VPC they are in."""

    eni_id: str
    instance_id: str
    vpc_id: str


def find_target(ec2: Client, imds: Imds, mac: str, link_name: str) -> Target:
    """The ENI of the link with this MAC, else the primary ENI, as the target of routes. Raises Unknown."""
    try:
        eni_mac = imds.eni_mac(mac)
        eni_id, vpc_id = imds.interface(eni_mac, "interface-id"), imds.interface(eni_mac, "vpc-id")
        if not eni_id or not vpc_id:
            raise Unknown(f"IMDS tells no ENI with the MAC {eni_mac}, or not its VPC")
        return Target(eni_id, imds.instance_id, vpc_id)
    except Unknown as unknown:
        try:
            enis = describe_interfaces(ec2, "mac-address", mac)
        except Failure as error:
            raise Unknown(f"not known which ENI {link_name} is: {unknown}; {error}") from error
        for eni in enis:
            if eni.holder:
                return Target(eni.id, eni.holder, eni.vpc_id)
        raise Unknown(f"not known which ENI {link_name} is: {unknown}") from unknown


class Route(Record):
    """What one route table says of an address.

    vpc_id: of the table; None where EC2 tells of no such table.
    entry: the route in EC2's words, None where the table has none for the address.
    """

    table_id: str
    vpc_id: str | None
    entry: Mapping[str, Any] | None

    @property
    def is_visible(self) -> bool:
        """Whether EC2 tells of the table at all."""
        return self.vpc_id is not None

    def leads_to(self, target: Target) -> bool:
        """Whether packets for the address reach the target through this table."""
        return self.problem(target) is None

    def names(self, target: Target) -> bool:
        """Whether the route names the target's ENI, in whatever state."""
        return self.entry is not None and self.entry.get("NetworkInterfaceId") == target.eni_id

    @property
    def is_managed(self) -> bool:
        """Whether AWS made the route (propagated from a gateway, advertised by a route server) and keeps it."""
        return self.entry is not None and self.entry.get("Origin") not in (None, "CreateRoute")

    def problem(self, target: Target) -> str | None:
        """Why packets for the address do not reach the target; None when they do."""
        entry = self.entry
        if not self.is_visible:
            return "not found: wrong id or region, or another account's (set routing_table_role)"
        if entry is None:
            return "has no route for it"
        holder = entry.get("NetworkInterfaceId") or _other_target(entry)
        instance = entry.get("InstanceId")
        if self.is_managed:
            return f"has a route that AWS keeps ({entry['Origin']}, to {holder})"
        if entry.get("NetworkInterfaceId") != target.eni_id:
            if instance and instance == target.instance_id:
                return f"sends it to {holder}, another ENI of this instance"
            where = f"{instance} ({holder})" if instance else holder
            return f"sends it to {where}, not here{' (blackhole)' * _is_blackhole(entry)}"
        if _is_blackhole(entry):
            return f"sends it to {holder} here, but is a blackhole"
        return None


def _is_blackhole(entry: Mapping[str, Any]) -> bool:
    return entry.get("State") == "blackhole"


def _other_target(entry: Mapping[str, Any]) -> str:
    for key, value in entry.items():
        if key.endswith(("GatewayId", "ConnectionId", "Arn")) or key == "InstanceId":
            return str(value)
    return "nothing that is left"


def describe_routes(ec2: Client, selector: RouteTableSelector, ip: IpAddress, vpc_id: str) -> list[Route]:
    """The route for `ip` in each table of the selector, by one call for all ids and one for each tag.

    vpc_id: the VPC whose tables tags select. Raises as Client.call, and NotFound where a tag selects no table.
    """
    # Asked by filter, a table that is gone is left out of the answer; asked by id, it would hide all the others.
    questions: list[dict[str, list[str]]] = []
    if selector.ids:
        questions.append({"route-table-id": list(selector.ids)})
    for key, value in selector.tags:
        questions.append({f"tag:{key}": [_literal(value)], "vpc-id": [vpc_id]})
    answers = results(*(partial(describe_tables, ec2, question) for question in questions))
    routes = {table_id: Route(table_id, None, None) for table_id in selector.ids}
    for table in [table for answer in answers for table in answer]:
        table_id = table["RouteTableId"]
        routes[table_id] = Route(table_id, table["VpcId"], find_entry(table, ip))
    for (key, value), answer in zip(reversed(selector.tags), reversed(answers)):
        if not answer:
            raise NotFound(f"correct parameter 'routing_table': no route table of {vpc_id} has the tag {key}={value}")
    return list(routes.values())


def _literal(value: str) -> str:
    """A value of a filter that means itself: * and ? are patterns there ("Filter your resources", EC2 user guide)."""
    return "".join(f"\\{c}" if c in "*?\\" else c for c in value)


def describe_tables(ec2: Client, question: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """The route tables that filters select, in EC2's words; a filter without values is left out. Raises as Client.call."""
    filters = [{"Name": name, "Values": values} for name, values in question.items() if values]
    return ec2.paginate("describe_route_tables", "RouteTables", Filters=filters)


def find_entry(table: Mapping[str, Any], ip: IpAddress) -> dict[str, Any] | None:
    """The entry of a table for exactly this address, in EC2's words; None without one."""
    entries: list[dict[str, Any]] = table.get("Routes") or []
    for entry in entries:
        block = entry.get("DestinationIpv6CidrBlock" if ip.is_ipv6 else "DestinationCidrBlock")
        if block and block.endswith(f"/{ip.bits}") and IpAddress.parse(block) == ip:
            return entry
    return None
