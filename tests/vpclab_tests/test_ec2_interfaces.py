"""The lab's EC2 attaches, detaches and describes ENIs as AWS does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from vpclab.ec2 import Ec2
from vpclab.plan import BuiltVpc


def error_of(call: Any, **parameters: Any) -> str:
    """The error code of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def operator(ec2: Ec2) -> Any:
    """The operator's client."""
    return ec2.operator()


@pytest.fixture
def eni(operator: Any, vpc: BuiltVpc) -> str:
    """A free ENI in subnet a."""
    created = operator.create_network_interface(SubnetId=vpc.subnets["a"], PrivateIpAddress="10.0.1.50")
    return str(created["NetworkInterface"]["NetworkInterfaceId"])


def describe(operator: Any, eni: str) -> dict[str, Any]:
    """What EC2 says of an ENI."""
    answer = operator.describe_network_interfaces(NetworkInterfaceIds=[eni])
    return dict(answer["NetworkInterfaces"][0])


def attachment_state(operator: Any, eni: str) -> str:
    """The state of an ENI's attachment, or `available`."""
    described = describe(operator, eni)
    return str(described.get("Attachment", described)["Status"])


def wait_for(condition: Callable[[], bool], changed: threading.Event) -> None:
    """Wait until something is so, looking again at every change."""
    deadline = time.monotonic() + 5
    while not condition():
        assert changed.wait(deadline - time.monotonic()), "it never came to that"
        changed.clear()


def test_attaching_and_detaching_pass_through_their_states(
    ec2: Ec2, operator: Any, eni: str, hosts: dict[str, str]
) -> None:
    changed = threading.Event()
    ec2.on_change = changed.set
    ec2.times.attach = ec2.times.detach = 0.2
    attachment = operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=hosts["node1"], DeviceIndex=1)
    assert attachment_state(operator, eni) == "attaching"
    assert [each.instance_id for each in ec2.vpc().enis if each.id == eni] == [None]
    wait_for(lambda: attachment_state(operator, eni) == "attached", changed)
    assert [each.instance_id for each in ec2.vpc().enis if each.id == eni] == [hosts["node1"]]
    operator.detach_network_interface(AttachmentId=attachment["AttachmentId"])
    assert attachment_state(operator, eni) == "detaching"
    assert [each.instance_id for each in ec2.vpc().enis if each.id == eni] == [None]
    wait_for(lambda: attachment_state(operator, eni) == "available", changed)
    assert "Attachment" not in describe(operator, eni)


def test_without_delays_the_answer_comes_after_the_fact(
    ec2: Ec2, operator: Any, eni: str, hosts: dict[str, str]
) -> None:
    seen: list[str | None] = []
    ec2.on_change = lambda: seen.extend(each.instance_id for each in ec2.vpc().enis if each.id == eni)
    operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=hosts["node1"], DeviceIndex=1)
    assert seen == [hosts["node1"]]


def test_describe_instances_tells_of_the_attachment_too(operator: Any, eni: str, hosts: dict[str, str]) -> None:
    operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=hosts["node1"], DeviceIndex=1)
    (reservation,) = operator.describe_instances(InstanceIds=[hosts["node1"]])["Reservations"]
    (instance,) = reservation["Instances"]
    attachments = {e["NetworkInterfaceId"]: e["Attachment"] for e in instance["NetworkInterfaces"]}
    assert instance["InstanceId"] == hosts["node1"]
    assert attachments[eni]["DeviceIndex"] == 1 and attachments[eni]["DeleteOnTermination"] is False


def test_an_eni_in_use_is_not_attached_or_deleted(operator: Any, eni: str, neighbours: dict[str, str]) -> None:
    operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=neighbours["node1"], DeviceIndex=1)
    wanted = {"NetworkInterfaceId": eni, "InstanceId": neighbours["node2"], "DeviceIndex": 1}
    assert error_of(operator.attach_network_interface, **wanted) == "InvalidNetworkInterface.InUse"
    assert error_of(operator.delete_network_interface, NetworkInterfaceId=eni) == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"InstanceId": "node2"}, "InvalidParameterCombination"),
        ({"DeviceIndex": 0}, "InvalidParameterValue"),
        ({"InstanceId": "i-00000000000000000"}, "InvalidInstanceID.NotFound"),
        ({"InstanceId": "banana"}, "InvalidInstanceID.Malformed"),
        ({"NetworkInterfaceId": "eni-00000000000000000"}, "InvalidNetworkInterfaceID.NotFound"),
    ],
)
def test_an_impossible_attachment_is_refused(
    operator: Any, eni: str, hosts: dict[str, str], changed: dict[str, Any], code: str
) -> None:
    changed = {name: hosts.get(value, value) for name, value in changed.items()}
    wanted = {"NetworkInterfaceId": eni, "InstanceId": hosts["node1"], "DeviceIndex": 1}
    assert error_of(operator.attach_network_interface, **{**wanted, **changed}) == code


def test_an_instance_takes_as_many_enis_as_its_type_allows(operator: Any, vpc: BuiltVpc, hosts: dict[str, str]) -> None:
    for index in (1, 2, 3):
        created = operator.create_network_interface(SubnetId=vpc.subnets["a"])["NetworkInterface"]
        wanted = {
            "NetworkInterfaceId": created["NetworkInterfaceId"],
            "InstanceId": hosts["node1"],
            "DeviceIndex": index,
        }
        if index < 3:
            operator.attach_network_interface(**wanted)
    # An m5.large takes three, and its primary one counts.
    assert error_of(operator.attach_network_interface, **wanted) == "AttachmentLimitExceeded"


def test_each_network_card_takes_as_many_enis_as_the_type_allows(
    operator: Any, vpc: BuiltVpc, hosts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [{"NetworkCardIndex": card, "MaximumNetworkInterfaces": 1} for card in (0, 1)]
    monkeypatch.setitem(INSTANCE_TYPES["m5.large"]["NetworkInfo"], "NetworkCards", cards)
    created = operator.create_network_interface(SubnetId=vpc.subnets["a"])["NetworkInterface"]["NetworkInterfaceId"]
    wanted = {"NetworkInterfaceId": created, "InstanceId": hosts["node1"], "DeviceIndex": 1}
    assert error_of(operator.attach_network_interface, **wanted) == "AttachmentLimitExceeded"
    operator.attach_network_interface(**wanted, NetworkCardIndex=1)
    assert describe(operator, created)["Attachment"]["NetworkCardIndex"] == 1
    instance = operator.describe_instances(InstanceIds=[hosts["node1"]])["Reservations"][0]["Instances"][0]
    found = {each["NetworkInterfaceId"]: each["Attachment"] for each in instance["NetworkInterfaces"]}
    assert found[created]["NetworkCardIndex"] == 1


def test_the_primary_eni_and_a_services_eni_are_not_detached(
    ec2: Ec2, operator: Any, eni: str, hosts: dict[str, str]
) -> None:
    primary = next(each.id for each in ec2.vpc().enis if each.instance_id == hosts["node1"])
    attachment = describe(operator, primary)["Attachment"]["AttachmentId"]
    assert error_of(operator.detach_network_interface, AttachmentId=attachment) == "OperationNotPermitted"
    wanted = {"NetworkInterfaceId": eni, "InstanceId": hosts["node1"], "DeviceIndex": 1}
    with ec2.view() as backend:
        backend.enis[eni].requester_managed = True
    assert error_of(operator.attach_network_interface, **wanted) == "OperationNotPermitted"


def test_an_attachment_that_is_gone_is_not_found(operator: Any, eni: str, hosts: dict[str, str]) -> None:
    wanted = {"NetworkInterfaceId": eni, "InstanceId": hosts["node1"], "DeviceIndex": 1}
    attachment = operator.attach_network_interface(**wanted)["AttachmentId"]
    operator.detach_network_interface(AttachmentId=attachment)
    assert error_of(operator.detach_network_interface, AttachmentId=attachment) == "InvalidAttachmentID.NotFound"
    malformed = error_of(operator.detach_network_interface, AttachmentId="banana")
    assert malformed == "InvalidNetworkInterfaceAttachmentId.Malformed"


def test_a_stuck_eni_stays_until_it_is_forced(ec2: Ec2, operator: Any, eni: str, hosts: dict[str, str]) -> None:
    wanted = {"NetworkInterfaceId": eni, "InstanceId": hosts["node1"], "DeviceIndex": 1}
    attachment = operator.attach_network_interface(**wanted)["AttachmentId"]
    ec2.stuck.add(eni)
    operator.detach_network_interface(AttachmentId=attachment)
    assert attachment_state(operator, eni) == "detaching"
    assert [each.instance_id for each in ec2.vpc().enis if each.id == eni] == [hosts["node1"]]
    operator.detach_network_interface(AttachmentId=attachment, Force=True)
    assert attachment_state(operator, eni) == "available"


def test_a_stopped_instance_gives_its_eni_away(ec2: Ec2, operator: Any, eni: str, neighbours: dict[str, str]) -> None:
    changed = threading.Event()
    ec2.on_change = changed.set
    ec2.times.stop = 0
    wanted = {"NetworkInterfaceId": eni, "DeviceIndex": 1}
    attachment = operator.attach_network_interface(**wanted, InstanceId=neighbours["node1"])["AttachmentId"]
    operator.stop_instances(InstanceIds=[neighbours["node1"]])
    stopped = [{"Name": "instance-state-name", "Values": ["stopped"]}]
    wait_for(lambda: bool(operator.describe_instances(Filters=stopped)["Reservations"]), changed)
    operator.detach_network_interface(AttachmentId=attachment, Force=True)
    operator.attach_network_interface(**wanted, InstanceId=neighbours["node2"])
    assert describe(operator, eni)["Attachment"]["InstanceId"] == neighbours["node2"]


def test_one_attribute_is_modified_at_a_time(operator: Any, eni: str, hosts: dict[str, str]) -> None:
    modify = operator.modify_network_interface_attribute
    modify(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    assert describe(operator, eni)["SourceDestCheck"] is False
    two = {"SourceDestCheck": {"Value": True}, "Description": {"Value": "x"}}
    assert error_of(modify, NetworkInterfaceId=eni, **two) == "InvalidParameterCombination"
    wanted = {"NetworkInterfaceId": eni, "InstanceId": hosts["node1"], "DeviceIndex": 1}
    attachment = operator.attach_network_interface(**wanted)["AttachmentId"]
    modify(NetworkInterfaceId=eni, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    assert describe(operator, eni)["Attachment"]["DeleteOnTermination"] is True


def test_the_instances_source_dest_check_is_that_of_its_only_eni(
    ec2: Ec2, operator: Any, eni: str, hosts: dict[str, str]
) -> None:
    wanted = {"InstanceId": hosts["node1"], "SourceDestCheck": {"Value": False}}
    operator.modify_instance_attribute(**wanted)
    assert [e.source_dest_check for e in ec2.vpc().enis if e.instance_id == hosts["node1"]] == [False]
    operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=hosts["node1"], DeviceIndex=1)
    assert error_of(operator.modify_instance_attribute, **wanted) == "InvalidInstanceID"


@pytest.mark.parametrize("address", ["10.0.2.50", "10.0.1.1", "10.0.1.255", "10.0.1.11"])
def test_foreign_reserved_and_taken_addresses_are_refused(
    operator: Any, vpc: BuiltVpc, hosts: dict[str, str], address: str
) -> None:
    wanted = {"SubnetId": vpc.subnets["a"], "PrivateIpAddress": address}
    code = "InvalidIPAddress.InUse" if address == "10.0.1.11" else "InvalidParameterValue"
    assert error_of(operator.create_network_interface, **wanted) == code


def test_an_eni_is_made_with_the_addresses_and_prefixes_wanted(ec2: Ec2, operator: Any, vpc: BuiltVpc) -> None:
    created = operator.create_network_interface(
        SubnetId=vpc.subnets["a"],
        PrivateIpAddresses=[
            {"PrivateIpAddress": "10.0.1.61", "Primary": False},
            {"PrivateIpAddress": "10.0.1.60", "Primary": True},
        ],
        Ipv6Addresses=[{"Ipv6Address": "2001:db8:100:1::60"}],
        Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.224/28"}],
        Ipv6Prefixes=[{"Ipv6Prefix": "2001:db8:100:1:1::/80"}],
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "Name", "Value": "vip"}]}],
    )["NetworkInterface"]
    assert created["PrivateIpAddress"] == "10.0.1.60"
    assert [a["PrivateIpAddress"] for a in created["PrivateIpAddresses"]] == ["10.0.1.60", "10.0.1.61"]
    (value,) = ec2.vpc().enis
    assert value.addresses == ("10.0.1.60", "10.0.1.61", "2001:db8:100:1::60")
    assert value.prefixes == ("10.0.1.224/28", "2001:db8:100:1:1::/80")
    described = describe(operator, value.id)
    assert [each["Ipv4Prefix"] for each in described["Ipv4Prefixes"]] == ["10.0.1.224/28"]
    filters = [{"Name": "tag:Name", "Values": ["vip"]}]
    found = operator.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert [each["NetworkInterfaceId"] for each in found] == [created["NetworkInterfaceId"]]


def test_enis_are_found_by_their_attachment(operator: Any, eni: str, hosts: dict[str, str]) -> None:
    operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=hosts["node1"], DeviceIndex=1)
    mac = describe(operator, eni)["MacAddress"]

    def found(**filters: str) -> list[str]:
        conditions = [{"Name": n.replace("_", "-"), "Values": [v]} for n, v in filters.items()]
        answer = operator.describe_network_interfaces(Filters=conditions)
        return [each["NetworkInterfaceId"] for each in answer["NetworkInterfaces"]]

    assert found(**{"attachment.instance-id": hosts["node1"], "mac_address": mac}) == [eni]
    assert found(status="available") == []
    assert error_of(found, banana="x") == "UnsupportedOperation"
