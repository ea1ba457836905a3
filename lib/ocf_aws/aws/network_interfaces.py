"""ENIs in EC2's words: what one is, who has it, whether it may be moved, and the calls that change it."""

from __future__ import annotations

from ocf_aws.aws.errors import NotFound, Rejected
from ocf_aws.ip import IpAddress, IpNetwork
from ocf_aws.ocf.errors import Failure, Unknown
from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ocf_aws.aws.client import Client
    from ocf_aws.ocf.log import Log

_GONE = ("disassociating", "disassociated", "failing", "failed")


class Eni(Record):
    """An ENI as DescribeNetworkInterfaces tells it.

    addresses: IpAddresses, the primary IPv4 address first. prefixes: delegated IpNetworks.
    holder: id of the instance it is attached to, None without one; with it go attachment_id, attachment_status
    (attaching, attached, detaching), device_index, network_card_index (0 also without a holder) and delete_on_termination.
    """

    id: str
    mac: str
    zone: str
    subnet_id: str
    vpc_id: str
    status: str
    addresses: tuple[IpAddress, ...]
    prefixes: tuple[IpNetwork, ...]
    source_dest_check: bool
    type: str
    is_managed: bool
    attachment_id: str | None
    attachment_status: str | None
    holder: str | None
    device_index: int | None
    network_card_index: int
    delete_on_termination: bool

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Eni:
        """Raises Unknown where the answer is no ENI."""
        attachment = answer.get("Attachment") or {}
        ipv4 = sorted(answer.get("PrivateIpAddresses", []), key=lambda item: not item.get("Primary"))
        try:
            return cls(
                answer["NetworkInterfaceId"],
                answer["MacAddress"].lower(),
                answer["AvailabilityZone"],
                answer["SubnetId"],
                answer["VpcId"],
                answer.get("Status", ""),
                tuple(
                    IpAddress.parse(text)
                    for text in [item["PrivateIpAddress"] for item in ipv4]
                    + [item["Ipv6Address"] for item in answer.get("Ipv6Addresses", [])]
                ),
                tuple(
                    IpNetwork.parse(text)
                    for text in [item["Ipv4Prefix"] for item in answer.get("Ipv4Prefixes", [])]
                    + [item["Ipv6Prefix"] for item in answer.get("Ipv6Prefixes", [])]
                ),
                bool(answer.get("SourceDestCheck")),
                answer.get("InterfaceType", "interface"),
                bool(answer.get("RequesterManaged")) or bool((answer.get("Operator") or {}).get("Managed")),
                attachment.get("AttachmentId"),
                attachment.get("Status"),
                attachment.get("InstanceId"),
                attachment.get("DeviceIndex"),
                attachment.get("NetworkCardIndex") or 0,
                bool(attachment.get("DeleteOnTermination")),
            )
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise Unknown(f"EC2 answers nonsense about an ENI: {type(error).__name__} {error}") from error

    def is_held_by(self, instance_id: str) -> bool:
        """Whether it is attached to this instance, or on its way there."""
        return self.holder == instance_id and self.attachment_status in ("attaching", "attached")

    @property
    def attachment_text(self) -> str:
        """Who has it, in words."""
        if not self.attachment_id:
            return "attached to no instance"
        return f"{self.attachment_status} {'from' if self.attachment_status == 'detaching' else 'to'} {self.holder}"

    @property
    def unmovable_reason(self) -> str | None:
        """Why it can never be moved, None where it can."""
        if self.is_managed:
            return "an AWS service manages it"
        if self.type != "interface":
            return f"its type is {self.type}"
        if self.device_index == 0:
            return f"it is the primary ENI of {self.holder}"
        if self.attachment_id and not self.holder:
            return "something other than an instance has it"
        return None


def describe_interfaces(ec2: Client, name: str, value: str) -> list[Eni]:
    """The ENIs that a filter of DescribeNetworkInterfaces selects, by its name and value. Raises as Client.call."""
    # By a filter always: EC2 throttles what has none sooner ("Request throttling", EC2 developer guide).
    filters = [{"Name": name, "Values": [value]}]
    found = ec2.paginate("describe_network_interfaces", "NetworkInterfaces", Filters=filters)
    return [Eni.from_answer(each) for each in found]


def describe_first_card(ec2: Client, instance_id: str) -> list[Eni]:
    """The ENIs on network card 0 of an instance, which is where `attach` asks for a place. Raises as Client.call."""
    enis = describe_interfaces(ec2, "attachment.instance-id", instance_id)
    return [eni for eni in enis if eni.network_card_index == 0]


def find_interface(ec2: Client, eni_id: str) -> Eni | None:
    """The ENI as EC2 tells it now, None where it tells of none. Raises as Client.call."""
    return next(iter(describe_interfaces(ec2, "network-interface-id", eni_id)), None)


def reread_interface(ec2: Client, eni_id: str) -> Eni:
    """As find_interface, of an ENI that is known to be there. Raises Unknown where EC2 tells of none: the answer is old."""
    eni = find_interface(ec2, eni_id)
    if eni is None:
        raise Unknown(f"EC2 tells nothing of {eni_id} at the moment")
    return eni


def require_interface(ec2: Client, eni_id: str) -> Eni:
    """As find_interface. Raises NotFound where EC2 tells of none."""
    eni = find_interface(ec2, eni_id)
    if eni is None:
        raise NotFound(f"correct parameter 'eni_id': EC2 knows no ENI {eni_id} in this region and account")
    return eni


def describe_subnet(ec2: Client, subnet_id: str) -> list[IpNetwork]:
    """The CIDR blocks of a subnet, the IPv4 one first. Raises as Client.call, and NotFound where there is none."""
    filters = [{"Name": "subnet-id", "Values": [subnet_id]}]
    found = ec2.paginate("describe_subnets", "Subnets", Filters=filters)
    if not found:
        raise NotFound(f"EC2 knows no subnet {subnet_id}")
    blocks = [found[0]["CidrBlock"]] if found[0].get("CidrBlock") else []
    for association in found[0].get("Ipv6CidrBlockAssociationSet", []):
        if association.get("Ipv6CidrBlockState", {}).get("State") not in _GONE:
            blocks.append(association["Ipv6CidrBlock"])
    return [IpNetwork.parse(block) for block in blocks]


def is_running(ec2: Client, instance_id: str) -> bool | None:
    """Whether an instance runs, or is about to; None where EC2 does not tell of it. Raises as Client.call."""
    filters = [{"Name": "instance-id", "Values": [instance_id]}]
    for reservation in ec2.paginate("describe_instances", "Reservations", Filters=filters):
        for instance in reservation["Instances"]:
            return bool(instance["State"]["Name"] in ("pending", "running"))
    return None


def attach(ec2: Client, eni_id: str, instance_id: str, index: int, **more: Any) -> str:
    """Ask for the attachment and return its id. Raises as Client.call."""
    answer = ec2.call(
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


def detach(ec2: Client, attachment_id: str, **more: Any) -> None:
    """Ask for the end of an attachment. Raises as Client.call."""
    ec2.call("detach_network_interface", retry=False, AttachmentId=attachment_id, **more)


def prepare_detach(ec2: Client, eni_id: str, instance_id: str, recorded: str, log: Log) -> Callable[[], None]:
    """Find the attachment of the ENI to this instance, and return the function that ends it, which raises as Client.call.

    recorded: id of the attachment that start recorded, empty without one; it counts where EC2 does not tell.
    Raises Failure where neither tells.
    """
    attachment_id = recorded
    try:
        eni = require_interface(ec2, eni_id)
        attachment_id = str(eni.attachment_id) if eni.is_held_by(instance_id) else ""
    except Failure:
        if not recorded:
            raise

    def act() -> None:
        if not attachment_id:
            return
        try:
            detach(ec2, attachment_id)
        except Rejected as error:
            # It has gone by itself, or with another one's detach.
            if "NotFound" not in error.code:
                raise
        log.info(f"{eni_id} is being detached")

    return act


def keep_on_termination(ec2: Client, eni: Eni, log: Log) -> None:
    """See to it that the ENI outlives the instance that it is attached to, or warn."""
    if not eni.delete_on_termination:
        return
    change = {"AttachmentId": eni.attachment_id, "DeleteOnTermination": False}
    try:
        ec2.call("modify_network_interface_attribute", NetworkInterfaceId=eni.id, Attachment=change)
        log.info(f"{eni.id} stays when {eni.holder} is terminated (DeleteOnTermination is off)")
    except Failure as error:
        log.warning(f"terminating {eni.holder} will delete {eni.id} and its addresses: {error.full_text}")
