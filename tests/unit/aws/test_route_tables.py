"""Entries: each way in which packets for an address can miss this instance is told apart, naming the holder."""

from __future__ import annotations

from typing import Any

import pytest

from ocf_aws.routes import Entry, Target

HERE = Target("eni-here", "i-here", "vpc-1")


def entry(**route: Any) -> Entry:
    return Entry("rtb-1", "vpc-1", {"State": "active", "Origin": "CreateRoute", **route})


def test_an_entry_that_points_to_this_eni_is_right() -> None:
    assert entry(NetworkInterfaceId="eni-here", InstanceId="i-here").points_to(HERE)


def test_a_shared_vpc_that_tells_no_instance_is_right_by_the_eni() -> None:
    assert entry(NetworkInterfaceId="eni-here").points_to(HERE)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (Entry("rtb-1", None, None), ["does not exist"]),
        (Entry("rtb-1", "vpc-1", None), ["has no entry"]),
        (entry(NetworkInterfaceId="eni-there", InstanceId="i-there"), ["eni-there", "i-there"]),
        (entry(NetworkInterfaceId="eni-2", InstanceId="i-here"), ["eni-2", "another ENI of this instance"]),
        (entry(NetworkInterfaceId="eni-here", State="blackhole"), ["eni-here", "blackhole"]),
        (entry(NetworkInterfaceId="eni-there", State="blackhole"), ["eni-there", "blackhole"]),
        (entry(State="blackhole"), ["nothing that is left", "blackhole"]),
        (entry(TransitGatewayId="tgw-1"), ["tgw-1"]),
        (entry(GatewayId="vgw-1", Origin="EnableVgwRoutePropagation"), ["vgw-1", "EnableVgwRoutePropagation"]),
        (entry(NetworkInterfaceId="eni-here", Origin="Advertisement"), ["AWS keeps", "Advertisement"]),
    ],
)
def test_every_other_entry_is_complained_of(wrong: Entry, words: list[str]) -> None:
    complaint = wrong.complaint(HERE)
    assert complaint is not None and not wrong.points_to(HERE)
    for word in words:
        assert word in complaint
