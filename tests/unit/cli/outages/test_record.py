"""The arithmetic of a record: what is an outage, how long it was, and how much of the time somebody answered."""

from __future__ import annotations

import pytest

from ocf_aws.cli.outages.record import Record, Recorder, Stretch

ADDRESS = "192.0.2.10"


def record(*stretches: tuple[str | None, float, float]) -> Record:
    return Record({ADDRESS: tuple(Stretch(ADDRESS, *s, probes=1) for s in stretches)})


def test_silence_before_the_first_answer_is_no_outage() -> None:
    assert record((None, 0, 5), ("node1", 5, 6)).outages() == []


def test_silence_at_the_end_is_an_outage_that_goes_on() -> None:
    (outage,) = record(("node1", 0, 5), (None, 5, 6)).outages()
    assert (outage.seconds, outage.after) == (1, None)


def test_short_silence_is_no_outage_and_does_not_cut_an_answer_in_two() -> None:
    seen = record(("node1", 0, 5), (None, 5, 5.04), ("node1", 5.04, 6))
    assert seen.outages() == []
    assert seen.answers(ADDRESS) == [Stretch(ADDRESS, "node1", 0, 6, probes=2)]
    assert len(seen.outages(minimum=0.03)) == 1


def test_outages_that_had_ended_are_left_out() -> None:
    seen = record(("node1", 0, 1), (None, 1, 2), ("node1", 2, 3), (None, 3, 4))
    assert [outage.start for outage in seen.outages(since=2.5)] == [3]


def test_answers_that_were_all_late_are_no_outage_and_those_of_another_host_are() -> None:
    late = Stretch(ADDRESS, None, 5, 5.4, probes=0)
    before, same, other = (Stretch(ADDRESS, host, at, at + 1, 9) for host, at in (("a", 4), ("a", 5.4), ("b", 5.4)))
    assert Record({ADDRESS: (before, late, same)}).outages() == []
    assert len(Record({ADDRESS: (before, late, other)}).outages()) == 1


def test_availability_counts_from_the_first_answer_to_the_last_report() -> None:
    seen = record((None, 0, 5), ("node1", 5, 10), (None, 10, 12), ("node2", 12, 25))
    assert seen.observed(ADDRESS) == 20
    assert seen.availability(ADDRESS) == pytest.approx(0.9)


def test_nobody_is_available_at_an_address_without_an_answer() -> None:
    assert record((None, 0, 5)).availability(ADDRESS) == 0
    assert record((None, 0, 5)).observed(ADDRESS) == 0


def test_silences_that_are_no_outage_do_not_lessen_availability() -> None:
    assert record(("node1", 0, 5), (None, 5, 5.04), ("node1", 5.04, 10)).availability(ADDRESS) == 1


def test_a_recorder_replaces_a_report_by_a_longer_one_of_the_same_stretch() -> None:
    recorder = Recorder([ADDRESS])
    for end in (1.0, 1.1, 1.2):
        recorder.take(Stretch(ADDRESS, "node1", 1.0, end, 1))
    recorder.take(Stretch(ADDRESS, None, 1.2, 1.3, 1))
    recorder.stalled(1.3, 0.2)
    assert [(s.host, s.end) for s in recorder.record.stretches[ADDRESS]] == [("node1", 1.2), (None, 1.3)]
    assert recorder.record.stalls == ((1.3, 0.2),)
