"""Failures: what Pacemaker does on each, within the length that it keeps, and several as one."""

from __future__ import annotations

import pytest

from ocf_aws.ocf import errors as e
from ocf_aws.ocf.errors import REASON_LENGTH, SETTLE_SECONDS, as_failure, combine, shorten

TABLES = [f"rtb-{number:017x}" for number in range(1, 9)]


class Settling(e.NotPermitted):
    """As AccessDenied of aws.errors."""

    certain_after = SETTLE_SECONDS


@pytest.mark.parametrize(
    "kind, status",
    [
        (e.SoftError, 1),
        (e.Unknown, 1),
        (e.HardError, 2),
        (e.Unimplemented, 3),
        (e.NotPermitted, 4),
        (e.NotInstalled, 5),
        (e.FatalError, 6),
        (e.NotRunning, 7),
    ],
)
def test_each_failure_has_the_status_of_what_pacemaker_does_on_it(kind: type[e.Failure], status: int) -> None:
    assert kind("reason").status == status


def test_only_what_is_unknown_is_never_certain() -> None:
    assert e.Unknown.certain_after == float("inf")
    for kind in (e.SoftError, e.HardError, e.NotPermitted, e.NotInstalled, e.FatalError):
        assert kind.certain_after == 0


def test_the_full_text_has_the_detail_behind_the_reason() -> None:
    assert e.SoftError("do this", "request 7").full_text == "do this (request 7)"
    assert e.SoftError("do this").full_text == as_failure(e.SoftError("do this")).full_text == "do this"


def test_the_full_text_tells_a_reason_once_that_the_detail_tells_whole() -> None:
    problem = "the link lacks " + ", ".join(f"10.0.2.{number}" for number in range(100, 110))
    assert len(problem) > REASON_LENGTH
    assert e.SoftError(problem, problem).full_text == problem
    assert e.SoftError(problem, f"{problem}; it is up").full_text == f"{problem}; it is up"
    assert combine([("eni-1", e.SoftError("is gone"))]).full_text == "eni-1: is gone"


def test_an_exception_that_nobody_foresaw_is_unknown_and_named() -> None:
    failure = as_failure(ValueError("no number"))
    assert isinstance(failure, e.Unknown)
    assert str(failure) == as_failure(ValueError("no number")).full_text == "unexpected error: ValueError: no number"


def test_a_text_is_cut_between_words_and_says_so() -> None:
    assert shorten("one\n two  three") == "one two three"
    assert shorten("one two three", 10) == "one..."
    assert shorten("x" * 200) == "x" * (REASON_LENGTH - 3) + "..."
    assert len(shorten("word " * 100)) <= REASON_LENGTH


def test_one_failure_stays_what_it_is_with_the_name_of_what_failed() -> None:
    combined = combine([("rtb-1", e.HardError("has no route", "the detail"))])
    assert type(combined) is e.HardError and str(combined) == "rtb-1: has no route"
    assert combined.detail == "rtb-1: has no route (the detail)"


def test_a_reason_that_several_tables_share_is_told_once() -> None:
    reason = "allow ec2:ReplaceRoute in IAM (UnauthorizedOperation)"
    combined = combine([(table, Settling(reason)) for table in TABLES[:3]])
    assert str(combined) == f"{', '.join(TABLES[:3])}: {reason}"
    assert len(str(combined)) <= REASON_LENGTH


def test_as_many_whole_ids_as_fit_stand_before_a_reason() -> None:
    reason = "allow ec2:ReplaceRoute in IAM (UnauthorizedOperation)"
    combined = combine([(table, Settling(reason)) for table in TABLES])
    assert str(combined) == f"{TABLES[0]}, {TABLES[1]} and 6 more: {reason}"
    assert len(str(combined)) <= REASON_LENGTH
    assert all(table in combined.detail for table in TABLES)


def test_a_reason_that_fills_the_line_is_cut_behind_the_first_id() -> None:
    combined = combine([(table, e.SoftError("word " * 25)) for table in TABLES])
    assert str(combined).startswith(f"{TABLES[0]}: word") and str(combined).endswith("...")
    assert len(str(combined)) <= REASON_LENGTH


def test_reasons_that_do_not_fit_into_the_line_are_left_to_the_log() -> None:
    combined = combine([(TABLES[0], e.HardError("a" * 90)), (TABLES[1], e.HardError("short"))])
    assert str(combined) == f"{TABLES[0]}: {'a' * 90}"
    assert "short" in combined.detail


@pytest.mark.parametrize(
    "kinds",
    [
        [e.FatalError, e.NotInstalled, e.NotPermitted, e.HardError, e.SoftError, e.Unknown],
        [e.NotPermitted, e.HardError, e.Unknown],
        [e.HardError, e.Unknown],
        [e.SoftError, e.Unknown],
    ],
)
def test_the_hardest_kind_wins_and_is_told_first(kinds: list[type[e.Failure]]) -> None:
    failures = [(kind.__name__, kind(f"{kind.__name__} failed")) for kind in reversed(kinds)]
    combined = combine(failures)
    assert type(combined) is kinds[0]
    assert str(combined).startswith(f"{kinds[0].__name__}: ")


def test_what_is_unknown_everywhere_stays_unknown() -> None:
    combined = combine([("rtb-1", e.Unknown("no answer")), ("rtb-2", as_failure(KeyError("x")))])
    assert type(combined) is e.Unknown and combined.certain_after == float("inf")


def test_a_combined_failure_is_as_certain_as_the_failures_of_its_kind() -> None:
    waiting = combine([("rtb-1", e.NotPermitted("now")), ("rtb-2", Settling("later")), ("rtb-3", e.Unknown("never"))])
    assert (type(waiting), waiting.certain_after) == (e.NotPermitted, SETTLE_SECONDS)
    assert combine([("rtb-1", e.HardError("now")), ("rtb-2", e.Unknown("never"))]).certain_after == 0


# --- passwords --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["secret", "se#cret", "se/cret", "se@cret", "se:cret"])
def test_a_failure_never_tells_the_password_in_a_url(password: str) -> None:
    text = f"Failed to parse: 'http://user:{password}@10.0.0.1:3128' and https://b:{password}@host/x"
    failure = e.SoftError(text, text)
    assert str(failure) == failure.detail == "Failed to parse: 'http://10.0.0.1:3128' and https://host/x"


@pytest.mark.parametrize("text", ["write to a@b", "see https://aws.amazon.com/x", "arn:aws:iam::1:role/a@b"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert str(e.SoftError(text)) == text
