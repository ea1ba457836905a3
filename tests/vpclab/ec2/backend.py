"""moto's EC2 backend with the differences that concern what it stores."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Any

# Nobody looks at the images; loading them would take most of the lab's start.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

from moto.ec2.models import EC2Backend  # noqa: E402
from moto.ec2.models.elastic_network_interfaces import (  # noqa: E402
    Attachment,
    NetworkInterface,
)
from moto.ec2.models.subnets import Subnet  # noqa: E402
from moto.ec2.models.vpcs import VPC  # noqa: E402
from moto.ec2.utils import random_vpc_cidr_association_id  # noqa: E402


class Interface(NetworkInterface):
    """An ENI whose attachment has a network card and passes through states, and which may have delegated prefixes."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.attachment_status = "attached"
        self.network_card_index = 0
        self.link_released = True
        """While detaching: whether the guest has let go of the link."""

        self.ipv4_prefixes: list[dict[str, str]] = []
        self.ipv6_prefixes: list[dict[str, str]] = []

    @property
    def attachment(self) -> Attachment | None:
        """The attachment with its present state, or None."""
        attachment = super().attachment
        if attachment is not None:
            attachment.status = self.attachment_status
            attachment.network_card_index = self.network_card_index
        return attachment

    @property
    def network_interface_id(self) -> str:
        """The id, under the name by which moto looks for it in a DescribeInstances."""
        return self.id

    @property
    def association(self) -> None:  # type: ignore[override]
        """No public address, ever: what the lab's hosts have in common with the Internet is nothing."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All private addresses: the primary IPv4 one, the other IPv4 ones, the IPv6 ones."""
        ipv4 = [item["PrivateIpAddress"] for item in self.private_ip_addresses]
        ipv4.sort(key=lambda address: address != self.private_ip_address)
        return (*ipv4, *self.ipv6_addresses)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """All delegated prefixes."""
        return (
            *(item["Ipv4Prefix"] for item in self.ipv4_prefixes),
            *(item["Ipv6Prefix"] for item in self.ipv6_prefixes),
        )

    @property
    def holder(self) -> str | None:
        """The instance whose guest sees the link: not yet while attaching, no more while detaching."""
        if self.instance is None or self.attachment_status == "attaching":
            return None
        if self.attachment_status == "detaching" and self.link_released:
            return None
        return str(self.instance.id)


class Backend(EC2Backend):
    """A region without a default VPC, of its own: nothing in it is global to the process."""

    enis: dict[str, Interface]  # type: ignore[assignment]

    def create_default_vpc(self) -> None:  # type: ignore[override]
        """No VPC but those that are asked for."""

    def create_network_interface(self, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any) -> Interface:
        """An ENI, as moto's; `subnet` is a subnet or its id."""
        # What moto leaves abstract is CloudFormation's.
        eni = Interface(self, subnet, private_ip_address, *args, **kwargs)  # type: ignore[abstract]
        eni.public_ip = None
        eni.public_ip_auto_assign = False
        self.enis[eni.id] = eni
        return eni

    def get_network_interface(self, eni_id: str) -> Interface:
        """An ENI by its id; raises moto's error if there is none."""
        super().get_network_interface(eni_id)
        return self.enis[eni_id]

    def get_all_network_interfaces(self, eni_ids: list[str] | None = None, filters: Any = None) -> list[Interface]:  # type: ignore[override]
        """The ENIs of these ids, or all, that the filters select."""
        found: list[Any] = super().get_all_network_interfaces(eni_ids, filters)
        return found

    def add_ipv6_cidr(self, vpc: VPC, cidr: str) -> None:
        """Give a VPC the IPv6 block wanted; moto would invent one."""
        association = random_vpc_cidr_association_id()
        vpc._cidr_block_association_set[association] = {
            "association_id": association,
            "cidr_block": cidr,
            "cidr_block_state": {"state": "associated", "StatusMessage": None},
            "ipv6_pool": "Amazon",
            "ipv6_cidr_block_network_border_group": self.region_name,
        }
        for table in self.route_tables.values():
            if table.vpc_id == vpc.id:
                self.create_route(table.id, None, destination_ipv6_cidr_block=cidr, local=True)

    def all_subnets(self) -> list[Subnet]:
        """The subnets of all zones."""
        return [subnet for zone in self.subnets.values() for subnet in zone.values()]

    def eni_with(self, address: str) -> Interface | None:
        """The ENI that has a private address."""
        wanted = ip_address(address)
        for eni in self.enis.values():
            if wanted in map(ip_address, eni.addresses):
                return eni
        return None
