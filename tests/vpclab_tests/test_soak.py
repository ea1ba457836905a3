"""The soak's judgement: which event explains which outage, which promises are broken, and what the report says of it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from ocf_aws.cli.outages.record import Record, Stretch
from vpclab.hosts.cluster import Failure
from vpclab.soak import report
from vpclab.soak.result import CLIENT_STALL, UNEXPLAINED, Event, FailedAction, Result
from vpclab.soak.services import ENI, OVERLAY_IP, SERVICES


def stretches(address: str, *silences: tuple[float, float]) -> tuple[Stretch, ...]:
    """A hundred seconds in which node1 answers, but for these times."""
    found, since = [], 0.0
    for start, end in silences:
        found += [Stretch(address, "node1", since, start, 100), Stretch(address, None, start, end, 10)]
        since = end
    return (*found, Stretch(address, "node1", since, 100.0, 100))


MOVE = Event(1, "move", "`ip` moved to node2", 9.95, 20.0, frozenset({OVERLAY_IP.address}))


def result_of(*silences: tuple[float, float]) -> Result:
    """A soak with one move of the overlay IP, which did not answer at these times."""
    record = Record(
        {
            OVERLAY_IP.address: stretches(OVERLAY_IP.address, *silences),
            ENI.address: stretches(ENI.address),
        }
    )
    return Result(7, SERVICES, record, (MOVE,), (), 2000, (), None)


def test_an_outage_during_an_event_that_may_interrupt_the_address_comes_from_it() -> None:
    result = result_of((10.0, 12.5))
    assert [cause for _, cause in result.outages] == ["move"]
    assert result.keeps_promises
    assert result.record.availability(OVERLAY_IP.address) == pytest.approx(0.975)
    assert result.record.availability(ENI.address) == 1


def test_an_outage_before_or_after_every_event_has_no_cause() -> None:
    result = result_of((5.0, 6.0), (30.0, 31.0))
    assert [cause for _, cause in result.outages] == [UNEXPLAINED, UNEXPLAINED]
    assert not result.keeps_promises


def test_an_outage_of_an_address_that_the_event_has_no_business_with_has_no_cause() -> None:
    result = result_of((10.0, 12.0))
    event = replace(MOVE, interrupts=frozenset({ENI.address}))
    assert len(replace(result, events=(event,)).unexplained) == 1


def test_a_client_that_stood_still_explains_an_outage() -> None:
    result = result_of((50.0, 51.0))
    record = replace(result.record, stalls=((50.9, 0.8),))
    assert [cause for _, cause in replace(result, record=record).outages] == [CLIENT_STALL]


def failed(resource: str) -> FailedAction:
    """A failed monitor of a resource."""
    return FailedAction(Failure(resource, "monitor", "node1", "error", "gone | away", "now"), "move")


@pytest.mark.parametrize(
    "change",
    [
        {"two_holders": ((10.0, OVERLAY_IP.address),)},
        {"failed": (failed("eni"),)},
        {"trouble": "move: not within 240 s"},
    ],
    ids=["two holders", "failed action", "no recovery"],
)
def test_what_must_not_happen_breaks_a_promise_and_is_in_the_report(change: dict[str, object]) -> None:
    result = replace(result_of((10.0, 12.0)), **change)  # type: ignore[arg-type]
    assert not result.keeps_promises
    assert "broken, 1 found" in report.text(result) or "not within 240 s" in report.text(result)


def test_a_failed_fencing_agent_is_reported_and_breaks_no_promise() -> None:
    result = replace(result_of(), failed=(failed("fence"),))
    assert result.keeps_promises
    assert "| `fence` | monitor | node1 | gone / away |" in report.text(result)


def test_the_report_shows_two_pictures_that_are_well_formed(tmp_path: Path) -> None:
    page = report.write(result_of((10.0, 10.2), (12.0, 15.0)), tmp_path / "new")
    pictures = sorted(page.parent.glob("*.svg"))
    assert [picture.name for picture in pictures] == ["outages.svg", "timeline.svg"]
    for picture in pictures:
        ElementTree.parse(picture)
        assert f"]({picture.name})" in page.read_text()
    assert "| move | 1 | 2 | 1.60 s | 3.00 s | 0 |" in page.read_text()
