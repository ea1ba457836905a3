"""AWS's errors as Failures, by what they mean for a resource.

Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from ocf_aws.ocf.errors import (
    REASON_LENGTH,
    SETTLE_SECONDS,
    Failure,
    HardError,
    NotPermitted,
    SoftError,
    Unknown,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_UNANSWERED = frozenset(
    "RequestLimitExceeded EC2ThrottledException Throttling ThrottlingException RequestThrottled"
    " InternalError InternalFailure ServerInternal ServiceUnavailable Unavailable".split()
)
_ACCESS_DENIED = frozenset("UnauthorizedOperation AccessDenied AccessDeniedException OptInRequired Blocked".split())

# A role just attached, a clock before its first synchronisation, credentials that rotate: these pass by themselves.
_CREDENTIALS_REFUSED = frozenset(
    "AuthFailure InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch RequestExpired ExpiredToken"
    " ExpiredTokenException IncompleteSignature MissingAuthenticationToken".split()
)


class Unanswered(Unknown):
    """The service did not do, or did not say that it did, what was asked: throttled, failing, out of reach."""


class CredentialsRefused(Unanswered):
    """The service does not know the credentials, or not any more; new ones may be taken."""


class Rejected(Failure):
    """The service understood and refused; `code` is AWS's error code."""

    # What EC2 says just after a change may be old.
    certain_after = SETTLE_SECONDS
    is_remote = True

    # An exception that comes from a child process is made anew from its reason alone, and then given the rest.
    def __init__(self, reason: str, detail: str = "", code: str = ""):
        super().__init__(reason, detail)
        self.code = code


class RejectedForGood(Rejected, HardError):
    """Refused for what waiting does not change: a parameter, a limit."""


class RejectedForNow(Rejected, SoftError):
    """Refused for the state that something is in at the moment, or is said to be in; a start waits for its end."""

    certain_after = float("inf")


class NotFound(HardError):
    """What the definition names is not there, or cannot be seen from here."""

    certain_after = SETTLE_SECONDS
    is_remote = True


class Conflict(HardError):
    """What EC2 tells stands against the definition."""

    certain_after = SETTLE_SECONDS
    is_remote = True


class AccessDenied(NotPermitted):
    """The role has no right to do it."""

    certain_after = SETTLE_SECONDS
    is_remote = True

    def about(self, objects: str) -> str:
        """As Failure's: allow CALL on OBJECTS to role ROLE (CODE)."""
        verb, call, rest = str(self).split(" ", 2)
        return f"{verb} {call} on {objects} {rest}" if verb == "allow" else super().about(objects)


class NoCredentials(NotPermitted):
    """This node has no credentials."""

    certain_after = SETTLE_SECONDS
    is_remote = True


def failure(what: str, response: Mapping[str, Any]) -> Failure:
    """The error answer of a service as a Failure. what: the call (ec2:ReplaceRoute)."""
    error = response.get("Error", {})
    code = str(error.get("Code") or "no code")
    metadata = response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    # The encoded part of a refusal is longer than a line and tells nothing without sts:DecodeAuthorizationMessage.
    message = str(error.get("Message") or "").split("Encoded authorization")[0].strip()
    detail = f"{what}: {code}: {message}, request {metadata.get('RequestId', 'unknown')}"
    if code in _ACCESS_DENIED:
        return AccessDenied(_denied_reason(what, code, message), detail)
    if code in _CREDENTIALS_REFUSED:
        return CredentialsRefused(f"{what}: EC2 does not accept the credentials ({code}): {message}", detail)
    if code in _UNANSWERED or status >= 500 or status == 429:
        return Unanswered(f"{what}: no answer ({code}): {message}", detail)
    kind = RejectedForNow if _is_of_a_moment(code) else RejectedForGood
    return kind(f"{what} failed ({code}): {message}", detail, code)


def _is_of_a_moment(code: str) -> bool:
    """Whether a refusal tells of the state of something, such as IncorrectState, InvalidNetworkInterface.InUse.

    What a definition names is looked for by filters, and found by an empty answer to be missing: NotFound comes only for
    what was there a moment ago.
    """
    return code.startswith("Incorrect") or code.endswith((".InUse", ".NotFound")) or code == "DependencyViolation"


def _denied_reason(what: str, code: str, message: str) -> str:
    """The remedy first: the right, the role that lacks it where it fits, the code."""
    # "User: arn:aws:sts::123456789012:assumed-role/ROLE/SESSION is not authorized to perform: ..."
    role = message.partition(":assumed-role/")[2].partition("/")[0]
    reason = f"allow {what} to role {role} ({code})" if role else ""
    # An id may come before it.
    return reason if reason and len(reason) <= REASON_LENGTH - 25 else f"allow {what} in IAM ({code})"
