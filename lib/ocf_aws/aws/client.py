"""Calls to EC2 and STS, as one resource makes them in one action: retried, bounded in time, paged."""

from __future__ import annotations

from functools import partial
from threading import Lock
from time import monotonic

from ocf_aws import __version__
from ocf_aws.aws.errors import CredentialsRefused, Unanswered
from ocf_aws.aws.imds import Imds, open_imds
from ocf_aws.aws.session import Access, call_name, invoke, make_client, require_boto3
from ocf_aws.ocf.errors import Unknown, hide_passwords
from ocf_aws.threads import BackgroundThread, call_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ocf_aws.ocf.deadline import Deadline
    from ocf_aws.ocf.log import Log
    from ocf_aws.ocf.runtime import Context

_RENEW_SECONDS = 5.0
"""How often new credentials are asked for while the service refuses them: each time takes 0.2 s of a processor, and memory."""

_CONNECT_SECONDS = 1.0
"""What that has to have of an action's time: nothing ends it at the deadline."""

_SHORTEST_SESSION_NAME = 2
_LONGEST_SESSION_NAME = 64


class Client:
    """A service of AWS.

    connect: makes the client to call. Called at once, and again when the service refuses its credentials.
    deadline: of the action. seconds: for one call, retries included. log: takes what was retried.
    Raises as `connect`.
    """

    def __init__(self, connect: Callable[[], Any], deadline: Deadline, seconds: float, log: Log):
        self._connect = connect
        self._deadline = deadline
        self._seconds = seconds
        self._log = log
        self._lock = Lock()
        self._client = connect()
        self._pause = deadline.within(0)
        """Until when the credentials are not renewed again."""

    def call(self, operation: str, *, retry: bool = True, **request: Any) -> dict[str, Any]:
        """Make one call and return its answer.

        operation: as boto3 has it. request: in AWS's words.
        retry: whether to ask again while there is no answer. A call that changes something must be followed by a look
            at what has become of it instead.
        With DryRun it returns where the caller has the right. Raises Unanswered, AccessDenied, NoCredentials or Rejected.
        """
        client = self._client
        what = call_name(client, operation)
        deadline = self._deadline.within(self._seconds)
        problem: Unknown = Unanswered(f"{what}: no time left")
        for _ in deadline.attempts(first=0.2, longest=2.0):
            begin = monotonic()
            try:
                answer: dict[str, Any] = call_within(deadline, partial(invoke, client, operation, request), what)
                self._log.debug(f"{what}: answered after {monotonic() - begin:.3f} s")
                return answer
            except CredentialsRefused as error:
                # Nothing was done; the credentials of a role rotate.
                problem = error
                client = self._renewed(client)
            except Unknown as error:
                problem = error
                if not retry:
                    break
            self._log.debug(problem.full_text)
        raise problem

    def paginate(self, operation: str, member: str, **request: Any) -> list[dict[str, Any]]:
        """All members of a paged answer. Raises as `call`."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.call(operation, **request)
            found += answer.get(member) or []
            if not answer.get("NextToken"):
                return found
            request["NextToken"] = answer["NextToken"]

    def _renewed(self, refused: Any) -> Any:
        """A client with new credentials in place of the one that was refused, once for all threads; not all the time."""
        with self._lock:
            is_due = not self._pause.left() and self._deadline.left() > _CONNECT_SECONDS
            if self._client is refused and is_due:
                self._client = self._connect()
                self._pause = self._deadline.within(_RENEW_SECONDS)
            return self._client


def prepare(context: Context, *facts: Callable[[Imds], object]) -> Imds:
    """IMDS, which has been asked for `facts`, and boto3 loaded: both take their time, at the same time. Raises NotInstalled."""
    imds = open_imds(context)
    facts = (*facts, lambda imds: context.parameters.region or imds.region)
    if not context.parameters.profile:
        facts = (*facts, Imds.read_role_ahead)
    reading = BackgroundThread(partial(imds.read_ahead, *facts))
    try:
        require_boto3()
    finally:
        reading.wait()
    return imds


def open_services(context: Context, *facts: Callable[[Imds], object]) -> tuple[Imds, Client]:
    """IMDS as `prepare` makes it ready, and EC2 by the parameters of the resource. Raises Failure."""
    imds = prepare(context, *facts)
    return imds, open_ec2(context, imds)


def open_ec2(context: Context, imds: Imds, role: str | None = None, *, is_whole: bool = False) -> Client:
    """EC2, by the parameters of the resource.

    role: ARN of the role whose rights it is to have, by one AssumeRole; None: those of this node.
    is_whole: with all of EC2's operations, not the agents' alone, which takes longer to load. Raises Failure.
    """
    p = context.parameters
    if (p.endpoint_url or "").startswith("http:") and not context.is_recurring:
        context.log.repeated(
            "endpoint_url", f"endpoint_url {hide_passwords(p.endpoint_url)} is not encrypted: use https"
        )
    access = Access(p.region, p.profile, p.endpoint_url, p.proxy, user_agent(context))

    def connect(service: str, credentials: dict[str, str] | None = None) -> Any:
        deadline = context.deadline.within(p.api_timeout)
        return make_client(service, access, imds, deadline, credentials, is_whole=is_whole)

    def connect_with_role() -> Any:
        sts = Client(lambda: connect("sts"), context.deadline, p.api_timeout, context.log)
        return connect("ec2", assume_role(sts, str(role), context.resource))

    return Client(connect_with_role if role else lambda: connect("ec2"), context.deadline, p.api_timeout, context.log)


def assume_role(sts: Client, role: str, resource: str) -> dict[str, str]:
    """The credentials of another role. Raises as Client.call."""
    answer = sts.call("assume_role", RoleArn=role, RoleSessionName=session_name(resource), DurationSeconds=900)
    credentials: dict[str, str] = answer["Credentials"]
    return credentials


def session_name(resource: str) -> str:
    """A name for the session of a role, by which CloudTrail shows the resource (AssumeRole, "RoleSessionName")."""
    name = _plain(resource)[:_LONGEST_SESSION_NAME]
    return name if len(name) >= _SHORTEST_SESSION_NAME else f"ocf-aws-{name}"


def user_agent(context: Context) -> str:
    """The words that CloudTrail shows in `userAgent` for the calls of a resource."""
    return f"ocf-aws/{__version__} {context.agent.name}/{_plain(context.resource)}"


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() or c in "-_." else "-" for c in text)
