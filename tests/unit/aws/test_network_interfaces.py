"""ENIs in EC2's words: what one is, whether it may be moved, and the calls that change it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from ocf_aws.aws import network_interfaces as n
from ocf_aws.aws.errors import AccessDenied, NotFound
from ocf_aws.aws.network_interfaces import Eni
from ocf_aws.ocf.errors import Unknown
from ocf_aws.ocf.log import Log
from unit.fakes.ec2 import FakeEc2, refusal

PLAIN = {
    "NetworkInterfaceId": "eni-1",
    "MacAddress": "02:00:00:00:00:AA",
    "AvailabilityZone": "eu-central-1a",
    "SubnetId": "subnet-1",
    "VpcId": "vpc-1",
}
ATTACHMENT = {"AttachmentId": "a-1", "Status": "attached", "InstanceId": "i-1", "DeviceIndex": 1}


def test_an_eni_is_told_with_all_its_addresses_the_primary_one_first() -> None:
    eni = Eni.from_answer(
        {
            **PLAIN,
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.1.51", "Primary": False},
                {"PrivateIpAddress": "10.0.1.50", "Primary": True},
            ],
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8::50"}],
            "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.64/28"}],
            "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:0:0:1::/80"}],
        }
    )
    assert [str(ip) for ip in eni.addresses] == ["10.0.1.50", "10.0.1.51", "2001:db8::50"]
    assert [str(prefix) for prefix in eni.prefixes] == ["10.0.1.64/28", "2001:db8:0:0:1::/80"]
    assert eni.mac == "02:00:00:00:00:aa" and eni.zone == "eu-central-1a"


def test_a_free_eni_is_told_as_such() -> None:
    eni = Eni.from_answer(PLAIN)
    assert eni.attachment_text == "attached to no instance" and eni.unmovable_reason is None
    assert (eni.holder, eni.attachment_id, eni.device_index) == (None, None, None)
    assert not eni.is_held_by("i-1") and not eni.delete_on_termination


@pytest.mark.parametrize(
    "status, is_held, words",
    [
        ("attaching", True, "attaching to i-1"),
        ("attached", True, "attached to i-1"),
        ("detaching", False, "detaching from i-1"),
    ],
)
def test_who_has_an_eni_is_told_in_words(status: str, is_held: bool, words: str) -> None:
    eni = Eni.from_answer({**PLAIN, "Attachment": {**ATTACHMENT, "Status": status}})
    assert (eni.is_held_by("i-1"), eni.attachment_text) == (is_held, words)
    assert not eni.is_held_by("i-2")
    assert eni.network_card_index == 0
    assert Eni.from_answer({**PLAIN, "Attachment": {**ATTACHMENT, "NetworkCardIndex": 1}}).network_card_index == 1


@pytest.mark.parametrize(
    "told, words",
    [
        ({"RequesterManaged": True}, "AWS service"),
        ({"Operator": {"Managed": True, "Principal": "x"}}, "AWS service"),
        ({"InterfaceType": "nat_gateway"}, "nat_gateway"),
        ({"Attachment": {"AttachmentId": "ela-attach-1", "Status": "attached"}}, "other than an instance"),
        ({"Attachment": {**ATTACHMENT, "DeviceIndex": 0}}, "primary ENI of i-1"),
    ],
)
def test_what_is_no_plain_eni_can_never_be_moved(told: dict[str, Any], words: str) -> None:
    assert words in str(Eni.from_answer({**PLAIN, **told}).unmovable_reason)


@pytest.mark.parametrize("broken", [{}, {"MacAddress": None}, {"PrivateIpAddresses": [{"PrivateIpAddress": "banana"}]}])
def test_nonsense_about_an_eni_is_unknown(broken: dict[str, Any]) -> None:
    with pytest.raises(Unknown, match="nonsense about an ENI"):
        Eni.from_answer({**PLAIN, **broken} if broken else {})


def test_an_eni_is_found_by_its_id_and_required_by_name(ec2: FakeEc2) -> None:
    ec2.add_interface("eni-1")
    found = n.find_interface(ec2, "eni-1")
    assert found is not None and n.require_interface(ec2, "eni-1") == found
    assert n.find_interface(ec2, "eni-2") is None
    with pytest.raises(NotFound, match="parameter 'eni_id': EC2 knows no ENI eni-2"):
        n.require_interface(ec2, "eni-2")


def test_an_eni_that_is_known_to_be_there_and_is_not_told_of_is_unknown(ec2: FakeEc2) -> None:
    ec2.add_interface("eni-1")
    assert n.reread_interface(ec2, "eni-1") == n.find_interface(ec2, "eni-1")
    with pytest.raises(Unknown, match="EC2 tells nothing of eni-2 at the moment"):
        n.reread_interface(ec2, "eni-2")


def test_the_enis_of_an_instance_are_found(ec2: FakeEc2) -> None:
    for eni_id, holder in (("eni-1", "i-1"), ("eni-2", "i-2"), ("eni-3", "i-1")):
        ec2.add_interface(eni_id)
        ec2.hold(eni_id, holder)
    assert [eni.id for eni in n.describe_interfaces(ec2, "attachment.instance-id", "i-1")] == ["eni-1", "eni-3"]


def test_a_subnet_is_told_with_its_blocks_but_not_those_that_are_gone(ec2: FakeEc2) -> None:
    ec2.subnets["subnet-1"] = {
        "CidrBlock": "10.0.1.0/24",
        "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": "2001:db8:9::/64", "Ipv6CidrBlockState": {"State": "disassociated"}},
            {"Ipv6CidrBlock": "2001:db8::/64", "Ipv6CidrBlockState": {"State": "associated"}},
        ],
    }
    ec2.subnets["subnet-6"] = {**ec2.subnets["subnet-1"], "CidrBlock": ""}
    assert [str(block) for block in n.describe_subnet(ec2, "subnet-1")] == ["10.0.1.0/24", "2001:db8::/64"]
    assert [str(block) for block in n.describe_subnet(ec2, "subnet-6")] == ["2001:db8::/64"]
    with pytest.raises(NotFound, match="subnet-2"):
        n.describe_subnet(ec2, "subnet-2")


@pytest.mark.parametrize(
    "state, runs",
    [("pending", True), ("running", True), ("shutting-down", False), ("stopped", False), ("terminated", False)],
)
def test_it_is_told_whether_an_instance_runs(ec2: FakeEc2, state: str, runs: bool) -> None:
    ec2.instances["i-1"] = state
    assert n.is_running(ec2, "i-1") is runs


def test_an_instance_that_ec2_does_not_tell_of_is_not_known_to_be_down(ec2: FakeEc2) -> None:
    assert n.is_running(ec2, "i-1") is None


def test_an_attachment_is_asked_for_on_the_first_network_card(ec2: FakeEc2) -> None:
    ec2.add_interface("eni-1")
    attachment_id = n.attach(ec2, "eni-1", "i-1", 2)
    assert ec2.holder("eni-1") == "i-1" and ec2.count("attach_network_interface", NetworkCardIndex=0) == 1
    n.detach(ec2, attachment_id)
    assert ec2.holder("eni-1") is None


def test_an_eni_can_be_made_to_outlive_its_holder(ec2: FakeEc2, log: Log, stderr: io.StringIO) -> None:
    ec2.add_interface("eni-1")
    ec2.hold("eni-1", "i-1")
    ec2.interfaces["eni-1"]["Attachment"]["DeleteOnTermination"] = True
    eni = n.require_interface(ec2, "eni-1")
    assert eni.delete_on_termination
    ec2.denied.add("modify_network_interface_attribute")
    n.keep_on_termination(ec2, eni, log)
    assert "WARNING: terminating i-1 will delete eni-1 and its addresses: allow ec2:Modify" in stderr.getvalue()
    ec2.denied.clear()
    n.keep_on_termination(ec2, eni, log)
    assert not n.require_interface(ec2, "eni-1").delete_on_termination
    assert "INFO: eni-1 stays when i-1 is terminated" in stderr.getvalue()
    n.keep_on_termination(ec2, n.require_interface(ec2, "eni-1"), log)
    assert ec2.count("modify_network_interface_attribute") == 2


# --- the detach of a stop ---------------------------------------------------------------------------------------------


@pytest.fixture
def held(ec2: FakeEc2) -> str:
    """The id of the attachment of eni-1 to this instance."""
    ec2.add_interface("eni-1")
    return ec2.hold("eni-1", "i-here")


def test_nothing_is_detached_before_it_is_told(ec2: FakeEc2, held: str, log: Log, stderr: io.StringIO) -> None:
    act = n.prepare_detach(ec2, "eni-1", "i-here", "", log)
    assert ec2.holder("eni-1") == "i-here"
    act()
    assert ec2.holder("eni-1") is None and "INFO: eni-1 is being detached" in stderr.getvalue()


def test_an_eni_that_another_instance_has_is_left_to_it(ec2: FakeEc2, held: str, log: Log) -> None:
    ec2.hold("eni-1", "i-there")
    n.prepare_detach(ec2, "eni-1", "i-here", held, log)()
    assert ec2.holder("eni-1") == "i-there" and not ec2.count("detach_network_interface")


def test_what_start_recorded_counts_where_ec2_does_not_tell(ec2: FakeEc2, held: str, log: Log) -> None:
    silence = refusal("describe_network_interfaces", "RequestLimitExceeded")
    ec2.fail("describe_network_interfaces", silence, silence)
    with pytest.raises(Unknown):
        n.prepare_detach(ec2, "eni-1", "i-here", "", log)
    n.prepare_detach(ec2, "eni-1", "i-here", held, log)()
    assert ec2.holder("eni-1") is None


def test_an_attachment_that_has_gone_meanwhile_is_no_failure(ec2: FakeEc2, held: str, log: Log) -> None:
    act = n.prepare_detach(ec2, "eni-1", "i-here", held, log)
    del ec2.interfaces["eni-1"]["Attachment"]
    act()


def test_a_missing_right_is_a_failure(ec2: FakeEc2, held: str, log: Log) -> None:
    ec2.denied.add("detach_network_interface")
    with pytest.raises(AccessDenied):
        n.prepare_detach(ec2, "eni-1", "i-here", held, log)()
