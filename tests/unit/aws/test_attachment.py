"""Bringing an ENI to an instance: who is asked for what, what is looked at again, and when force is used."""

from __future__ import annotations

import io
from typing import Any

import pytest

from ocf_aws.aws.attachment import Attachment, poll_intervals
from ocf_aws.aws.errors import AccessDenied, Rejected, Unanswered
from ocf_aws.aws.network_interfaces import require_interface
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import HardError, SoftError, Unknown
from ocf_aws.ocf.log import Log
from unit.fakes.clock import Clock
from unit.fakes.ec2 import FakeEc2, refusal

HERE, THERE = "i-here", "i-there"
GONE = "InvalidAttachmentID.NotFound"


class Move:
    """An ENI, two instances, and what the agent of one can do about it."""

    def __init__(self, ec2: FakeEc2, clock: Clock, log: Log):
        self.ec2 = ec2
        self.clock = clock
        self._log = log
        ec2.add_interface("eni-1")

    def attachment(self, force: str = "if-down", index: int | None = None, used: tuple[int, ...] = (0,)) -> Attachment:
        eni = require_interface(self.ec2, "eni-1")
        return Attachment(self.ec2, eni, HERE, force, index, set(used), self._log)

    def attach(self, seconds: float = 180, **how: Any) -> float:
        """Attach the ENI here; returns the seconds that it took."""
        began = self.clock.now
        self.attachment(**how).attach(Deadline(began + seconds))
        assert self.ec2.holder("eni-1") == HERE
        return self.clock.now - began

    @property
    def forced(self) -> list[bool]:
        """For each detach whether it was forced."""
        return [request.get("Force", False) for name, request in self.ec2.calls if name == "detach_network_interface"]


@pytest.fixture
def move(ec2: FakeEc2, clock: Clock, log: Log) -> Move:
    return Move(ec2, clock, log)


def test_a_free_eni_is_attached_with_the_lowest_free_index(move: Move) -> None:
    assert move.attach(used=(0, 1)) == 0
    assert require_interface(move.ec2, "eni-1").device_index == 2
    assert not move.forced


def test_an_eni_that_is_here_is_left_alone(move: Move) -> None:
    move.ec2.hold("eni-1", HERE)
    move.attach()
    assert not move.forced and not move.ec2.count("attach_network_interface")


def test_an_eni_that_another_instance_has_is_taken_gracefully(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.detach_seconds = 5
    assert 5 <= move.attach() <= 6
    assert move.forced == [False]


def test_an_eni_that_its_holder_lets_go_is_only_waited_for(move: Move) -> None:
    move.ec2.detach_seconds = 1
    move.ec2.call("detach_network_interface", AttachmentId=move.ec2.hold("eni-1", THERE))
    move.ec2.calls.clear()
    move.attach()
    assert not move.forced and not move.ec2.count("describe_instances")


def test_the_index_that_is_free_is_found_where_imds_lags(move: Move) -> None:
    for number in (1, 2):
        move.ec2.add_interface(f"eni-other-{number}")
        move.ec2.hold(f"eni-other-{number}", HERE, number)
    move.attach(used=(0,))
    assert require_interface(move.ec2, "eni-1").device_index == 3
    assert move.ec2.count("attach_network_interface") == 2


def test_an_index_that_is_given_and_used_is_refused(move: Move) -> None:
    move.ec2.add_interface("eni-other")
    move.ec2.hold("eni-other", HERE, 3)
    with pytest.raises(Rejected) as failure:
        move.attach(index=3)
    assert str(failure.value) == "change parameter 'device_index': i-here has another ENI at 3 (InvalidParameterValue)"
    assert "device index '3'" in failure.value.full_text


def test_an_index_that_is_given_is_waited_for_while_another_eni_leaves_it(move: Move) -> None:
    move.ec2.add_interface("eni-other")
    move.ec2.detach_seconds = 6
    move.ec2.call("detach_network_interface", AttachmentId=move.ec2.hold("eni-other", HERE, 3))
    assert 6 <= move.attach(index=3) <= 7
    assert require_interface(move.ec2, "eni-1").device_index == 3


def test_an_instance_without_an_index_left_is_a_hard_error(move: Move) -> None:
    with pytest.raises(HardError, match="i-here has no device index left"):
        move.attach(used=tuple(range(32)))


def test_an_instance_that_is_full_is_refused_in_ec2_s_words(move: Move) -> None:
    move.ec2.limit = 1
    move.ec2.add_interface("eni-other")
    move.ec2.hold("eni-other", HERE)
    with pytest.raises(Rejected, match="AttachmentLimitExceeded"):
        move.attach(used=(0, 1))


def test_a_full_instance_is_waited_for_while_another_eni_leaves_it(move: Move) -> None:
    move.ec2.limit = 1
    move.ec2.add_interface("eni-other")
    move.ec2.detach_seconds = 6
    move.ec2.call("detach_network_interface", AttachmentId=move.ec2.hold("eni-other", HERE))
    assert 6 <= move.attach(used=(0, 1)) <= 7


# --- force ------------------------------------------------------------------------------------------------------------


def test_a_stuck_eni_of_a_holder_that_is_down_is_forced_two_seconds_after_the_graceful_detach(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.stuck.add("eni-1")
    move.ec2.instances[THERE] = "stopped"
    assert 2 <= move.attach() <= 3
    assert move.forced == [False, True]


def test_a_holder_that_goes_down_later_is_noticed(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.stuck.add("eni-1")
    attachment = move.attachment()
    with pytest.raises(SoftError):
        attachment.attach(Deadline(move.clock.now + 20))
    assert move.forced == [False]
    move.ec2.instances[THERE] = "shutting-down"
    attachment.attach(Deadline(move.clock.now + 20))
    assert move.forced == [False, True]


def test_a_holder_that_ec2_does_not_tell_of_is_not_forced(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.stuck.add("eni-1")
    del move.ec2.instances[THERE]
    with pytest.raises(SoftError):
        move.attach(seconds=30)
    assert move.forced == [False]


def test_a_stuck_eni_of_a_holder_that_runs_is_never_forced_but_explained(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.stuck.add("eni-1")
    with pytest.raises(SoftError) as failure:
        move.attach(seconds=60)
    assert str(failure.value) == "fence i-there or set force_detach=after: eni-1 is still detaching from it"
    assert "aws ec2 detach-network-interface --attachment-id eni-attach-1 --force" in failure.value.detail
    assert move.forced == [False]


def test_a_stuck_eni_is_forced_after_half_of_the_time_where_that_is_wanted(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.stuck.add("eni-1")
    assert 90 <= move.attach(seconds=180, force="after") <= 93
    assert move.forced == [False, True]


def test_nothing_is_forced_where_that_is_not_wanted(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.stuck.add("eni-1")
    move.ec2.instances[THERE] = "stopped"
    with pytest.raises(SoftError):
        move.attach(seconds=60, force="never")
    assert move.forced == [False] and not move.ec2.count("describe_instances")


def test_without_the_right_to_know_who_runs_nothing_is_forced_and_one_line_a_while_says_so(
    move: Move, stderr: io.StringIO
) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.stuck.add("eni-1")
    move.ec2.denied.add("describe_instances")
    with pytest.raises(AccessDenied, match="allow ec2:DescribeInstances") as denied:
        move.attach(seconds=60)
    assert denied.value.certain_after == 0 and "detaching" in denied.value.detail
    assert 1 <= stderr.getvalue().count("not known whether i-there runs") <= 7
    assert not [call for call in move.ec2.calls if call[1].get("Force")]


def test_a_force_that_is_refused_is_asked_for_again(move: Move, stderr: io.StringIO) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.instances[THERE] = "stopped"
    move.ec2.detach_seconds = 10
    asked = move.clock.now
    move.ec2.call("detach_network_interface", AttachmentId="eni-attach-1")
    attachment = move.attachment()
    move.ec2.fail("detach_network_interface", refusal("detach_network_interface", "OperationNotPermitted"))
    attachment.attach(Deadline(asked + 60))
    assert move.clock.now - asked < 10 and move.forced == [False, True, True]
    assert "cannot be detached from i-there by force" in stderr.getvalue()


# --- what passes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["attach_network_interface", "detach_network_interface"])
def test_a_lost_answer_is_followed_by_a_look_and_never_by_a_second_write(move: Move, operation: str) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.lose_answer(operation)
    move.attach()
    assert move.ec2.count("attach_network_interface") == move.ec2.count("detach_network_interface") == 1


@pytest.mark.parametrize("operation", ["attach_network_interface", "detach_network_interface"])
@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "IncorrectState", GONE, "ExpiredToken"])
def test_a_call_that_fails_once_is_made_again(move: Move, operation: str, code: str) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.fail(operation, refusal(operation, code))
    assert move.attach() < 12


@pytest.mark.parametrize(
    "code, message",
    [
        ("InvalidNetworkInterface.InUse", "eni-1 is currently in use"),
        ("InvalidParameterValue", "The specified interface is in use"),
    ],
)
def test_an_eni_that_is_still_in_use_is_looked_at_again(move: Move, code: str, message: str) -> None:
    refused = refusal("attach_network_interface", code, message)
    move.ec2.fail("attach_network_interface", refused, refused)
    assert move.attach() < 2


def test_any_other_refusal_ends_the_attempt_at_once(move: Move) -> None:
    move.ec2.fail("attach_network_interface", refusal("attach_network_interface", "InvalidInstanceID.NotFound"))
    with pytest.raises(Rejected, match="InvalidInstanceID.NotFound"):
        move.attach()
    assert move.ec2.count("attach_network_interface") == 1


def test_reads_that_lag_do_not_lead_to_second_writes(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    attachment = move.attachment()
    move.ec2.lag(reads=10)
    attachment.attach(Deadline(move.clock.now + 60))
    assert move.ec2.count("detach_network_interface") == 1


def test_a_denied_detach_of_an_attachment_that_has_just_gone_is_no_denial(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    attachment = move.attachment()
    del move.ec2.interfaces["eni-1"]["Attachment"]
    move.ec2.fail("detach_network_interface", refusal("detach_network_interface", "UnauthorizedOperation"))
    attachment.attach(Deadline(move.clock.now + 60))
    assert move.ec2.holder("eni-1") == HERE


def test_a_denied_detach_of_an_attachment_that_is_on_its_way_out_is_no_denial(move: Move) -> None:
    attachment_id = move.ec2.hold("eni-1", THERE)
    attachment = move.attachment()
    move.ec2.detach_seconds = 3
    move.ec2.call("detach_network_interface", AttachmentId=attachment_id)
    move.ec2.fail("detach_network_interface", refusal("detach_network_interface", "UnauthorizedOperation"))
    attachment.attach(Deadline(move.clock.now + 60))
    assert move.ec2.holder("eni-1") == HERE


def test_a_denied_detach_of_an_attachment_that_stays_is_a_denial(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    move.ec2.denied.add("detach_network_interface")
    with pytest.raises(AccessDenied, match="allow ec2:DetachNetworkInterface"):
        move.attach()
    assert move.ec2.holder("eni-1") == THERE


def test_an_empty_answer_about_an_eni_that_was_seen_is_not_believed(move: Move) -> None:
    move.ec2.hold("eni-1", THERE)
    attachment = move.attachment()
    interfaces, move.ec2.interfaces = move.ec2.interfaces, {}
    move.ec2.lag(reads=3)
    move.ec2.interfaces = interfaces
    attachment.attach(Deadline(move.clock.now + 60))
    assert move.ec2.holder("eni-1") == HERE


def test_an_api_that_is_dead_is_a_soft_error_at_the_deadline(move: Move) -> None:
    attachment = move.attachment()
    for operation in ("attach_network_interface", "describe_network_interfaces"):
        move.ec2.fail(operation, *[refusal(operation, "InternalError", "down")] * 999)
    with pytest.raises(SoftError, match="eni-1 is not attached here in time: .*InternalError"):
        attachment.attach(Deadline(move.clock.now + 30))


def test_without_time_one_attempt_is_made(move: Move) -> None:
    assert move.attach(seconds=0) == 0


# --- afterwards -------------------------------------------------------------------------------------------------------


def test_an_attachment_is_waited_for(move: Move) -> None:
    move.ec2.attach_seconds = 4
    attachment = move.attachment()
    attachment.attach(Deadline(move.clock.now + 60))
    assert attachment.eni.attachment_id is None
    attachment.wait_attached(Deadline(move.clock.now + 10))
    assert attachment.eni.attachment_status == "attached"


def test_an_attachment_that_ec2_does_not_confirm_in_time_is_unknown(move: Move) -> None:
    move.ec2.attach_seconds = 60
    attachment = move.attachment()
    attachment.attach(Deadline(move.clock.now + 60))
    with pytest.raises(Unknown, match="does not say in time that eni-1 is attached here"):
        attachment.wait_attached(Deadline(move.clock.now + 10))


def test_an_attachment_that_ec2_cannot_tell_of_is_unknown_in_ec2_s_words(move: Move) -> None:
    attachment = move.attachment()
    attachment.attach(Deadline(move.clock.now + 60))
    what = "describe_network_interfaces"
    move.ec2.fail(what, *[refusal(what, "RequestLimitExceeded")] * 99)
    with pytest.raises(Unanswered, match="RequestLimitExceeded"):
        attachment.wait_attached(Deadline(move.clock.now + 10))


def test_an_eni_that_is_taken_away_again_is_not_fought_for(move: Move) -> None:
    move.ec2.attach_seconds = 60
    attachment = move.attachment()
    attachment_id = attachment.attach(Deadline(move.clock.now + 60))
    move.ec2.call("detach_network_interface", AttachmentId=attachment_id)
    move.clock.sleep(6)
    with pytest.raises(SoftError, match="accepted to attach eni-1 here, but it is attached to no instance"):
        attachment.wait_attached(Deadline(move.clock.now + 10))
    assert move.ec2.count("detach_network_interface") == 1


def test_a_contradiction_just_after_the_write_may_be_old(move: Move) -> None:
    attachment = move.attachment()
    move.ec2.lag(reads=8)
    attachment.attach(Deadline(move.clock.now + 60))
    attachment.wait_attached(Deadline(move.clock.now + 10))
    assert attachment.eni.holder == HERE


def test_while_no_link_comes_ec2_is_asked_every_five_seconds(move: Move) -> None:
    attachment = move.attachment()
    attachment.attach(Deadline(move.clock.now + 60))
    before = move.ec2.count("describe_network_interfaces")
    for _ in range(1000):
        move.clock.sleep(0.02)
        attachment.check()
    assert 3 <= move.ec2.count("describe_network_interfaces") - before <= 4


def test_a_check_finds_that_the_eni_was_taken_away_and_believes_no_silence(move: Move) -> None:
    attachment = move.attachment()
    attachment_id = attachment.attach(Deadline(move.clock.now + 60))
    move.ec2.call("detach_network_interface", AttachmentId=attachment_id)
    move.clock.sleep(6)
    move.ec2.fail("describe_network_interfaces", refusal("describe_network_interfaces", "RequestLimitExceeded"))
    attachment.check()
    move.clock.sleep(6)
    with pytest.raises(SoftError, match="attached to no instance"):
        attachment.check()


def test_ec2_is_asked_often_at_first_and_rarely_later(clock: Clock) -> None:
    times = []
    for _ in poll_intervals(Deadline(clock.now + 60)):
        times.append(clock.now - 1000)
    early = [moment for moment in times if moment < 12]
    assert 45 <= len(early) <= 80 and 40 <= len(times) - len(early) <= 75
