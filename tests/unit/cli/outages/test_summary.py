"""What a whole measurement comes to."""

from __future__ import annotations

import pytest

from ocf_aws.cli.outages.destination import parse_destination
from ocf_aws.cli.outages.record import Record, Stretch
from ocf_aws.cli.outages.summary import as_dict, as_line, percent
from ocf_aws.cli.outages.timeline import Event

ADDRESS = "192.0.2.10:22"
ZERO = 1_800_000_000.0


def record(*stretches: tuple[str | None, float, float]) -> Record:
    return Record({ADDRESS: tuple(Stretch(ADDRESS, host, ZERO + at, ZERO + end, 9) for host, at, end in stretches)})


@pytest.mark.parametrize(
    "stretches,line",
    [
        ([(None, 0, 3)], "no answer in 3.00 s"),
        ([(None, 0, 3), ("a", 3, 63)], "no outage in 60.0 s"),
        ([("a", 0, 10), (None, 10, 12.5), ("b", 12.5, 100)], "1 outage, 2.50 s; available 97.50 % of 100 s"),
        ([("a", 0, 10), (None, 10, 12)], "1 outage, 2.00 s, it goes on; available 83.33 % of 12.0 s"),
        (
            [("a", 0, 10), (None, 10, 11), ("a", 11, 20), (None, 20, 25)],
            "2 outages, longest 5.00 s, together 6.00 s, the last one goes on; available 76.00 % of 25.0 s",
        ),
    ],
)
def test_the_summary_has_number_longest_sum_and_availability(
    stretches: list[tuple[str | None, float, float]], line: str
) -> None:
    assert as_line(record(*stretches), ADDRESS, 0.05) == line


@pytest.mark.parametrize(
    "part,text", [(1, "100.00 %"), (0.5, "50.00 %"), (0.99999, "99.999 %"), (0.9999996, "99.99996 %"), (0, "0.00 %")]
)
def test_less_than_all_the_time_never_reads_as_all(part: float, text: str) -> None:
    assert percent(part) == text


def test_a_script_gets_times_in_utc_and_null_for_whom_nobody_knows() -> None:
    seen = record((ADDRESS, 0, 10), (None, 10, 12.5), ("02:00:00:00:00:01", 12.5, 100))
    told = as_dict(seen, parse_destination(ADDRESS), 0.05, [Event(ZERO, "moved")])
    assert told["outages"] == [
        {
            "start": "2027-01-15T08:00:10.000Z",
            "end": "2027-01-15T08:00:12.500Z",
            "seconds": 2.5,
            "before": None,
            "after": "02:00:00:00:00:01",
            "lost_probes": 9,
            "errors": [],
        }
    ]
    assert told["events"] == [{"time": "2027-01-15T08:00:00.000Z", "text": "moved"}]
    assert (told["observed_seconds"], told["availability"]) == (100, pytest.approx(0.975))


def test_an_outage_that_goes_on_has_no_end_and_an_address_that_never_answered_no_availability() -> None:
    destination = parse_destination(ADDRESS)
    (outage,) = as_dict(record(("a", 0, 10), (None, 10, 12)), destination, 0.05, [])["outages"]
    assert (outage["end"], outage["after"], outage["seconds"]) == (None, None, 2)
    assert as_dict(record((None, 0, 3)), destination, 0.05, [])["availability"] is None
