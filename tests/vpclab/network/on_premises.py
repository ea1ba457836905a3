"""A network on premises: a customer router, the VPN by which it reaches the transit gateway, and a host behind it."""

from __future__ import annotations

from ipaddress import ip_network

from vpclab.network import iproute
from vpclab.network.network import Network
from vpclab.network.transit_gateway import CUSTOMER_INSIDE_ADDRESS, INSIDE_ADDRESS, VPN_MTU

CUSTOMER_ROUTER = "customer-router"


class OnPremises:
    """The customer router's network namespace. It sends all that is not its own network's into the tunnel."""

    def __init__(self, network: Network, vpn_attachment_id: str, cidr: str, address: str) -> None:
        """cidr: of the network. address: of its host."""
        self._network, self._vpn = network, vpn_attachment_id
        self._gateway = ip_network(cidr)[1]
        self._length = ip_network(cidr).prefixlen
        self._address = address
        iproute.add_namespace(CUSTOMER_ROUTER)
        iproute.sysctl(CUSTOMER_ROUTER, ["net.ipv4.ip_forward=1"])
        network.connect(vpn_attachment_id, CUSTOMER_ROUTER)
        iproute.ip(
            CUSTOMER_ROUTER,
            [
                f"address add {CUSTOMER_INSIDE_ADDRESS}/30 dev vpn",
                "link set vpn up",
                f"route add default via {INSIDE_ADDRESS}",
            ],
        )

    def connect(self, _host: str, netns: str) -> None:
        """Plug the host in, and configure its link."""
        iproute.ip(
            CUSTOMER_ROUTER,
            [
                f"link add lan mtu {VPN_MTU} type veth peer name eth0 mtu {VPN_MTU} netns {netns}",
                f"address add {self._gateway}/{self._length} dev lan",
                "link set lan up",
            ],
        )
        iproute.ip(
            netns,
            [
                "link set eth0 up",
                f"address add {self._address}/{self._length} dev eth0",
                f"route add default via {self._gateway}",
            ],
        )

    def disconnect(self, _host: str) -> None:
        """Unplug the host."""
        iproute.ip(CUSTOMER_ROUTER, ["link delete lan"])

    def close(self) -> None:
        """Take it all away."""
        self._network.disconnect(self._vpn)
        iproute.delete_namespace(CUSTOMER_ROUTER)
