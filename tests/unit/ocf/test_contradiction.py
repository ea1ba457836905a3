"""A contradiction is believed when it stays, and what is unknown is none."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from ocf_aws.ocf.agent import Agent
from ocf_aws.ocf.contradiction import RECHECK_SECONDS, find_contradiction
from ocf_aws.ocf.errors import SoftError, Unknown
from ocf_aws.ocf.log import Log
from ocf_aws.ocf.runtime import Context
from unit.fakes.clock import Clock


@pytest.fixture
def context(clock: Clock, log: Log) -> Context:
    """A monitor with a minute's time."""
    agent = Agent("an-agent", "1.0", "s", "l", (), ())
    return Context.from_environ(agent, "monitor", {"OCF_RESKEY_CRM_meta_timeout": "60000"}, log)


def answering(*answers: str | Exception | None) -> Callable[[], Callable[[], str | None]]:
    """What gives these answers in turn, the last one for ever."""

    def give() -> Iterator[str | Exception | None]:
        yield from answers
        while True:
            yield answers[-1]

    given = give()

    def ask() -> str | None:
        answer = next(given)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return lambda: ask


def test_a_service_that_agrees_is_asked_once(context: Context, clock: Clock) -> None:
    began = clock.now
    assert find_contradiction(context, "it is here", answering(None, "it is elsewhere")) is None
    assert clock.now == began


def test_a_contradiction_that_stays_is_believed_in_its_last_words(context: Context, clock: Clock) -> None:
    began = clock.now
    assert (
        find_contradiction(context, "it is here", answering("it is on its way", "it is elsewhere")) == "it is elsewhere"
    )
    assert RECHECK_SECONDS / 2 < clock.now - began <= RECHECK_SECONDS


def test_a_contradiction_that_passes_is_none(context: Context, stderr: io.StringIO) -> None:
    assert find_contradiction(context, "it is here", answering("it is elsewhere", None)) is None
    assert stderr.getvalue() == ""


def answering_after(clock: Clock, seconds: float, *answers: str | None) -> Callable[[], Callable[[], str | None]]:
    """As `answering`, where each answer takes so many seconds."""
    prepare = answering(*answers)

    def ask() -> str | None:
        clock.sleep(seconds)
        return find()

    find = prepare()
    return lambda: ask


@pytest.mark.parametrize("seconds", [4.9, 7.0, 20.0])
def test_a_slow_answer_alone_is_not_believed(context: Context, clock: Clock, seconds: float) -> None:
    assert find_contradiction(context, "it is here", answering_after(clock, seconds, "it is elsewhere", None)) is None


@pytest.mark.parametrize("seconds", [4.9, 20.0])
def test_a_slow_contradiction_is_believed_when_it_is_repeated(context: Context, clock: Clock, seconds: float) -> None:
    prepare = answering_after(clock, seconds, "it is elsewhere")
    began = clock.now
    assert find_contradiction(context, "it is here", prepare) == "it is elsewhere"
    # Two answers, and time between them.
    assert clock.now - began > 2 * seconds + 0.7


def test_a_contradiction_that_there_is_no_time_to_repeat_is_unknown(
    context: Context, clock: Clock, stderr: io.StringIO
) -> None:
    seconds = context.deadline.left() - 1
    assert find_contradiction(context, "it is here", answering_after(clock, seconds, "it is elsewhere")) is None
    warning = "WARNING: it is here; what EC2 does is unknown: no time left to ask again after: it is elsewhere\n"
    assert warning in stderr.getvalue()


@pytest.mark.parametrize(
    "error, words",
    [
        (Unknown("EC2 does not answer", "request 7"), "EC2 does not answer (request 7)"),
        (SoftError("no thread is left"), "no thread is left"),
        (KeyError("x"), "unexpected error: KeyError: 'x'"),
    ],
)
@pytest.mark.parametrize("before", [(), ("it is elsewhere",)])
def test_what_is_unknown_is_no_contradiction_and_the_log_says_so(
    context: Context, stderr: io.StringIO, before: tuple[str, ...], error: Exception, words: str
) -> None:
    assert find_contradiction(context, "it is here", answering(*before, error)) is None
    assert f"WARNING: it is here; what EC2 does is unknown: {words}\n" in stderr.getvalue()


def test_what_cannot_even_be_asked_is_unknown_too(context: Context, stderr: io.StringIO) -> None:
    def prepare() -> Callable[[], str | None]:
        raise ImportError("no boto3")

    assert find_contradiction(context, "it is here", prepare) is None
    assert "unexpected error: ImportError: no boto3" in stderr.getvalue()
