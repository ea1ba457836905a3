"""The network of a VPC, between the instances.

Each ENI that a running instance has is a veth pair, from the instance to a router namespace that
forwards by the VPC's route tables and applies the source/destination check. There is no
bridge: in a VPC no two instances share a wire.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import RLock

from vpclab.network import iproute, packet_filter
from vpclab.network.capture import capture
from vpclab.network.router import MTU, NETNS, Router
from vpclab.network.topology import build_topology, link_name
from vpclab.network.transit_gateway import TransitGateway, build_forwarding
from vpclab.vpc import Vpc

AWS_NETNS = "aws"
"""Where the endpoints of the EC2 API are, outside the VPC."""

AWS_ADDRESS = "198.51.100.1"

IMDS_ADDRESS = "169.254.169.254"


class Network:
    """Keeps the kernel equal to the last `Vpc` it was given. Its methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._vpc = Vpc((), (), (), ())
        self._powered: dict[str, str] = {}
        self._cut: set[str] = set()
        self._ruleset = ""
        self._router = Router()
        self._transit_gateway: TransitGateway | None = None
        iproute.add_namespace(AWS_NETNS)
        iproute.ip(
            NETNS,
            [
                f"address add {IMDS_ADDRESS}/32 dev lo",
                f"link add aws mtu {MTU} type veth peer name eth0 mtu {MTU} netns {AWS_NETNS}",
                "link set aws up",
                "address add 198.51.100.254/24 dev aws",
            ],
        )
        iproute.ip(
            AWS_NETNS,
            [
                "link set eth0 up",
                f"address add {AWS_ADDRESS}/24 dev eth0",
                "route add default via 198.51.100.254",
            ],
        )

    def sync(self, vpc: Vpc) -> None:
        """Make links, routes and packet filter equal to a VPC; cheap where nothing changed."""
        with self._lock:
            self._vpc = vpc
            self._apply()

    def connect(self, id: str, netns: str) -> None:
        """Give an instance power: plug its ENIs into a namespace, the primary configured.

        id: of the instance; or of a VPN's attachment to the transit gateway, whose tunnel gets the link `vpn` there.
        """
        with self._lock:
            self._powered[id] = netns
            self._apply()

    def disconnect(self, id: str) -> None:
        """Take the power of an instance or a customer router away, and all its links with it."""
        with self._lock:
            self._powered.pop(id, None)
            self._apply()

    def cut(self, instance_id: str) -> None:
        """Drop every packet of an instance except those to its hypervisor (IMDS)."""
        with self._lock:
            self._cut.add(instance_id)
            self._apply()

    def heal(self, instance_id: str) -> None:
        """End what `cut` began."""
        with self._lock:
            self._cut.discard(instance_id)
            self._apply()

    def capture(self, eni_id: str) -> AbstractContextManager[list[str]]:
        """Record an ENI's packets, as tcpdump's lines, for as long as the context lasts."""
        return capture(NETNS, link_name(eni_id))

    def close(self) -> None:
        """Take it all away."""
        with self._lock:
            for namespace in (NETNS, AWS_NETNS):
                iproute.delete_namespace(namespace)
            if self._transit_gateway:
                self._transit_gateway.close()

    def _apply(self) -> None:
        ruleset = packet_filter.ruleset(self._vpc, self._cut)
        if ruleset != self._ruleset:
            packet_filter.load(NETNS, ruleset)
            self._ruleset = ruleset
        if self._vpc.attachments and self._transit_gateway is None:
            self._transit_gateway = TransitGateway()
        self._router.apply(build_topology(self._vpc, self._powered))
        if self._transit_gateway:
            self._transit_gateway.apply(build_forwarding(self._vpc, self._powered))
