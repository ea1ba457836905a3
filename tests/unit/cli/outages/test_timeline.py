"""The story of a failover as text."""

from __future__ import annotations

import pytest

from ocf_aws.cli.outages.record import Record, Stretch
from ocf_aws.cli.outages.timeline import Event, as_text, length
from unit.fakes.failover import ADDRESS, ZERO, failover, stretches


def test_text_tells_events_and_who_answers_after_which_silence() -> None:
    events = [Event(ZERO + 4.8, "move to node2"), Event(ZERO + 19.9, "power off")]
    assert as_text(failover(), events).splitlines() == [
        "    1.00 s    192.168.77.10  node1 answers",
        "    4.80 s  * move to node2",
        "    5.31 s    192.168.77.10  node2 answers, after 0.31 s of silence",
        "   19.90 s  * power off",
        "   23.10 s    192.168.77.10  node1 answers, after 3.10 s of silence",
        "",
        "              192.168.77.10  2 outages, longest 3.10 s",
    ]


def test_text_begins_with_the_first_event_when_that_is_earlier() -> None:
    first = as_text(failover(), [Event(ZERO - 2, "create")]).splitlines()[:2]
    assert first == [
        "    0.00 s  * create",
        "    3.00 s    192.168.77.10  node1 answers",
    ]


def test_text_tells_of_an_outage_that_goes_on_and_what_the_network_says() -> None:
    seen = list(stretches(ADDRESS, 30, (1, "node1")))
    gone = Stretch(ADDRESS, None, ZERO + 30, ZERO + 42, 999, ("No route to host",))
    text = as_text(Record({ADDRESS: (*seen, gone)}))
    assert "30.00 s" in text
    assert "nobody answers, for 12.0 s so far (No route to host)" in text


def test_text_tells_of_a_client_that_stood_still() -> None:
    text = as_text(Record(failover().stretches, stalls=((ZERO + 7, 0.25),)))
    assert "    7.00 s  ! the client itself stood still for 0.25 s" in text


def test_text_of_a_record_without_any_answer() -> None:
    text = as_text(Record({ADDRESS: stretches(ADDRESS, 30)}))
    assert "nobody has answered" in text
    assert "no outage" not in text


@pytest.mark.parametrize(
    "seconds,text",
    [(0.05, "0.05 s"), (9.994, "9.99 s"), (9.996, "10.0 s"), (99.96, "100 s")],
)
def test_length_has_the_digits_that_it_deserves(seconds: float, text: str) -> None:
    assert length(seconds) == text
