"""What must hold before an ENI can be attached to this instance: its type and zone, a free place, the right in IAM."""

from __future__ import annotations

from ocf_aws.aws.errors import AccessDenied, Conflict, Rejected
from ocf_aws.aws.network_interfaces import attach, describe_first_card, require_interface
from ocf_aws.ocf.errors import HardError, Unknown
from ocf_aws.threads import BackgroundThread, results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocf_aws.aws.client import Client
    from ocf_aws.aws.imds import Imds
    from ocf_aws.aws.network_interfaces import Eni

_MAX_INDEXES = 32


def check_attachable(ec2: Client, imds: Imds, eni_id: str, index: int | None) -> tuple[Eni, set[int], BackgroundThread]:
    """Ask all of it at the same time, and change nothing.

    index: the device index wanted, None for the lowest that is free.
    Returns the ENI; the device indexes that are taken; and the question for the right to attach it, whose result() raises
    AccessDenied if it is missing: an ENI that is here needs it no more.
    Raises HardError where this ENI can never be attached here, Conflict where there is no room for it, and as Client.call.
    """
    instance_id, instance_type = imds.instance_id, imds.instance_type
    used = used_indexes(imds)
    wanted = index or lowest_free_index(instance_id, used)
    permission = BackgroundThread(lambda: check_attach_permission(ec2, eni_id, instance_id, wanted))
    eni, limit = results(lambda: require_interface(ec2, eni_id), lambda: max_interfaces(ec2, instance_type))
    if eni.unmovable_reason:
        raise HardError(f"create an ENI for the service: {eni.id} cannot be moved, {eni.unmovable_reason}")
    zone = imds.availability_zone
    if eni.zone != zone:
        raise HardError(f"{eni.id} is in {eni.zone}, this node in {zone}: an ENI cannot leave its availability zone")
    # IMDS tells the device indexes of all cards, which is at least as many as card 0 has.
    if limit is not None and len(used) >= limit and not eni.is_held_by(instance_id):
        _check_room(ec2, eni, instance_id, limit)
    return eni, used, permission


def _check_room(ec2: Client, eni: Eni, instance_id: str, limit: int) -> None:
    """Raises Conflict where other ENIs take all places of the instance's network card 0."""
    # IMDS may still show an ENI that is gone; and one may be on its way out.
    others = [each for each in describe_first_card(ec2, instance_id) if each.id != eni.id]
    if len([each for each in others if each.attachment_status != "detaching"]) >= limit:
        raise Conflict(f"detach an ENI from {instance_id}: it has {len(others)}, its type allows {limit} ({eni.id})")


def used_indexes(imds: Imds) -> set[int]:
    """The device indexes that are taken on this instance, as far as IMDS knows."""
    try:
        return imds.device_indexes()
    except Unknown:
        # EC2 says so itself when it comes to attaching.
        return set()


def lowest_free_index(instance_id: str, used: set[int]) -> int:
    """The lowest device index that is not among those used. Raises HardError where there is none."""
    for index in range(1, _MAX_INDEXES):
        if index not in used:
            return index
    raise HardError(f"{instance_id} has no device index left")


def max_interfaces(ec2: Client, instance_type: str) -> int | None:
    """How many ENIs network card 0 of an instance of this type can have, None where that cannot be learned.

    MaximumNetworkInterfaces of a type is the sum over all cards ("NetworkInfo", EC2 API reference).
    """
    try:
        found = ec2.call("describe_instance_types", retry=False, InstanceTypes=[instance_type])["InstanceTypes"]
        network = found[0]["NetworkInfo"]
        cards = {card.get("NetworkCardIndex", 0): card for card in network.get("NetworkCards", [])}
        return int(cards.get(0, network)["MaximumNetworkInterfaces"])
    except (AccessDenied, Rejected, Unknown, LookupError, TypeError):
        # EC2 says it itself when it comes to attaching: AttachmentLimitExceeded.
        return None


def check_attach_permission(ec2: Client, eni_id: str, instance_id: str, index: int) -> None:
    """Ask by DryRun. Raises AccessDenied if the caller has no right to attach the ENI; not where that stays unknown."""
    try:
        attach(ec2, eni_id, instance_id, index, DryRun=True)
    except (Rejected, Unknown):
        # What EC2 objects to other than rights, a detach may change.
        pass
