"""AttachNetworkInterface and DetachNetworkInterface: both take time, and EC2 can refuse them."""

from __future__ import annotations

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance

from vpclab.ec2.backend import Interface
from vpclab.ec2.errors import ApiError
from vpclab.ec2.interfaces import InterfaceCalls


class AttachmentCalls(InterfaceCalls):
    """AttachNetworkInterface and DetachNetworkInterface."""

    def attach_network_interface(self) -> ActionResult:
        """Attach an ENI to an instance; it takes `times.attach` seconds."""
        eni = self.backend.get_network_interface(self.required("NetworkInterfaceId"))
        instance = self.backend.get_instance(self.required("InstanceId"))
        index = int(self.required("DeviceIndex"))
        card = int(self.params.get("NetworkCardIndex", 0))
        self._check_attach(eni, instance, index, card)
        attachment_id = instance.attach_eni(eni, index)
        eni.network_card_index = card
        eni.delete_on_termination = False
        eni.attachment_status = "attaching"

        def finish() -> None:
            if eni.attachment_id == attachment_id:
                if eni.attachment_status == "attaching":
                    eni.attachment_status = "attached"

        self.state.later(self.state.times.attach, finish)
        return ActionResult({"AttachmentId": attachment_id, "NetworkCardIndex": card})

    def detach_network_interface(self) -> ActionResult:
        """Detach an ENI; it takes `times.detach` seconds. A stuck ENI stays in `detaching`.

        The guest loses the link immediately. The guest of a stuck ENI keeps it.
        """
        eni = self._attached_eni(self.required("AttachmentId"))
        _check_managed(eni)
        if eni.device_index == 0:
            raise ApiError(
                "OperationNotPermitted",
                f"The network interface at device index {eni.device_index} and networkCard index 0 cannot be detached.",
            )
        attachment_id, holder = eni.attachment_id, eni.instance
        stuck = eni.id in self.state.stuck and not self.params.get("Force")
        eni.attachment_status = "detaching"
        eni.link_released = not stuck

        def finish() -> None:
            if holder and eni.attachment_id == attachment_id:
                holder.detach_eni(eni)

        if not stuck:
            self.state.later(self.state.times.detach, finish)
        return EmptyResult()

    def _attached_eni(self, attachment_id: str) -> Interface:
        """The ENI of an attachment; raises ApiError if it is gone."""
        for eni in self.backend.enis.values():
            if eni.attachment_id == attachment_id:
                return eni
        raise ApiError(
            "InvalidAttachmentID.NotFound",
            f"The attachment '{attachment_id}' does not exist.",
        )

    def _check_attach(self, eni: Interface, instance: Instance, index: int, card: int) -> None:
        """Raise ApiError if EC2 would refuse to attach the ENI."""
        _check_managed(eni)
        if eni.attachment_id:
            raise ApiError("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
        if eni.availability_zone != instance.availability_zone:
            raise ApiError(
                "InvalidParameterCombination",
                "You may not attach a network interface to an instance if they are not in the same availability zone",
            )
        if instance.state not in ("running", "stopped"):
            raise ApiError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not 'running' or 'stopped'.",
            )
        if index in instance.nics:
            raise ApiError(
                "InvalidParameterValue",
                f"Instance '{instance.id}' already has an interface attached at device index '{index}'.",
            )
        network = INSTANCE_TYPES[instance.instance_type]["NetworkInfo"]
        cards = {each["NetworkCardIndex"]: each for each in network.get("NetworkCards", [])}
        held = [each for each in self.backend.enis.values() if each.instance is instance]
        count = len([each for each in held if each.network_card_index == card])
        if count >= cards.get(card, network)["MaximumNetworkInterfaces"]:
            raise ApiError(
                "AttachmentLimitExceeded",
                f"Interface count {count + 1} exceeds the limit for {instance.instance_type}",
            )


def _check_managed(eni: Interface) -> None:
    """Raise ApiError for an ENI that belongs to an AWS service."""
    if eni.requester_managed or eni.interface_type != "interface":
        raise ApiError(
            "OperationNotPermitted",
            "You are not allowed to manage 'ela-attach' attachments.",
        )
