"""Secondary addresses and delegated prefixes of existing ENIs."""

from __future__ import annotations

from ipaddress import ip_address

from moto.core.responses import ActionResult, EmptyResult

from vpclab.ec2.addresses import check_addresses, free_addresses
from vpclab.ec2.backend import Interface
from vpclab.ec2.errors import ApiError
from vpclab.ec2.interfaces import InterfaceCalls


class AssignmentCalls(InterfaceCalls):
    """The calls that give addresses to ENIs and take them away."""

    def assign_private_ip_addresses(self) -> ActionResult:
        """More IPv4 addresses or prefixes for an ENI."""
        eni = self._eni()
        wanted = self.params.get("PrivateIpAddresses", [])
        if self.params.get("AllowReassignment"):
            self._take_from_others(eni, wanted)
        wanted = [address for address in wanted if address not in eni.addresses]
        check_addresses(self.backend, eni.subnet, wanted, 4)
        count = int(self.params.get("SecondaryPrivateIpAddressCount", 0))
        wanted += free_addresses(self.backend, eni.subnet, 4, count)
        eni.private_ip_addresses += [{"Primary": False, "PrivateIpAddress": address} for address in wanted]
        return ActionResult(
            {
                "NetworkInterfaceId": eni.id,
                "AssignedPrivateIpAddresses": [{"PrivateIpAddress": address} for address in wanted],
                "AssignedIpv4Prefixes": [{"Ipv4Prefix": prefix} for prefix in self.delegate_prefixes(eni)],
            }
        )

    def unassign_private_ip_addresses(self) -> ActionResult:
        """Fewer IPv4 addresses or prefixes for an ENI; never the primary one."""
        eni = self._eni()
        unwanted = self.params.get("PrivateIpAddresses", [])
        if eni.private_ip_address in unwanted:
            raise ApiError(
                "InvalidParameterValue",
                f"The primary address {eni.private_ip_address} cannot be unassigned.",
            )
        self._check_assigned(eni, unwanted)
        prefixes = self.params.get("Ipv4Prefixes", [])
        eni.private_ip_addresses = [
            item for item in eni.private_ip_addresses if item["PrivateIpAddress"] not in unwanted
        ]
        eni.ipv4_prefixes = [item for item in eni.ipv4_prefixes if item["Ipv4Prefix"] not in prefixes]
        return EmptyResult()

    def assign_ipv6_addresses(self) -> ActionResult:
        """More IPv6 addresses or prefixes for an ENI."""
        eni = self._eni()
        wanted = [str(ip_address(a)) for a in self.params.get("Ipv6Addresses", [])]
        if wanted:
            check_addresses(self.backend, eni.subnet, wanted, 6)
        if count := int(self.params.get("Ipv6AddressCount", 0)):
            wanted += free_addresses(self.backend, eni.subnet, 6, count)
        eni.ipv6_addresses += wanted
        return ActionResult(
            {
                "NetworkInterfaceId": eni.id,
                "AssignedIpv6Addresses": wanted,
                "AssignedIpv6Prefixes": self.delegate_prefixes(eni),
            }
        )

    def unassign_ipv6_addresses(self) -> ActionResult:
        """Fewer IPv6 addresses or prefixes for an ENI."""
        eni = self._eni()
        unwanted = [str(ip_address(a)) for a in self.params.get("Ipv6Addresses", [])]
        self._check_assigned(eni, unwanted)
        prefixes = self.params.get("Ipv6Prefixes", [])
        eni.ipv6_addresses = [a for a in eni.ipv6_addresses if a not in unwanted]
        eni.ipv6_prefixes = [item for item in eni.ipv6_prefixes if item["Ipv6Prefix"] not in prefixes]
        return ActionResult(
            {
                "NetworkInterfaceId": eni.id,
                "UnassignedIpv6Addresses": unwanted,
                "UnassignedIpv6Prefixes": prefixes,
            }
        )

    def _eni(self) -> Interface:
        """The ENI that the call names."""
        eni_id = self.required("NetworkInterfaceId")
        return self.backend.get_network_interface(eni_id)

    def _take_from_others(self, eni: Interface, addresses: list[str]) -> None:
        """Unassign secondary addresses from the other ENIs that have them."""
        for other in self.backend.enis.values():
            if other is not eni:
                other.private_ip_addresses = [
                    item
                    for item in other.private_ip_addresses
                    if item.get("Primary") or item["PrivateIpAddress"] not in addresses
                ]

    def _check_assigned(self, eni: Interface, addresses: list[str]) -> None:
        """Raise ApiError unless the ENI has all these addresses."""
        foreign = [address for address in addresses if address not in eni.addresses]
        if foreign:
            raise ApiError(
                "InvalidParameterValue",
                f"Some of {addresses} are not assigned to interface {eni.id}",
            )
