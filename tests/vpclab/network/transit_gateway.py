"""The transit gateway: a network namespace between the router of the VPC and the customer routers of VPNs.

What comes in by an attachment is forwarded by the transit gateway route table that the attachment is associated with.
Towards the VPC it leaves by an interface in a subnet of the VPC's attachment, where the VPC's own route tables decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vpclab.network import iproute
from vpclab.network.topology import TRANSIT_GATEWAY_NETNS, first_host, transit_link_name
from vpclab.vpc import Attachment, Vpc

INSIDE_ADDRESS = "169.254.20.1"
"""Its end of a VPN tunnel; the customer router has the next address of this /30."""

CUSTOMER_INSIDE_ADDRESS = "169.254.20.2"

VPN_MTU = 1500

_BLACKHOLE = "blackhole"
_PREFER_ROUTE_TABLE = 200
_PREFER_DROP = 300


@dataclass(frozen=True)
class Forwarding:
    """All that the namespace needs."""

    vpns: Mapping[str, str]
    """Name of a link -> network namespace of the customer router."""

    rules: frozenset[tuple[str, str]]
    """(name of a link, id of the attachment that it belongs to)."""

    routes: Mapping[tuple[str, str], str]
    """(id of the attachment by which a packet came in, CIDR) -> next hops as ip-route(8) takes them, or a blackhole."""


EMPTY = Forwarding({}, frozenset(), {})


def build_forwarding(vpc: Vpc, namespaces: Mapping[str, str]) -> Forwarding:
    """The links, rules and routes of a transit gateway.

    namespaces: the network namespace of each customer router, by the id of its VPN's attachment.
    """
    gateways = {subnet.id: first_host(subnet.cidr) for subnet in vpc.subnets}
    links: dict[str, list[str]] = {}
    next_hops: dict[str | None, str] = {}
    vpns: dict[str, str] = {}
    for attachment in vpc.attachments:
        if attachment.subnet_ids:
            hops = {transit_link_name(subnet): gateways[subnet] for subnet in attachment.subnet_ids}
        elif attachment.id in namespaces:
            hops = {_vpn_link_name(attachment): CUSTOMER_INSIDE_ADDRESS}
            vpns[_vpn_link_name(attachment)] = namespaces[attachment.id]
        else:
            hops = {}
        links[attachment.id] = list(hops)
        next_hops[attachment.id] = " ".join(f"nexthop via {via} dev {link} onlink" for link, via in hops.items())
    return Forwarding(
        vpns,
        frozenset((link, attachment) for attachment, of in links.items() for link in of),
        {
            (attachment.id, destination): next_hops.get(target) or _BLACKHOLE
            for attachment in vpc.attachments
            for destination, target in attachment.routes
        },
    )


class TransitGateway:
    """Makes its namespace equal to what `build_forwarding` says. It changes only what differs."""

    def __init__(self) -> None:
        iproute.add_namespace(TRANSIT_GATEWAY_NETNS)
        self._done = EMPTY
        self._tables: dict[str, int] = {}
        iproute.sysctl(
            TRANSIT_GATEWAY_NETNS,
            [
                "net.ipv4.ip_forward=1",
                "net.ipv4.conf.all.rp_filter=0",
                "net.ipv4.conf.default.rp_filter=0",
                "net.ipv4.conf.all.send_redirects=0",
                "net.ipv4.conf.default.send_redirects=0",
            ],
        )
        # What no route table has an entry for is dropped, and nobody is told.
        iproute.ip(TRANSIT_GATEWAY_NETNS, [f"rule add preference {_PREFER_DROP} type blackhole"])

    def apply(self, wanted: Forwarding) -> None:
        """Make the namespace so; the links to the router are there already."""
        was, self._done = self._done, wanted
        commands = [f"link delete {link}" for link in was.vpns.keys() - wanted.vpns.keys()]
        for link in wanted.vpns.keys() - was.vpns.keys():
            commands += _make_vpn(link, wanted.vpns[link])
        commands += [f"link set {link} up" for link, _ in wanted.rules - was.rules]
        commands += [f"rule delete {self._rule(*rule)}" for rule in was.rules - wanted.rules]
        commands += [f"rule add {self._rule(*rule)}" for rule in wanted.rules - was.rules]
        # With a link, the kernel drops its routes: those are made again.
        kept = was.routes if was.rules == wanted.rules else {}
        for (attachment, destination), hops in wanted.routes.items():
            if kept.get((attachment, destination)) != hops:
                route = f"blackhole {destination}" if hops == _BLACKHOLE else destination
                then = "" if hops == _BLACKHOLE else f" {hops}"
                commands.append(f"route replace {route} table {self._table(attachment)}{then}")
        for attachment, destination in was.routes.keys() - wanted.routes.keys():
            # It may be gone with its link, and deleting what is gone is an error.
            place = f"{destination} table {self._table(attachment)}"
            commands += [f"route replace blackhole {place}", f"route delete blackhole {place}"]
        iproute.ip(TRANSIT_GATEWAY_NETNS, commands)

    def close(self) -> None:
        """Take it away."""
        iproute.delete_namespace(TRANSIT_GATEWAY_NETNS)

    def _rule(self, link: str, attachment: str) -> str:
        return f"preference {_PREFER_ROUTE_TABLE} iif {link} lookup {self._table(attachment)}"

    def _table(self, attachment: str) -> int:
        """The kernel's number for the routes of an attachment, given out at its first use."""
        return self._tables.setdefault(attachment, 1000 + len(self._tables))


def _make_vpn(link: str, netns: str) -> list[str]:
    """The tunnel to a customer router, which configures its own end, `vpn`."""
    return [
        f"link add {link} mtu {VPN_MTU} type veth peer name vpn mtu {VPN_MTU} netns {netns}",
        f"address add {INSIDE_ADDRESS}/30 dev {link}",
    ]


def _vpn_link_name(attachment: Attachment) -> str:
    return "v" + attachment.id.removeprefix("tgw-attach-")[-14:]
