"""ENIs: making, describing and changing them. Attaching is in `attachments`, addresses in `assignments`."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from vpclab.ec2.addresses import (
    check_addresses,
    check_prefixes,
    free_addresses,
    free_prefixes,
)
from vpclab.ec2.backend import Interface
from vpclab.ec2.base_calls import BaseCalls
from vpclab.ec2.errors import ApiError
from vpclab.ec2.filters import page, select


def attachment_field(name: str) -> Any:
    """A filter's reader for a field of an ENI's attachment."""
    return lambda eni: [getattr(eni.attachment, name, None)]


READERS: dict[str, Any] = {
    "addresses.primary": lambda e: [bool(a.get("Primary")) for a in _items(e)],
    "addresses.private-ip-address": lambda e: [a["PrivateIpAddress"] for a in _items(e)],
    "attachment.attach-time": attachment_field("attach_time"),
    "attachment.attachment-id": attachment_field("attachment_id"),
    "attachment.delete-on-termination": attachment_field("delete_on_termination"),
    "attachment.device-index": attachment_field("device_index"),
    "attachment.instance-id": attachment_field("instance_id"),
    "attachment.instance-owner-id": attachment_field("instance_owner_id"),
    "attachment.status": attachment_field("status"),
    "availability-zone": lambda eni: [eni.availability_zone],
    "description": lambda eni: [eni.description],
    "group-id": lambda eni: [group.id for group in eni.group_set],
    "group-name": lambda eni: [group.name for group in eni.group_set],
    "interface-type": lambda eni: [eni.interface_type],
    "ipv6-addresses.ipv6-address": lambda eni: eni.ipv6_addresses,
    "mac-address": lambda eni: [eni.mac_address],
    "network-interface-id": lambda eni: [eni.id],
    "owner-id": lambda eni: [eni.owner_id],
    "private-ip-address": lambda e: [a["PrivateIpAddress"] for a in _items(e)],
    "requester-managed": lambda eni: [eni.requester_managed],
    "source-dest-check": lambda eni: [eni.source_dest_check],
    "status": lambda eni: [eni.status],
    "subnet-id": lambda eni: [eni.subnet.id],
    "vpc-id": lambda eni: [eni.vpc_id],
}


def _items(eni: Interface) -> list[dict[str, Any]]:
    """The private IPv4 addresses of an ENI as EC2 tells them."""
    return eni.private_ip_addresses


class InterfaceCalls(BaseCalls, ElasticNetworkInterfaces):
    """The calls on ENIs themselves."""

    def describe_network_interfaces(self) -> ActionResult:
        """The ENIs asked for."""
        ids = self.params.get("NetworkInterfaceIds", [])
        enis = self.backend.get_all_network_interfaces(list(dict.fromkeys(ids)))
        enis = select(enis, self.params.get("Filters", []), READERS)
        enis, token = page(enis, self.params, most=1000)
        return ActionResult({"NetworkInterfaces": enis, "NextToken": token})

    def create_network_interface(self) -> ActionResult:
        """A new ENI in a subnet, with the addresses wanted or free ones."""
        subnet = self.backend.get_subnet(self.required("SubnetId"))
        ipv4 = self._wanted("PrivateIpAddress", "SecondaryPrivateIpAddressCount", 4)
        if primary := self.params.get("PrivateIpAddress"):
            ipv4 = [primary, *(address for address in ipv4 if address != primary)]
        check_addresses(self.backend, subnet, ipv4, 4)
        ipv6 = self._wanted("Ipv6Address", "Ipv6AddressCount", 6)
        if ipv6:
            check_addresses(self.backend, subnet, ipv6, 6)
        eni = self.backend.create_network_interface(
            subnet,
            ipv4[0],
            [{"Primary": index == 0, "PrivateIpAddress": address} for index, address in enumerate(ipv4)],
            self.params.get("Groups", []),
            self.params.get("Description"),
            ipv6_addresses=ipv6,
        )
        for specification in self.params.get("TagSpecifications", []):
            eni.add_tags({t["Key"]: t["Value"] for t in specification.get("Tags", [])})
        self.delegate_prefixes(eni)
        return ActionResult({"NetworkInterface": eni})

    def delete_network_interface(self) -> ActionResult:
        """An ENI less, unless somebody has it."""
        eni = self.backend.get_network_interface(self.required("NetworkInterfaceId"))
        if eni.attachment_id:
            raise ApiError(
                "InvalidParameterValue",
                f"Network interface '{eni.id}' is currently in use.",
            )
        return super().delete_network_interface()

    def modify_network_interface_attribute(self) -> ActionResult:
        """Another value for exactly one attribute."""
        eni = self.backend.get_network_interface(self.required("NetworkInterfaceId"))
        wanted = set(self.params) - {"NetworkInterfaceId", "DryRun"}
        if len(wanted) != 1:
            raise ApiError(
                "InvalidParameterCombination",
                "Fields for exactly one attribute type must be specified, "
                f"not {', '.join(sorted(wanted)) or 'none'}.",
            )
        if "Attachment" in wanted:
            self._modify_attachment(eni, self.params["Attachment"])
            return EmptyResult()
        if "SourceDestCheck" in wanted and eni.instance and eni.device_index == 0:
            # The instance's attribute is that of its primary ENI.
            eni.instance.source_dest_check = self.params["SourceDestCheck"]["Value"]
        return super().modify_network_interface_attribute()

    def delegate_prefixes(self, eni: Interface) -> list[str]:
        """Give an ENI the prefixes that the call asks for; returns them."""
        given: list[str] = []
        for version, kept in ((4, eni.ipv4_prefixes), (6, eni.ipv6_prefixes)):
            name = f"Ipv{version}Prefix"
            items = self.params.get(f"{name}es", [])
            wanted = [i[name] if isinstance(i, dict) else i for i in items]
            check_prefixes(self.backend, eni.subnet, wanted)
            if count := int(self.params.get(f"{name}Count", 0)):
                wanted += free_prefixes(self.backend, eni.subnet, version, count)
            kept += [{name: prefix} for prefix in wanted]
            given += wanted
        return given

    def _wanted(self, name: str, count_name: str, version: int) -> list[str]:
        """Addresses that a call lists, plus as many free ones as it asks for; IPv4 at least one."""
        items = self.params.get(f"{name}es", [])
        items = sorted(items, key=lambda item: not item.get("Primary", False))
        listed = [item[name] for item in items]
        count = int(self.params.get(count_name, 0))
        if version == 4 and not listed and name not in self.params:
            count += 1
        if not count:
            return listed
        subnet = self.backend.get_subnet(self.params["SubnetId"])
        free = free_addresses(self.backend, subnet, version, count + len(listed) + 1)
        known = {*listed, self.params.get(name)}
        return listed + [address for address in free if address not in known][:count]

    def _modify_attachment(self, eni: Interface, wanted: dict[str, Any]) -> None:
        """Set whether the ENI ends with the instance that has it."""
        if wanted.get("AttachmentId") != eni.attachment_id or not eni.attachment_id:
            raise ApiError(
                "InvalidAttachmentID.NotFound",
                f"The attachment '{wanted.get('AttachmentId')}' does not exist.",
            )
        eni.delete_on_termination = bool(wanted.get("DeleteOnTermination"))
