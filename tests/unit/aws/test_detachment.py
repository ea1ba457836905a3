"""Detaching an ENI from this instance: prepared first, done when told, and never taken from another instance."""

from __future__ import annotations

import io

import pytest

from ocf_aws.aws.detachment import prepare
from ocf_aws.aws.errors import AccessDenied
from ocf_aws.ocf.errors import Unknown
from ocf_aws.ocf.log import Log
from unit.fakes.ec2 import FakeEc2, refusal


@pytest.fixture
def held(ec2: FakeEc2) -> str:
    """The id of the attachment of eni-1 to this instance."""
    ec2.add_interface("eni-1")
    return ec2.hold("eni-1", "i-here")


def test_nothing_is_detached_before_it_is_told(ec2: FakeEc2, held: str, log: Log, stderr: io.StringIO) -> None:
    act = prepare(ec2, "eni-1", "i-here", "", log)
    assert ec2.holder("eni-1") == "i-here"
    act()
    assert ec2.holder("eni-1") is None and "INFO: eni-1 is being detached" in stderr.getvalue()


def test_an_eni_that_another_instance_has_is_left_to_it(ec2: FakeEc2, held: str, log: Log) -> None:
    ec2.hold("eni-1", "i-there")
    prepare(ec2, "eni-1", "i-here", held, log)()
    assert ec2.holder("eni-1") == "i-there" and not ec2.count("detach_network_interface")


def test_what_start_recorded_counts_where_ec2_does_not_tell(ec2: FakeEc2, held: str, log: Log) -> None:
    silence = refusal("describe_network_interfaces", "RequestLimitExceeded")
    ec2.fail("describe_network_interfaces", silence, silence)
    with pytest.raises(Unknown):
        prepare(ec2, "eni-1", "i-here", "", log)
    prepare(ec2, "eni-1", "i-here", held, log)()
    assert ec2.holder("eni-1") is None


def test_an_attachment_that_has_gone_meanwhile_is_no_failure(ec2: FakeEc2, held: str, log: Log) -> None:
    act = prepare(ec2, "eni-1", "i-here", held, log)
    del ec2.interfaces["eni-1"]["Attachment"]
    act()


def test_a_missing_right_is_a_failure(ec2: FakeEc2, held: str, log: Log) -> None:
    ec2.denied.add("detach_network_interface")
    with pytest.raises(AccessDenied):
        prepare(ec2, "eni-1", "i-here", held, log)()
