"""Moving an ENI by the real boto3 and an emulated EC2: who is asked for what, what is refused, and what faults do."""

from __future__ import annotations

import io
from threading import Timer
from typing import Any

import pytest

from ocf_aws.aws import attach_requirements as requirements
from ocf_aws.aws import attachment as attachment_module
from ocf_aws.aws import network_interfaces as enis
from ocf_aws.aws.attachment import Attachment
from ocf_aws.aws.client import Client
from ocf_aws.aws.errors import AccessDenied, Rejected
from ocf_aws.aws.imds import Imds
from ocf_aws.aws.network_interfaces import Eni
from ocf_aws.aws.session import Access, make_client
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import REASON_LENGTH, HardError, SoftError
from ocf_aws.ocf.log import Log
from vpclab.ec2 import Ec2, effects
from vpclab.plan import BuiltVpc

ADDRESSES = ["10.0.1.50", "10.0.1.51", "10.0.1.52"]
IPV6 = "2001:db8:100:1::50"
PREFIX = "10.0.1.64/28"


class Scene:
    """An ENI in the subnet of two instances, and what node1's agent can do about it."""

    def __init__(self, ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], monkeypatch: pytest.MonkeyPatch):
        self.ec2 = ec2
        self.here, self.there = hosts["node1"], hosts["node2"]
        credentials = ec2.credentials(self.here)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials["SecretAccessKey"])
        monkeypatch.setenv("AWS_SESSION_TOKEN", credentials["Token"])
        self.operator = ec2.operator()
        self.id = self.operator.create_network_interface(
            SubnetId=vpc.subnets["a"],
            PrivateIpAddresses=[{"PrivateIpAddress": a, "Primary": a == ADDRESSES[0]} for a in ADDRESSES],
            Ipv6Addresses=[{"Ipv6Address": IPV6}],
            Ipv4Prefixes=[{"Ipv4Prefix": PREFIX}],
        )["NetworkInterface"]["NetworkInterfaceId"]
        self.said = io.StringIO()
        self.client = self.open_client(Deadline.of_action(20))
        ec2.calls.clear()

    def open_client(self, deadline: Deadline) -> Client:
        access = Access(self.ec2.region, None, self.ec2.endpoint, None, "test")
        imds = Imds({}, deadline)
        log = Log("aws-eni-move", "eni", {}, self.said)
        return Client(lambda: make_client("ec2", access, imds, deadline), deadline, 2, log)

    def attach(self, instance_id: str, index: int = 1) -> str:
        answer = self.operator.attach_network_interface(
            NetworkInterfaceId=self.id, InstanceId=instance_id, DeviceIndex=index
        )
        return str(answer["AttachmentId"])

    def describe(self) -> Eni:
        return enis.require_interface(self.client, self.id)

    def attachment(self, force: str = "if-down", index: int | None = None, used: set[int] | None = None) -> Attachment:
        log = Log("aws-eni-move", "eni", {}, self.said)
        return Attachment(self.client, self.describe(), self.here, force, index, {0} if used is None else used, log)

    def bring(self, seconds: float = 10, **how: Any) -> Eni:
        """A whole move, as start makes one once the link is there."""
        deadline = Deadline.of_action(60).within(seconds)
        attachment = self.attachment(**how)
        attachment.attach(deadline)
        attachment.wait_attached(deadline)
        return attachment.eni

    def calls(self, action: str) -> int:
        return len(self.ec2.calls.named(action))


@pytest.fixture
def scene(ec2: Ec2, vpc: BuiltVpc, neighbours: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(ec2, vpc, neighbours, monkeypatch)


# --- what EC2 tells ---------------------------------------------------------------------------------------------------


def test_an_eni_is_told_with_all_its_addresses_the_primary_one_first(scene: Scene) -> None:
    eni = scene.describe()
    assert [str(ip) for ip in eni.addresses] == [*ADDRESSES, IPV6]
    assert [str(prefix) for prefix in eni.prefixes] == [PREFIX]
    assert eni.zone == "eu-central-1a" and eni.attachment_text == "attached to no instance"
    assert eni.unmovable_reason is None


def test_an_eni_that_does_not_exist_is_a_hard_error_that_names_it(scene: Scene) -> None:
    with pytest.raises(HardError, match="eni_id.*eni-0123456789abcdef0"):
        enis.require_interface(scene.client, "eni-0123456789abcdef0")


def test_a_subnet_is_told_with_its_blocks(scene: Scene) -> None:
    blocks = enis.describe_subnet(scene.client, scene.describe().subnet_id)
    assert [str(block) for block in blocks] == ["10.0.1.0/24", "2001:db8:100:1::/64"]


def test_the_limit_of_an_instance_type_is_told_unless_it_may_not_be_known(scene: Scene) -> None:
    assert requirements.max_interfaces(scene.client, "m5.large") == 3
    scene.ec2.allow(scene.here, {"Version": "2012-10-17", "Statement": []})
    assert requirements.max_interfaces(scene.client, "m5.large") is None


def test_a_primary_eni_can_never_be_moved(scene: Scene) -> None:
    primary = enis.describe_interfaces(scene.client, "attachment.instance-id", scene.there)[0]
    assert "primary ENI" in str(primary.unmovable_reason)


# --- a move -----------------------------------------------------------------------------------------------------------


def test_a_free_eni_is_attached_with_the_lowest_free_index_and_an_explicit_card(scene: Scene) -> None:
    eni = scene.bring(used={0, 1})
    assert eni.holder == scene.here and eni.device_index == 2
    assert scene.ec2.calls.named("AttachNetworkInterface")[0].parameters["NetworkCardIndex"] == 0
    assert not scene.calls("DetachNetworkInterface")


def test_an_eni_that_is_here_is_left_alone_after_one_look(scene: Scene) -> None:
    scene.attach(scene.here)
    scene.ec2.calls.clear()
    assert scene.bring().holder == scene.here
    assert [call.action for call in scene.ec2.calls] == ["DescribeNetworkInterfaces"]


def test_an_eni_that_another_instance_has_is_taken_gracefully(scene: Scene) -> None:
    scene.attach(scene.there)
    scene.ec2.times.detach = scene.ec2.times.attach = 0.3
    assert scene.bring().holder == scene.here
    assert [call.parameters.get("Force") for call in scene.ec2.calls.named("DetachNetworkInterface")] == [None]


def test_an_eni_that_its_holder_lets_go_is_only_waited_for(scene: Scene) -> None:
    scene.ec2.times.detach = 0.5
    scene.operator.detach_network_interface(AttachmentId=scene.attach(scene.there))
    assert scene.bring().holder == scene.here
    assert not scene.calls("DetachNetworkInterface") and not scene.calls("DescribeInstances")


def test_the_next_index_is_taken_where_imds_did_not_know_that_one_is_used(scene: Scene) -> None:
    subnet = scene.describe().subnet_id
    other = scene.operator.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    scene.operator.attach_network_interface(NetworkInterfaceId=other, InstanceId=scene.here, DeviceIndex=1)
    assert scene.bring(used={0}).device_index == 2


def test_an_index_that_is_given_and_used_is_refused(scene: Scene) -> None:
    with pytest.raises(Rejected, match="parameter 'device_index': i-.* has another ENI at 0"):
        scene.bring(index=0)
    assert scene.bring(index=2).device_index == 2


def test_an_instance_that_is_full_is_refused_in_ec2s_words(scene: Scene) -> None:
    subnet = scene.describe().subnet_id
    for index in (1, 2):
        other = scene.operator.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        scene.operator.attach_network_interface(NetworkInterfaceId=other, InstanceId=scene.here, DeviceIndex=index)
    with pytest.raises(Rejected, match="AttachmentLimitExceeded"):
        scene.bring(used={0, 1, 2})


def test_terminating_the_holder_spares_an_eni_that_is_to_be_kept(scene: Scene) -> None:
    eni = scene.bring()
    change = {"AttachmentId": eni.attachment_id, "DeleteOnTermination": True}
    scene.operator.modify_network_interface_attribute(NetworkInterfaceId=scene.id, Attachment=change)
    assert scene.describe().delete_on_termination
    enis.keep_on_termination(scene.client, scene.describe(), Log("aws-eni-move", "eni", {}, scene.said))
    assert not scene.describe().delete_on_termination


# --- force ------------------------------------------------------------------------------------------------------------


def forced(scene: Scene) -> list[bool]:
    return [bool(call.parameters.get("Force")) for call in scene.ec2.calls.named("DetachNetworkInterface")]


def test_a_stuck_eni_of_a_holder_that_is_down_is_detached_by_force(scene: Scene) -> None:
    scene.attach(scene.there)
    scene.ec2.stuck.add(scene.id)
    scene.ec2.times.stop = 0
    scene.operator.stop_instances(InstanceIds=[scene.there])
    assert scene.bring().holder == scene.here
    assert forced(scene) == [False, True]


def test_a_stuck_eni_of_a_holder_that_runs_is_never_forced_but_explained(scene: Scene) -> None:
    scene.attach(scene.there)
    scene.ec2.stuck.add(scene.id)
    with pytest.raises(SoftError) as failure:
        scene.bring(seconds=3)
    told = str(failure.value)
    assert told == f"fence {scene.there} or set force_detach=after: {scene.id} is still detaching from it"
    assert len(told) <= REASON_LENGTH
    assert forced(scene) == [False]


def test_a_stuck_eni_is_forced_after_half_of_the_time_where_that_is_wanted(scene: Scene) -> None:
    scene.attach(scene.there)
    scene.ec2.stuck.add(scene.id)
    assert scene.bring(seconds=4, force="after").holder == scene.here
    assert forced(scene) == [False, True]


def test_nothing_is_forced_where_it_is_not_wanted(scene: Scene) -> None:
    scene.attach(scene.there)
    scene.ec2.stuck.add(scene.id)
    scene.operator.stop_instances(InstanceIds=[scene.there])
    with pytest.raises(SoftError):
        scene.bring(seconds=4, force="never")
    assert forced(scene) == [False]


def test_without_the_right_to_know_who_runs_it_is_asked_once(scene: Scene) -> None:
    scene.attach(scene.there)
    scene.ec2.stuck.add(scene.id)
    scene.ec2.faults.add("DescribeInstances", effect=effects.Error("UnauthorizedOperation", 403))
    with pytest.raises(AccessDenied, match="allow ec2:DescribeInstances"):
        scene.bring(seconds=4)
    assert scene.calls("DescribeInstances") == 1 and "not known whether" in scene.said.getvalue()


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["AttachNetworkInterface", "DetachNetworkInterface"])
def test_a_lost_answer_is_followed_by_a_look_and_never_by_a_second_write(scene: Scene, action: str) -> None:
    scene.attach(scene.there)
    scene.ec2.faults.add(action, effect=effects.LostAnswer(), times=1)
    assert scene.bring().holder == scene.here
    assert scene.calls("AttachNetworkInterface") == scene.calls("DetachNetworkInterface") == 1


BROKEN: dict[str, effects.Effect] = {
    "reset": effects.Reset(),
    "garbage": effects.Garbage(),
    "throttled": effects.Error("RequestLimitExceeded", 503),
}
REFUSED: dict[str, effects.Effect] = {"incorrect state": effects.Error("IncorrectState", 400)}
ONCE = [
    *((action, {**BROKEN, **REFUSED}) for action in ("AttachNetworkInterface", "DetachNetworkInterface")),
    ("DescribeNetworkInterfaces", BROKEN),
]


@pytest.mark.parametrize("action, name", [(action, name) for action, faults in ONCE for name in faults])
def test_a_call_that_fails_once_is_made_again(scene: Scene, action: str, name: str) -> None:
    scene.attach(scene.there)
    attachment = scene.attachment()
    scene.ec2.faults.add(action, effect={**BROKEN, **REFUSED}[name], times=1)
    attachment.attach(Deadline.of_action(10))
    assert scene.describe().is_held_by(scene.here)


def test_reads_that_lag_do_not_lead_to_second_writes(scene: Scene) -> None:
    scene.attach(scene.there)
    attachment = scene.attachment()
    scene.ec2.faults.add("DescribeNetworkInterfaces", effect=effects.Stale(1))
    attachment.attach(Deadline.of_action(10))
    assert scene.calls("DetachNetworkInterface") == 1


def test_an_api_that_is_dead_is_a_soft_error_within_the_deadline(scene: Scene) -> None:
    attachment = scene.attachment()
    scene.ec2.faults.add(effect=effects.Reset())
    with pytest.raises(SoftError, match="in time"):
        attachment.attach(Deadline.of_action(2.5))


def test_a_right_that_is_missing_is_named(scene: Scene) -> None:
    scene.attach(scene.there)
    statement = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}
    scene.ec2.allow(scene.here, {"Version": "2012-10-17", "Statement": [statement]})
    with pytest.raises(AccessDenied, match="allow ec2:DetachNetworkInterface"):
        scene.bring()
    with pytest.raises(AccessDenied, match="allow ec2:AttachNetworkInterface"):
        requirements.check_attach_permission(scene.client, scene.id, scene.here, 1)
    assert scene.describe().holder == scene.there


def test_asking_for_the_right_changes_nothing_and_looks_at_the_right_alone(scene: Scene) -> None:
    scene.attach(scene.there)
    requirements.check_attach_permission(scene.client, scene.id, scene.here, 1)
    assert scene.describe().holder == scene.there


def test_an_eni_that_is_taken_away_again_is_not_fought_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachment_module, "_STALE_SECONDS", 0.2)
    scene.ec2.times.attach = 60
    attachment = scene.attachment()
    attachment_id = attachment.attach(Deadline.of_action(20))
    Timer(0.5, scene.operator.detach_network_interface, kwargs={"AttachmentId": attachment_id}).start()
    with pytest.raises(SoftError, match="accepted to attach.*but it is"):
        attachment.wait_attached(Deadline.of_action(10))
    assert not scene.calls("DetachNetworkInterface")
