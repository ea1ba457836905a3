"""The calls on route tables."""

from __future__ import annotations

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import InvalidRouteTableIdError
from moto.ec2.models.route_tables import Route, RouteTable
from moto.ec2.responses.route_tables import RouteTables
from moto.ec2.utils import generic_filter

from vpclab.ec2.backend import Interface
from vpclab.ec2.base_calls import BaseCalls
from vpclab.ec2.destinations import (
    Network,
    check_destination,
    destination_name,
    read_destination,
)
from vpclab.ec2.errors import ApiError, missing_parameter
from vpclab.ec2.routes import StatefulRoute, count_static_routes, static_route
from vpclab.ec2.wildcards import fnmatch_pattern

_TARGETS = (
    "NetworkInterfaceId",
    "InstanceId",
    "GatewayId",
    "NatGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId",
    "CarrierGatewayId",
    "LocalGatewayId",
    "VpcEndpointId",
    "CoreNetworkArn",
)
_MOST_ROUTES = 500
"""Entries of one address family that a table takes by default."""


class RouteTableCalls(BaseCalls, RouteTables):
    """The calls on route tables."""

    def describe_route_tables(self) -> ActionResult:
        """The tables that the caller may see."""
        ids = self.params.get("RouteTableIds", [])
        tables = [self._table(table_id) for table_id in dict.fromkeys(ids)] or [
            table for table in self.backend.route_tables.values() if self._is_visible(table.id)
        ]
        # moto knows patterns in filters, and no backslash in them.
        filters = {
            name: [fnmatch_pattern(each) for each in values]
            for name, values in self._filters_from_querystring().items()
        }
        return self.paged("RouteTables", generic_filter(filters, tables), most=100)

    def create_route(self) -> ActionResult:
        """Add a route for a destination that the table has no route for."""
        table = self._table(self.required("RouteTableId"))
        destination = read_destination(self.params, canonical=True)
        check_destination(self.backend, self.backend.get_vpc(table.vpc_id), destination)
        if static_route(table, destination):
            raise ApiError(
                "RouteAlreadyExists",
                f"The route identified by {destination} already exists.",
            )
        if count_static_routes(table, destination.version) >= _MOST_ROUTES:
            raise ApiError("RouteLimitExceeded", f"The maximum number of routes is {_MOST_ROUTES}.")
        self._route(table, destination)
        return ActionResult({"Return": True})

    def replace_route(self) -> ActionResult:
        """Change the target of a route."""
        table = self._table(self.required("RouteTableId"))
        destination = read_destination(self.params, canonical=False)
        present = static_route(table, destination)
        if present is None:
            # AWS uses this code here, and says the same of a route that it propagated.
            raise ApiError(
                "InvalidParameterValue",
                f"There is no route defined for '{destination}' in the route table. Use CreateRoute instead.",
            )
        self._route(table, destination, replaced=present)
        return EmptyResult()

    def delete_route(self) -> ActionResult:
        """Delete a route."""
        table = self._table(self.required("RouteTableId"))
        destination = read_destination(self.params, canonical=False)
        present = static_route(table, destination)
        if present is None:
            raise ApiError(
                "InvalidRoute.NotFound",
                f"no route with destination-cidr-block {destination} in route table {table.id}",
            )
        if present.local:
            raise ApiError(
                "InvalidParameterValue",
                f"cannot remove local route {destination} in route table {table.id}",
            )
        del table._routes[present.id]
        return EmptyResult()

    def _table(self, table_id: str) -> RouteTable:
        """A table that the caller may see; the others do not exist for the caller."""
        if not self._is_visible(table_id):
            raise InvalidRouteTableIdError(table_id)
        return self.backend.get_route_table(table_id)

    def _is_visible(self, table_id: str) -> bool:
        """Whether the caller is of the account that owns the table."""
        role = self.state.shared.get(table_id)
        return role in (None, self.principal.role) or self.principal.is_operator

    def _route(self, table: RouteTable, destination: Network, replaced: Route | None = None) -> None:
        """Make the entry for a destination point to the call's target; raises ApiError."""
        target = [name for name in _TARGETS if self.params.get(name)]
        if not target:
            raise missing_parameter("networkInterfaceId")
        if len(target) > 1:
            raise ApiError(
                "InvalidParameterCombination",
                f"Exactly one target must be specified, not {', '.join(target)}.",
            )
        if target[0] in ("NetworkInterfaceId", "InstanceId"):
            eni = self._target_eni()
            if eni.vpc_id != table.vpc_id:
                raise ApiError(
                    "InvalidParameterValue",
                    f"route table {table.id} and interface {eni.id} belong to different networks",
                )
            entry = StatefulRoute(table, destination, eni_id=eni.id)  # type: ignore[abstract]
            table._routes[entry.id] = entry
        else:
            self._route_elsewhere(table, destination, replaced)

    def _route_elsewhere(self, table: RouteTable, destination: Network, replaced: Route | None) -> None:
        """Let moto make the entry for a target that is no ENI."""
        name = destination_name(destination)
        self.params[name] = str(destination)
        if replaced:
            del table._routes[replaced.id]
        try:
            super().create_route()
        except Exception:
            if replaced:
                table._routes[replaced.id] = replaced
            raise

    def _target_eni(self) -> Interface:
        """The ENI that a route shall point to, or the only one of the instance named."""
        if eni_id := self.params.get("NetworkInterfaceId"):
            return self.backend.get_network_interface(eni_id)
        instance = self.backend.get_instance(self.params["InstanceId"])
        if len(instance.nics) > 1:
            raise ApiError(
                "InvalidInstanceID",
                f"There are multiple interfaces attached to instance '{instance.id}'. "
                "Please specify an interface ID for the operation instead.",
            )
        return self.backend.get_network_interface(instance.nics[0].id)
