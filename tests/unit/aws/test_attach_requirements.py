"""Whether an ENI can be attached here: what is refused beforehand, and what stays unknown."""

from __future__ import annotations

import pytest

from ocf_aws.aws import attach_requirements as n
from ocf_aws.aws.attach_requirements import check_attachable
from ocf_aws.aws.errors import AccessDenied, Conflict, NotFound
from ocf_aws.aws.network_interfaces import detach
from ocf_aws.ocf.errors import HardError
from unit.fakes.ec2 import FakeEc2, refusal
from unit.fakes.imds import ToldImds

MACS = "meta-data/network/interfaces/macs/"
FACTS = {
    "meta-data/instance-id": "i-here",
    "meta-data/instance-type": "m5.large",
    "meta-data/placement/availability-zone": "eu-central-1a",
    MACS: "02:00:00:00:00:11/",
    f"{MACS}02:00:00:00:00:11/device-number": "0",
}
FULL = {
    **FACTS,
    MACS: "02:00:00:00:00:11/\n02:00:00:00:00:12/",
    f"{MACS}02:00:00:00:00:12/device-number": "1",
}
IMDS = ToldImds(FACTS)


@pytest.fixture
def free(ec2: FakeEc2) -> FakeEc2:
    """EC2 with a free ENI, and a type of instance that takes two."""
    ec2.types["m5.large"] = {"MaximumNetworkInterfaces": 2}
    ec2.add_interface("eni-1")
    return ec2


def test_an_eni_that_can_come_is_told_with_the_indexes_that_are_taken(free: FakeEc2) -> None:
    eni, used, permission = check_attachable(free, IMDS, "eni-1", None)
    assert (eni.id, used, permission.result()) == ("eni-1", {0}, None)
    assert free.count("attach_network_interface", DeviceIndex=1, DryRun=True) == 1
    check_attachable(free, IMDS, "eni-1", 7)[2].wait()
    assert free.count("attach_network_interface", DeviceIndex=7, DryRun=True) == 1
    assert free.holder("eni-1") is None


def test_an_eni_that_does_not_exist_is_named(free: FakeEc2) -> None:
    with pytest.raises(NotFound, match="EC2 knows no ENI eni-2"):
        check_attachable(free, IMDS, "eni-2", None)


def test_an_eni_of_another_kind_or_zone_is_refused(free: FakeEc2) -> None:
    free.interfaces["eni-1"]["AvailabilityZone"] = "eu-central-1b"
    with pytest.raises(HardError, match="eni-1 is in eu-central-1b, this node in eu-central-1a"):
        check_attachable(free, IMDS, "eni-1", None)
    free.hold("eni-1", "i-there", index=0)
    with pytest.raises(HardError, match="create an ENI for the service: eni-1 cannot be moved, it is the primary ENI"):
        check_attachable(free, IMDS, "eni-1", None)


def test_a_full_instance_is_refused_unless_it_has_the_eni_or_another_is_leaving(free: FakeEc2) -> None:
    for index, eni_id in enumerate(("eni-primary", "eni-other")):
        free.add_interface(eni_id)
        free.hold(eni_id, "i-here", index)
    assert check_attachable(free, IMDS, "eni-1", None)[1] == {0}  # IMDS shows a free place
    with pytest.raises(Conflict, match=r"detach an ENI from i-here: it has 2, its type allows 2 \(eni-1\)"):
        check_attachable(free, ToldImds(FULL), "eni-1", None)
    free.detach_seconds = 60
    detach(free, free.interfaces["eni-other"]["Attachment"]["AttachmentId"])
    assert check_attachable(free, ToldImds(FULL), "eni-1", None)[0].holder is None


def test_enis_on_other_network_cards_take_no_place(free: FakeEc2) -> None:
    for index, (eni_id, card) in enumerate((("eni-primary", 0), ("eni-data", 1), ("eni-more", 1))):
        free.add_interface(eni_id)
        free.hold(eni_id, "i-here", index, card)
    assert check_attachable(free, ToldImds(FULL), "eni-1", None)[0].holder is None
    free.add_interface("eni-other")
    free.hold("eni-other", "i-here", 3)
    with pytest.raises(Conflict, match=r"detach an ENI from i-here: it has 2, its type allows 2 \(eni-1\)"):
        check_attachable(free, ToldImds(FULL), "eni-1", None)


def test_a_missing_right_is_told_and_left_to_the_caller(free: FakeEc2) -> None:
    free.denied.add("attach_network_interface")
    _, _, permission = check_attachable(free, IMDS, "eni-1", None)
    with pytest.raises(AccessDenied):
        permission.result()


def test_without_imds_no_index_is_known_as_taken() -> None:
    assert n.used_indexes(ToldImds(None)) == set() and n.used_indexes(ToldImds(FULL)) == {0, 1}
    assert n.lowest_free_index("i-here", {0, 1, 3}) == 2


def test_the_limit_of_an_instance_type_is_that_of_its_first_network_card(ec2: FakeEc2) -> None:
    ec2.types["m5.large"] = {"MaximumNetworkInterfaces": 3}
    cards = [{"NetworkCardIndex": number, "MaximumNetworkInterfaces": 15 - number} for number in (1, 0)]
    ec2.types["p4d.24xlarge"] = {"MaximumNetworkInterfaces": 60, "NetworkCards": cards}
    assert n.max_interfaces(ec2, "m5.large") == 3
    assert n.max_interfaces(ec2, "p4d.24xlarge") == 15


def test_a_limit_that_cannot_be_learned_is_none(ec2: FakeEc2) -> None:
    assert n.max_interfaces(ec2, "x9.unheard") is None
    ec2.types["odd"] = {}
    assert n.max_interfaces(ec2, "odd") is None
    ec2.denied.add("describe_instance_types")
    assert n.max_interfaces(ec2, "odd") is None
    ec2.fail("describe_instance_types", refusal("describe_instance_types", "RequestLimitExceeded"))
    assert n.max_interfaces(ec2, "odd") is None


def test_asking_for_the_right_to_attach_changes_nothing(ec2: FakeEc2) -> None:
    ec2.add_interface("eni-1")
    n.check_attach_permission(ec2, "eni-1", "i-1", 1)
    assert ec2.holder("eni-1") is None
    ec2.fail("attach_network_interface", refusal("attach_network_interface", "InvalidNetworkInterface.InUse"))
    n.check_attach_permission(ec2, "eni-1", "i-1", 1)
    ec2.fail("attach_network_interface", refusal("attach_network_interface", "RequestLimitExceeded"))
    n.check_attach_permission(ec2, "eni-1", "i-1", 1)
    ec2.denied.add("attach_network_interface")
    with pytest.raises(AccessDenied, match="allow ec2:AttachNetworkInterface"):
        n.check_attach_permission(ec2, "eni-1", "i-1", 1)
