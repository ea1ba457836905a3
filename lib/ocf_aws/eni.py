"""ENIs in EC2's words: who has one, whether it may be moved, and moving it."""

from __future__ import annotations

from time import monotonic, sleep

from ocf_aws.cloud import Denied, Rejected
from ocf_aws.status import HardError, SoftError, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event
    from typing import Any

    from ocf_aws.cloud import Cloud
    from ocf_aws.deadline import Deadline
    from ocf_aws.log import Log

FORCE = ("if-down", "after", "never")
"""When a detach may be forced: if EC2 says that the holder is not running; also after half of the time; never."""

# What an attach or detach says that met a state which has changed, or is about to ("Error codes", EC2 API reference).
_LOOK_AGAIN = (
    "IncorrectState IncorrectInstanceState InvalidNetworkInterface.InUse InvalidAttachmentID.NotFound"
    " InvalidAttachment.NotFound InvalidNetworkInterfaceAttachmentID.NotFound"
).split()

_GONE = ("disassociating", "disassociated", "failing", "failed")

_STALE_SECONDS = 5.0
"""How long reads may contradict a write that EC2 accepted ("Eventual consistency", EC2 developer guide)."""

_HOLDER_SECONDS = 2.0
"""How long a holder that lets go by itself is left alone, and how often EC2 is asked again whether it runs."""

_CONFIRM_SECONDS = 1.0
"""How often EC2 is asked about an attachment while the kernel has no link yet, which is what the service waits for."""

_URGENT_PAUSE = 0.15

_MOST_INDEXES = 32


class Eni:
    """An ENI as DescribeNetworkInterfaces tells it.

    holder: id of the instance it is attached to, None without one; with it go attachment_id, attachment_status
    (attaching, attached, detaching), device_index and ends_with_holder (DeleteOnTermination).
    addresses: the primary IPv4 address first. prefixes: delegated blocks.
    """

    def __init__(self, answer: dict[str, Any]):
        self.id: str = answer["NetworkInterfaceId"]
        self.mac: str = answer["MacAddress"].lower()
        self.zone: str = answer["AvailabilityZone"]
        self.subnet_id: str = answer["SubnetId"]
        self.status: str = answer.get("Status", "")
        ipv4 = sorted(answer.get("PrivateIpAddresses", []), key=lambda item: not item.get("Primary"))
        self.addresses: list[str] = [item["PrivateIpAddress"] for item in ipv4]
        self.addresses += [item["Ipv6Address"] for item in answer.get("Ipv6Addresses", [])]
        self.prefixes: list[str] = [item["Ipv4Prefix"] for item in answer.get("Ipv4Prefixes", [])]
        self.prefixes += [item["Ipv6Prefix"] for item in answer.get("Ipv6Prefixes", [])]
        attachment = answer.get("Attachment") or {}
        self.attachment_id: str | None = attachment.get("AttachmentId")
        self.attachment_status: str | None = attachment.get("Status")
        self.holder: str | None = attachment.get("InstanceId")
        self.device_index: int | None = attachment.get("DeviceIndex")
        self.ends_with_holder = bool(attachment.get("DeleteOnTermination"))
        self._type = answer.get("InterfaceType", "interface")
        self._is_managed = bool(answer.get("RequesterManaged")) or bool((answer.get("Operator") or {}).get("Managed"))

    def is_held_by(self, instance_id: str) -> bool:
        """Whether it is attached to this instance, or on its way there."""
        return self.holder == instance_id and self.attachment_status in ("attaching", "attached")

    @property
    def whereabouts(self) -> str:
        """Who has it, in words."""
        if not self.attachment_id:
            return "attached to no instance"
        return f"{self.attachment_status} {'from' if self.attachment_status == 'detaching' else 'to'} {self.holder}"

    @property
    def objection(self) -> str | None:
        """Why it can never be moved, None where it can."""
        if self._is_managed:
            return "an AWS service manages it, and EC2 lets nobody else attach or detach it"
        if self._type != "interface":
            return f"it is no plain interface, but of the type {self._type}"
        if self.device_index == 0:
            return f"it is the primary ENI of {self.holder}, which EC2 cannot detach"
        if self.attachment_id and not self.holder:
            return "something other than an instance has it"
        return None


def describe(cloud: Cloud, eni_id: str) -> Eni:
    """The ENI as EC2 tells it now. Raises as Cloud.call, and HardError where there is none."""
    # By a filter, for EC2 throttles what has none sooner ("Request throttling", EC2 developer guide).
    found = cloud.list(
        "describe_network_interfaces", "NetworkInterfaces", Filters=[_filter("network-interface-id", eni_id)]
    )
    if not found:
        raise HardError(f"parameter 'eni_id': EC2 knows no ENI {eni_id} in this region and account")
    return Eni(found[0])


def describe_of(cloud: Cloud, instance_id: str) -> list[Eni]:
    """The ENIs that an instance has. Raises as Cloud.call."""
    filters = [_filter("attachment.instance-id", instance_id)]
    return [Eni(each) for each in cloud.list("describe_network_interfaces", "NetworkInterfaces", Filters=filters)]


def describe_subnet(cloud: Cloud, subnet_id: str) -> list[str]:
    """The CIDR blocks of a subnet, the IPv4 one first. Raises as Cloud.call, and HardError where there is none."""
    found = cloud.list("describe_subnets", "Subnets", Filters=[_filter("subnet-id", subnet_id)])
    if not found:
        raise HardError(f"EC2 knows no subnet {subnet_id}")
    blocks = [found[0]["CidrBlock"]] if found[0].get("CidrBlock") else []
    for association in found[0].get("Ipv6CidrBlockAssociationSet", []):
        if association.get("Ipv6CidrBlockState", {}).get("State") not in _GONE:
            blocks.append(association["Ipv6CidrBlock"])
    return blocks


def most_enis(cloud: Cloud, instance_type: str) -> int | None:
    """How many ENIs an instance of this type can have, None where that cannot be learned."""
    try:
        found = cloud.call("describe_instance_types", retry=False, InstanceTypes=[instance_type])["InstanceTypes"]
        return int(found[0]["NetworkInfo"]["MaximumNetworkInterfaces"])
    except (Denied, Rejected, Unknown, LookupError):
        # EC2 says it itself when it comes to attaching: AttachmentLimitExceeded.
        return None


def is_running(cloud: Cloud, instance_id: str) -> bool:
    """Whether an instance runs, or is about to. Raises as Cloud.call."""
    filters = [_filter("instance-id", instance_id)]
    for reservation in cloud.list("describe_instances", "Reservations", Filters=filters):
        for instance in reservation["Instances"]:
            return bool(instance["State"]["Name"] in ("pending", "running"))
    # EC2 forgets terminated instances after an hour.
    return False


def attach(cloud: Cloud, eni_id: str, instance_id: str, index: int, **more: Any) -> str:
    """Ask for the attachment and return its id. Raises as Cloud.call."""
    answer = cloud.call(
        "attach_network_interface",
        retry=False,
        NetworkInterfaceId=eni_id,
        InstanceId=instance_id,
        DeviceIndex=index,
        # Left out, EC2 takes the index for one of another card on types that have several.
        NetworkCardIndex=0,
        **more,
    )
    return str(answer.get("AttachmentId", ""))


def find_denial(cloud: Cloud, eni_id: str, instance_id: str, index: int) -> Denied | None:
    """What EC2 says by DryRun if the caller has no right to attach the ENI, None if it has, or that stays unknown."""
    try:
        attach(cloud, eni_id, instance_id, index, DryRun=True)
    except Denied as error:
        return error
    except (Rejected, Unknown):
        # What EC2 objects to other than rights, a detach may change.
        pass
    return None


def detach(cloud: Cloud, attachment_id: str, **more: Any) -> None:
    """Ask for the end of an attachment. Raises as Cloud.call."""
    cloud.call("detach_network_interface", retry=False, AttachmentId=attachment_id, **more)


def outlive(cloud: Cloud, eni: Eni) -> None:
    """Let the ENI outlive the instance that it is attached to. Raises as Cloud.call."""
    cloud.call(
        "modify_network_interface_attribute",
        NetworkInterfaceId=eni.id,
        Attachment={"AttachmentId": eni.attachment_id, "DeleteOnTermination": False},
    )


def looks(deadline: Deadline) -> Iterator[None]:
    """The moments to look whether EC2 is done: close together while most moves end, farther apart later on."""
    yield from deadline.within(12).pauses(first=0.1, longest=0.25)
    yield from deadline.pauses(first=0.5, longest=1.0)


def _filter(name: str, value: str) -> dict[str, Any]:
    return {"Name": name, "Values": [value]}


class Move:
    """Bringing an ENI to an instance, whoever has it; what has been done is seen, and never done twice.

    force: one of FORCE. index: the device index wanted, None for the lowest that is free.
    used: device indexes known as taken.
    """

    def __init__(
        self, cloud: Cloud, eni: Eni, instance_id: str, force: str, index: int | None, used: set[int], log: Log
    ):
        self.eni = eni
        """As it was seen last."""

        self._cloud = cloud
        self._instance_id = instance_id
        self._force = force
        self._wanted = index
        self._used = set(used)
        self._log = log
        self._accepted = monotonic()
        self._asked: dict[str, float] = {}
        self._forced: set[str] = set()
        self._holder_asked = float("-inf")

    @property
    def is_over(self) -> bool:
        """Whether the ENI is attached to the instance, and EC2 done with it."""
        return self.eni.holder == self._instance_id and self.eni.attachment_status == "attached"

    def take(self, deadline: Deadline) -> str:
        """Detach and attach until EC2 has accepted the attachment, and return its id.

        Raises Failure: at once where it can never be, with the deadline where EC2 is not done.
        """
        patience = deadline.within(deadline.left() / 2)
        problem = "no time left"
        is_fresh = True
        for _ in looks(deadline):
            try:
                if not is_fresh:
                    self._look()
                is_fresh = False
                if self.eni.is_held_by(self._instance_id):
                    return str(self.eni.attachment_id)
                if self.eni.attachment_id:
                    self._release(self.eni, patience)
                    problem = f"it is still {self.eni.whereabouts}"
                else:
                    return self._attach()
            except Rejected as error:
                if error.code not in _LOOK_AGAIN:
                    raise
                problem = str(error)
            except Unknown as error:
                problem = str(error)
        raise SoftError(f"{self.eni.id} could not be attached here in time: {problem}{self._advice()}")

    def confirm(self, deadline: Deadline, is_urgent: Event) -> Eni:
        """The ENI as it is once EC2 says that it is attached. Raises SoftError where that does not come.

        is_urgent: set when nothing else is left to wait for.
        """
        problem = ""
        while not self.is_over:
            if not deadline.left():
                raise SoftError(f"EC2 does not say in time that {self.eni.id} is attached here{problem}")
            if is_urgent.is_set():
                sleep(_URGENT_PAUSE)
            else:
                is_urgent.wait(_CONFIRM_SECONDS)
            try:
                self._look()
            except Unknown as error:
                problem = f" ({error})"
                continue
            is_stale = monotonic() - self._accepted < _STALE_SECONDS
            if not self.eni.is_held_by(self._instance_id) and not is_stale:
                raise SoftError(f"EC2 accepted to attach {self.eni.id} here, but it is {self.eni.whereabouts}")
        return self.eni

    def _look(self) -> None:
        self.eni = describe(self._cloud, self.eni.id)

    def _release(self, eni: Eni, patience: Deadline) -> None:
        """Ask its holder to let go, or see to it that somebody is asking. Raises as Cloud.call."""
        attachment_id = str(eni.attachment_id)
        if eni.attachment_status == "detaching":
            if attachment_id not in self._asked:
                self._asked[attachment_id] = self._holder_asked = monotonic()
        elif monotonic() - self._asked.get(attachment_id, float("-inf")) > _STALE_SECONDS:
            detach(self._cloud, attachment_id)
            self._asked[attachment_id] = monotonic()
            self._log.info(f"{eni.id} was {eni.whereabouts}: detaching it")
        if attachment_id not in self._forced and self._may_force(eni, patience):
            self._detach_by_force(eni, attachment_id)

    def _detach_by_force(self, eni: Eni, attachment_id: str) -> None:
        self._forced.add(attachment_id)
        try:
            detach(self._cloud, attachment_id, Force=True)
        except Rejected as error:
            # The detach that was asked for before may end yet.
            self._log.warning(f"{eni.id} cannot be detached from {eni.holder} by force: {error}")
        else:
            self._log.warning(f"{eni.id} is detached from {eni.holder} by force")

    def _may_force(self, eni: Eni, patience: Deadline) -> bool:
        if self._force == "never":
            return False
        if self._force == "after" and not patience.left():
            return True
        if monotonic() - self._holder_asked < _HOLDER_SECONDS:
            return False
        self._holder_asked = monotonic()
        try:
            return not is_running(self._cloud, str(eni.holder))
        except (Denied, Unknown) as error:
            self._log.warning(f"not known whether {eni.holder} runs, so {eni.id} is not detached by force: {error}")
            if isinstance(error, Denied):
                self._holder_asked = float("inf")
            return False

    def _attach(self) -> str:
        while True:
            index = self._lowest_free() if self._wanted is None else self._wanted
            try:
                attachment_id = attach(self._cloud, self.eni.id, self._instance_id, index)
            except Rejected as error:
                if self._wanted is not None or "already has an interface attached" not in str(error):
                    raise
                # IMDS, from which the taken ones were known, may lag.
                self._used.update({index} | _indexes(describe_of(self._cloud, self._instance_id)))
                continue
            self._accepted = monotonic()
            self._log.info(f"{self.eni.id} is being attached here with device index {index}")
            return attachment_id

    def _lowest_free(self) -> int:
        for index in range(1, _MOST_INDEXES):
            if index not in self._used:
                return index
        raise HardError(f"{self._instance_id} has no device index left")

    def _advice(self) -> str:
        if self.eni.attachment_status != "detaching" or self._force == "after":
            return ""
        return (
            f"; if {self.eni.holder} hangs, fence it, detach the ENI by force"
            f" (aws ec2 detach-network-interface --attachment-id {self.eni.attachment_id} --force) or set force_detach=after"
        )


def _indexes(enis: list[Eni]) -> set[int]:
    return {eni.device_index for eni in enis if eni.device_index is not None}
