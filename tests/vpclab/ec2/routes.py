"""Routes whose state follows their target: active or blackhole."""

from __future__ import annotations

from moto.ec2.models.route_tables import Route, RouteTable

from vpclab.ec2.backend import Interface
from vpclab.ec2.destinations import Network

_DEAD = ("stopped", "terminated")
"""States of an instance in which nothing takes packets."""


class StatefulRoute(Route):
    """A route to an ENI, or a propagated one; its state and instance follow the target."""

    def __init__(
        self,
        table: RouteTable,
        destination: Network,
        eni_id: str | None = None,
        gateway: str | None = None,
        origin: str = "CreateRoute",
    ):
        text = str(destination)
        ipv4 = destination.version == 4
        super().__init__(table, text if ipv4 else None, None if ipv4 else text)
        self._eni_id = eni_id
        self._gateway = gateway
        self._origin = origin
        if origin != "CreateRoute":
            # A static route to the same destination goes beside it, and before it.
            self.id += f"~{origin}"

    @property
    def _eni(self) -> Interface | None:
        """The ENI, as long as it exists."""
        found: Interface | None = self.route_table.ec2_backend.enis.get(self._eni_id)
        return found

    @property
    def network_interface_id(self) -> str | None:
        """The ENI that the call named, also after the ENI was deleted."""
        return self._eni_id

    @property
    def instance_id(self) -> str | None:
        """The instance that has the ENI now."""
        eni = self._eni
        return eni.instance.id if eni and eni.instance else None

    @property
    def instance_owner_id(self) -> str | None:
        """Whose instance that is."""
        eni = self._eni
        return eni.owner_id if eni and eni.instance else None

    @property
    def gateway_id(self) -> str | None:
        """The gateway that a learned route points to."""
        return self._gateway

    @property
    def origin(self) -> str:
        """How the route came into the table."""
        return self._origin

    @property
    def state(self) -> str:
        """blackhole, if nothing takes the packets."""
        if self._eni_id is None:
            return "active"
        eni = self._eni
        alive = eni and eni.holder and eni.instance and eni.instance.state not in _DEAD
        return "active" if alive else "blackhole"


def static_route(table: RouteTable, destination: Network) -> Route | None:
    """The entry for exactly this destination that was created by a call, or is the local one."""
    for route in table.routes:
        if route.origin in ("CreateRoute", "CreateRouteTable") and str(destination) in (
            route.destination_cidr_block,
            route.destination_ipv6_cidr_block,
        ):
            return route
    return None


def add_propagated_route(table: RouteTable, destination: Network, gateway: str, origin: str) -> None:
    """Put an entry into the table that a gateway propagates or a route server advertises."""
    # What moto leaves abstract is CloudFormation's.
    entry = StatefulRoute(table, destination, gateway=gateway, origin=origin)  # type: ignore[abstract]
    table._routes[entry.id] = entry


def count_static_routes(table: RouteTable, version: int) -> int:
    """How many entries of an address family were created by calls."""
    return sum(
        route.origin == "CreateRoute" and (route.destination_cidr_block is not None) == (version == 4)
        for route in table.routes
    )
