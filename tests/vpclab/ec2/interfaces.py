"""ENIs: making, describing and changing them. Attaching is in `attachments`."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from vpclab.ec2.addresses import (
    check_addresses,
    check_prefixes,
    free_address,
)
from vpclab.ec2.backend import Interface
from vpclab.ec2.base_calls import BaseCalls
from vpclab.ec2.errors import ApiError


class InterfaceCalls(BaseCalls, ElasticNetworkInterfaces):
    """The calls on ENIs themselves."""

    def describe_network_interfaces(self) -> ActionResult:
        """The ENIs asked for."""
        ids = self.params.get("NetworkInterfaceIds", [])
        filters = self._filters_from_querystring()
        # moto compares the primary address alone.
        held = [filters.pop(name, None) for name in ("addresses.private-ip-address", "ipv6-addresses.ipv6-address")]
        enis = self.backend.get_all_network_interfaces(list(dict.fromkeys(ids)), filters)
        for addresses in filter(None, held):
            enis = [eni for eni in enis if set(addresses) & set(eni.addresses)]
        return self.paged("NetworkInterfaces", enis)

    def create_network_interface(self) -> ActionResult:
        """A new ENI with the addresses and prefixes that the call lists, or a free IPv4 address."""
        if counts := [name for name in self.params if name.endswith("Count")]:
            raise ApiError("UnsupportedOperation", f"The lab takes lists, not {', '.join(counts)}.")
        subnet = self.backend.get_subnet(self.required("SubnetId"))
        ipv4 = self._listed("PrivateIpAddress")
        if primary := self.params.get("PrivateIpAddress"):
            ipv4 = [primary, *(address for address in ipv4 if address != primary)]
        check_addresses(self.backend, subnet, ipv4, 4)
        ipv4 = ipv4 or [free_address(self.backend, subnet)]
        ipv6 = self._listed("Ipv6Address")
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
        for version, prefixes in ((4, eni.ipv4_prefixes), (6, eni.ipv6_prefixes)):
            name = f"Ipv{version}Prefix"
            check_prefixes(self.backend, subnet, self._listed(name))
            prefixes += [{name: prefix} for prefix in self._listed(name)]
        return ActionResult({"NetworkInterface": eni})

    def delete_network_interface(self) -> ActionResult:
        """Delete an ENI that is not attached."""
        eni = self.backend.get_network_interface(self.required("NetworkInterfaceId"))
        if eni.attachment_id:
            raise ApiError(
                "InvalidParameterValue",
                f"Network interface '{eni.id}' is currently in use.",
            )
        return super().delete_network_interface()

    def modify_network_interface_attribute(self) -> ActionResult:
        """Change exactly one attribute."""
        eni = self.backend.get_network_interface(self.required("NetworkInterfaceId"))
        wanted = set(self.params) - {"NetworkInterfaceId", "DryRun"}
        if len(wanted) != 1:
            raise ApiError(
                "InvalidParameterCombination",
                f"Fields for exactly one attribute type must be specified, not {', '.join(sorted(wanted)) or 'none'}.",
            )
        if "Attachment" in wanted:
            self._modify_attachment(eni, self.params["Attachment"])
            return EmptyResult()
        if "SourceDestCheck" in wanted and eni.instance and eni.device_index == 0:
            # The instance's attribute is that of its primary ENI.
            eni.instance.source_dest_check = self.params["SourceDestCheck"]["Value"]
        return super().modify_network_interface_attribute()

    def _listed(self, name: str) -> list[str]:
        """The addresses or prefixes that a call lists, the primary address first."""
        items = self.params.get(f"{name}es", [])
        return [item[name] for item in sorted(items, key=lambda item: not item.get("Primary", False))]

    def _modify_attachment(self, eni: Interface, wanted: dict[str, Any]) -> None:
        """Set whether EC2 deletes the ENI with the instance."""
        if wanted.get("AttachmentId") != eni.attachment_id or not eni.attachment_id:
            raise ApiError(
                "InvalidAttachmentID.NotFound",
                f"The attachment '{wanted.get('AttachmentId')}' does not exist.",
            )
        eni.delete_on_termination = bool(wanted.get("DeleteOnTermination"))
