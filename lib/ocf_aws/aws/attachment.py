"""Bringing an ENI to an instance, whoever has it."""

from __future__ import annotations

from time import monotonic

from ocf_aws.aws.attach_requirements import lowest_free_index
from ocf_aws.aws.errors import AccessDenied, NoCredentials, Rejected
from ocf_aws.aws.network_interfaces import attach, describe_first_card, detach, is_running, reread_interface
from ocf_aws.ocf.errors import Failure, SoftError, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocf_aws.aws.client import Client
    from ocf_aws.aws.network_interfaces import Eni
    from ocf_aws.ocf.deadline import Deadline
    from ocf_aws.ocf.log import Log

# What an attach or detach says that met a state which has changed, or is about to ("Error codes", EC2 API reference).
_PASSING = frozenset(
    "IncorrectState IncorrectInstanceState InvalidNetworkInterface.InUse InvalidAttachmentID.NotFound"
    " InvalidAttachment.NotFound InvalidNetworkInterfaceAttachmentID.NotFound".split()
)

_STALE_SECONDS = 5.0
"""How long reads may contradict a write that EC2 accepted ("Eventual consistency", EC2 developer guide)."""

_HOLDER_SECONDS = 2.0
"""How long a holder that lets go by itself is left alone, and how often EC2 is asked again whether it runs."""

_CHECK_SECONDS = 5.0
"""How often EC2 is asked about an attachment while the kernel has no link yet, which is what the service waits for."""


def poll_intervals(deadline: Deadline) -> Iterator[None]:
    """The moments to look whether EC2 is done: close together while most moves end, farther apart later on."""
    yield from deadline.within(12).attempts(first=0.1, longest=0.25)
    yield from deadline.attempts(first=0.5, longest=1.0)


class Attachment:
    """The attachment of an ENI to an instance; what has been done is seen, and never done twice.

    force: when a detach may be forced: `if-down` if EC2 says that the holder is not running, `after` also after half of
    the time, `never`. index: the device index wanted, None for the lowest that is free. used: indexes known as taken.
    """

    def __init__(
        self, ec2: Client, eni: Eni, instance_id: str, force: str, index: int | None, used: set[int], log: Log
    ):
        self.eni = eni
        """As it was seen last."""

        self._ec2 = ec2
        self._instance_id = instance_id
        self._force = force
        self._wanted = index
        self._used = set(used)
        self._log = log
        self._accepted = monotonic()
        self._checked = monotonic()
        self._asked: dict[str, float] = {}
        self._forced: set[str] = set()
        self._holder_checked = self._force_asked = float("-inf")
        self._denied: AccessDenied | None = None

    def attach(self, deadline: Deadline) -> str:
        """Detach and attach until EC2 has accepted the attachment, and return its id.

        Raises Failure: at once where it can never be, with the deadline where EC2 is not done.
        """
        half_time = deadline.within(deadline.left() / 2)
        problem = "no time left"
        is_fresh = True
        for _ in poll_intervals(deadline):
            try:
                if not is_fresh:
                    self._refresh()
                is_fresh = False
                if self.eni.is_held_by(self._instance_id):
                    return str(self.eni.attachment_id)
                if self.eni.attachment_id:
                    self._detach(half_time)
                    problem = f"it is still {self.eni.attachment_text}"
                else:
                    return self._attach()
            except Rejected as error:
                if not self._may_pass(error):
                    raise
                problem = str(error)
            except Unknown as error:
                problem = str(error)
        raise self._late(problem)

    def check(self) -> None:
        """Ask EC2 now and then whether the attachment still stands. Raises SoftError where it does not."""
        if monotonic() - self._checked < _CHECK_SECONDS:
            return
        self._checked = monotonic()
        try:
            self._refresh()
        except Unknown:
            return
        self._require_held()

    def wait_attached(self, deadline: Deadline) -> None:
        """Wait until EC2 says that the ENI is attached. Raises Unknown where it does not say so in time, else SoftError."""
        problem: Unknown = Unknown(f"EC2 does not say in time that {self.eni.id} is attached here")
        for _ in poll_intervals(deadline):
            if self.eni.holder == self._instance_id and self.eni.attachment_status == "attached":
                return
            try:
                self._refresh()
                self._require_held()
            except Unknown as error:
                problem = error
        raise problem

    def _require_held(self) -> None:
        is_stale = monotonic() - self._accepted < _STALE_SECONDS
        if not self.eni.is_held_by(self._instance_id) and not is_stale:
            raise SoftError(f"EC2 accepted to attach {self.eni.id} here, but it is {self.eni.attachment_text}")

    def _refresh(self) -> None:
        self.eni = reread_interface(self._ec2, self.eni.id)

    def _may_pass(self, error: Rejected) -> bool:
        """Whether what EC2 refused may be possible in a moment. Raises as Client.call."""
        if error.code in _PASSING or (error.code == "InvalidParameterValue" and "in use" in error.full_text):
            return True
        if error.code == "AttachmentLimitExceeded" or "already has an interface attached" in error.full_text:
            # An ENI that is on its way out still takes its place.
            return any(each.attachment_status == "detaching" for each in self._others())
        return False

    def _others(self) -> list[Eni]:
        return describe_first_card(self._ec2, self._instance_id)

    def _detach(self, half_time: Deadline) -> None:
        """Ask its holder to let go, or see to it that somebody is asking. Raises as Client.call."""
        attachment_id = str(self.eni.attachment_id)
        if self.eni.attachment_status == "detaching":
            self._asked.setdefault(attachment_id, monotonic())
        elif monotonic() - self._asked.get(attachment_id, float("-inf")) > _STALE_SECONDS:
            self._ask_to_detach(attachment_id)
            self._log.info(f"{self.eni.id} is {self.eni.attachment_text}: detaching it")
            self._asked[attachment_id] = monotonic()
        if attachment_id not in self._forced and self._may_force(attachment_id, half_time):
            self._detach_by_force(attachment_id)

    def _ask_to_detach(self, attachment_id: str) -> None:
        try:
            detach(self._ec2, attachment_id)
        except AccessDenied:
            # Where a policy names resources, EC2 says this also of an attachment that has just gone: nothing is left that
            # the policy could match (https://github.com/hashicorp/terraform-provider-aws/pull/46211).
            self._refresh()
            if self.eni.attachment_id == attachment_id and self.eni.attachment_status != "detaching":
                raise

    def _detach_by_force(self, attachment_id: str) -> None:
        self._force_asked = monotonic()
        try:
            detach(self._ec2, attachment_id, Force=True)
        except (Rejected, AccessDenied) as error:
            # The detach that was asked for before may end yet, and this one is asked for again.
            self._log.repeated(
                f"force {type(error).__name__}",
                f"{self.eni.id} cannot be detached from {self.eni.holder} by force: {error.full_text}",
            )
        else:
            self._forced.add(attachment_id)
            self._log.warning(f"{self.eni.id} is detached from {self.eni.holder} by force")

    def _may_force(self, attachment_id: str, half_time: Deadline) -> bool:
        now = monotonic()
        if self._force == "never" or now - self._asked.get(attachment_id, now) < _HOLDER_SECONDS:
            return False
        if self._force == "after" and not half_time.left():
            return now - self._force_asked >= _HOLDER_SECONDS
        if now - self._holder_checked < _HOLDER_SECONDS:
            return False
        self._holder_checked = now
        self._denied = None
        try:
            return is_running(self._ec2, str(self.eni.holder)) is False
        except (AccessDenied, NoCredentials, Rejected, Unknown) as error:
            if isinstance(error, AccessDenied):
                self._denied = error
            self._log.repeated(
                f"holder {type(error).__name__}",
                f"not known whether {self.eni.holder} runs, so {self.eni.id} is not detached by force: {error.full_text}",
            )
            return False

    def _attach(self) -> str:
        while True:
            index = lowest_free_index(self._instance_id, self._used) if self._wanted is None else self._wanted
            try:
                attachment_id = attach(self._ec2, self.eni.id, self._instance_id, index)
            except Rejected as error:
                if "already has an interface attached" not in error.full_text:
                    raise
                if self._wanted is not None:
                    raise Rejected(
                        f"change parameter 'device_index': {self._instance_id} has another ENI at {index} ({error.code})",
                        error.full_text,
                        error.code,
                    ) from error
                # IMDS, from which the taken ones were known, may lag.
                self._used.update({index}, (e.device_index for e in self._others() if e.device_index is not None))
                continue
            self._accepted = self._checked = monotonic()
            self._log.info(f"{self.eni.id} is being attached here with device index {index}")
            return attachment_id

    def _late(self, problem: str) -> Failure:
        """What to tell when the time is over; of a holder that does not let go, what a person can do about it."""
        if self.eni.attachment_status != "detaching" or self._force == "after":
            return SoftError(f"{self.eni.id} is not attached here in time: {problem}")
        if self._denied:
            # It was asked for again and again. A holder that is down never lets go, and only by this right is that known.
            denied = AccessDenied(str(self._denied), f"{problem}; {self._denied.detail}")
            denied.certain_after = 0.0
            return denied
        return SoftError(
            f"fence {self.eni.holder} or set force_detach=after: {self.eni.id} is still detaching from it",
            f"by hand: aws ec2 detach-network-interface --attachment-id {self.eni.attachment_id} --force",
        )
