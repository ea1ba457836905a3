"""AWS's error codes as what they mean for a resource."""

from __future__ import annotations

import pytest

from ocf_aws.aws.errors import (
    AccessDenied,
    CredentialsRefused,
    NoCredentials,
    NotFound,
    Rejected,
    RejectedForGood,
    RejectedForNow,
    Unanswered,
    failure,
)
from ocf_aws.ocf.errors import REASON_LENGTH, SETTLE_SECONDS, Failure, Unknown

DENIAL = (
    "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/{role}/i-0123456789abcdef0"
    " is not authorized to perform: ec2:ReplaceRoute on resource: arn:aws:ec2:eu-central-1:123456789012:route-table/rtb-1"
    " because no identity-based policy allows the action. Encoded authorization failure message: SECRETSECRET"
)


def translate(code: str, message: str = "why", status: int = 400) -> Failure:
    metadata = {"HTTPStatusCode": status, "RequestId": "request-7"}
    return failure("ec2:ReplaceRoute", {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata})


@pytest.mark.parametrize(
    "kind, codes",
    [
        (Unanswered, "RequestLimitExceeded Throttling InternalError ServiceUnavailable Unavailable"),
        (AccessDenied, "UnauthorizedOperation AccessDenied OptInRequired Blocked"),
        (
            CredentialsRefused,
            "AuthFailure InvalidClientTokenId SignatureDoesNotMatch RequestExpired ExpiredToken IncompleteSignature",
        ),
        (RejectedForGood, "InvalidParameterValue AttachmentLimitExceeded"),
        (
            RejectedForNow,
            "IncorrectState IncorrectInstanceState InvalidNetworkInterface.InUse InvalidRouteTableID.NotFound",
        ),
    ],
)
def test_each_code_is_of_one_kind(kind: type[Failure], codes: str) -> None:
    for code in codes.split():
        found = translate(code)
        assert type(found) is kind and code in str(found), code


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_code_that_nobody_knows_with_a_server_s_status_is_no_answer(status: int) -> None:
    assert type(translate("Novel", status=status)) is Unanswered


def test_credentials_that_are_refused_say_nothing_about_the_resource() -> None:
    assert issubclass(CredentialsRefused, Unknown)


@pytest.mark.parametrize("kind", [Rejected, NotFound, AccessDenied, NoCredentials])
def test_what_may_be_old_counts_only_when_it_stays(kind: type[Failure]) -> None:
    assert kind.certain_after == SETTLE_SECONDS


def test_a_rejection_keeps_aws_s_code() -> None:
    rejected = translate("IncorrectState")
    assert isinstance(rejected, Rejected) and rejected.code == "IncorrectState"
    assert str(rejected) == "ec2:ReplaceRoute failed (IncorrectState): why"


def test_the_log_has_the_request_id_and_the_exit_reason_has_not() -> None:
    for code in ("IncorrectState", "UnauthorizedOperation", "RequestLimitExceeded", "ExpiredToken"):
        found = translate(code)
        assert "request-7" in found.full_text and "request-7" not in str(found)


def test_a_missing_right_is_named_with_the_role_that_lacks_it() -> None:
    denied = translate("UnauthorizedOperation", DENIAL.format(role="cluster-node"))
    assert str(denied) == "allow ec2:ReplaceRoute to role cluster-node (UnauthorizedOperation)"


@pytest.mark.parametrize("message", ["why", DENIAL.format(role="a-role-with-a-name-of-many-characters" * 3)])
def test_without_room_for_the_role_the_right_is_named(message: str) -> None:
    assert str(translate("UnauthorizedOperation", message)) == "allow ec2:ReplaceRoute in IAM (UnauthorizedOperation)"


def test_a_missing_right_leaves_room_for_the_id_of_a_table() -> None:
    for length in range(1, 65):
        denied = translate("UnauthorizedOperation", DENIAL.format(role="r" * length))
        assert len(f"rtb-0123456789abcdef0: {denied}") <= REASON_LENGTH


def test_the_encoded_part_of_a_refusal_is_told_nowhere() -> None:
    assert "SECRET" not in translate("UnauthorizedOperation", DENIAL.format(role="x")).full_text


@pytest.mark.parametrize("response", [{}, {"Error": {}}, {"Error": {"Code": None, "Message": None}}])
def test_an_error_without_content_is_still_an_error(response: dict[str, dict[str, None]]) -> None:
    assert isinstance(failure("ec2:X", response), Rejected)


@pytest.mark.parametrize("code", ["IncorrectState", "RequestLimitExceeded", "ExpiredToken", "UnauthorizedOperation"])
def test_a_long_message_never_makes_a_reason_too_long(code: str) -> None:
    assert len(str(translate(code, "word " * 200))) <= REASON_LENGTH
