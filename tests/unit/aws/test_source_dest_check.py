"""The source/destination check: what each setting makes of it, and what is not verified."""

from __future__ import annotations

import io

import pytest

from ocf_aws.aws.errors import Conflict
from ocf_aws.aws.network_interfaces import require_interface
from ocf_aws.aws.source_dest_check import SourceDestCheck, disable
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.errors import Unknown
from ocf_aws.ocf.log import Log
from unit.fakes.ec2 import FakeEc2, refusal

IP = IpAddress.parse("192.168.10.10")
UNANSWERED = refusal("describe_network_interfaces", "RequestLimitExceeded")


@pytest.fixture
def on(ec2: FakeEc2) -> FakeEc2:
    """EC2 with an ENI whose check is on."""
    ec2.add_interface("eni-1")
    return ec2


def is_on(ec2: FakeEc2) -> bool:
    return require_interface(ec2, "eni-1").source_dest_check


def test_the_source_dest_check_is_turned_off_but_not_by_a_dry_run(ec2: FakeEc2) -> None:
    ec2.add_interface("eni-1")
    disable(ec2, "eni-1", DryRun=True)
    assert require_interface(ec2, "eni-1").source_dest_check
    disable(ec2, "eni-1")
    assert not require_interface(ec2, "eni-1").source_dest_check


def test_disable_turns_it_off_once_and_says_so(on: FakeEc2, log: Log, stderr: io.StringIO) -> None:
    check = SourceDestCheck(on, "eni-1", IP, "disable", log)
    check.ensure_off(DryRun=True)
    assert is_on(on) and stderr.getvalue() == ""
    check.ensure_off()
    assert not is_on(on) and "INFO: turned off the source/destination check of eni-1\n" in stderr.getvalue()
    check.ensure_off()
    assert on.count("modify_network_interface_attribute") == 2


def test_verify_refuses_what_is_on_with_the_remedy(on: FakeEc2, log: Log) -> None:
    with pytest.raises(Conflict, match="is on for eni-1: set source_dest_check=disable") as refused:
        SourceDestCheck(on, "eni-1", IP, "verify", log).ensure_off()
    assert "aws ec2 modify-network-interface-attribute" in refused.value.detail
    disable(on, "eni-1")
    SourceDestCheck(on, "eni-1", IP, "verify", log).ensure_off()


def test_ignore_asks_nothing(on: FakeEc2, log: Log) -> None:
    check = SourceDestCheck(on, "eni-1", IP, "ignore", log)
    check.ensure_off()
    assert check.find_problem() is None and not on.calls


@pytest.mark.parametrize("wanted", ["verify", "disable"])
def test_a_start_that_cannot_see_it_goes_on_with_a_warning(
    on: FakeEc2, log: Log, stderr: io.StringIO, wanted: str
) -> None:
    on.fail("describe_network_interfaces", UNANSWERED)
    SourceDestCheck(on, "eni-1", IP, wanted, log).ensure_off()
    assert "WARNING: not verified whether the source/destination check of eni-1 is off" in stderr.getvalue()
    assert is_on(on) is (wanted == "verify")


@pytest.mark.parametrize("wanted", ["verify", "disable"])
def test_a_monitor_tells_what_is_on(on: FakeEc2, log: Log, wanted: str) -> None:
    check = SourceDestCheck(on, "eni-1", IP, wanted, log)
    assert check.find_problem() == "source/destination check is on for eni-1: EC2 drops packets for 192.168.10.10"
    disable(on, "eni-1")
    assert check.find_problem() is None


def test_a_monitor_without_the_right_to_see_it_finds_no_problem(on: FakeEc2, log: Log, stderr: io.StringIO) -> None:
    on.denied.add("describe_network_interfaces")
    assert SourceDestCheck(on, "eni-1", IP, "verify", log).find_problem() is None
    assert "WARNING: not verified" in stderr.getvalue()


def test_a_monitor_without_an_answer_does_not_know(on: FakeEc2, log: Log) -> None:
    on.fail("describe_network_interfaces", UNANSWERED)
    check = SourceDestCheck(on, "eni-1", IP, "verify", log)
    with pytest.raises(Unknown):
        check.find_problem()
    with pytest.raises(Unknown, match="EC2 tells nothing of eni-2"):
        SourceDestCheck(on, "eni-2", IP, "verify", log).find_problem()
