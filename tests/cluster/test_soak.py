"""Two minutes of the soak: random events in a real cluster, after which everything is healthy again."""

from __future__ import annotations

import secrets

import pytest

from vpclab.lab import Lab
from vpclab.soak import report, soak
from vpclab.soak.holders import HolderWatch
from vpclab.soak.result import Result
from vpclab.waiting import wait_until

PLAN = soak.PLAN
"""Of the module's lab."""

MINUTES = 2.0


@pytest.fixture(scope="module")
def result(lab: Lab) -> Result:
    """What two minutes of soak found; pytest shows what is printed where a test fails."""
    seed = secrets.randbelow(1_000_000)
    print(f"make soak MINUTES={MINUTES:g} SEED={seed}")
    return soak.soak(lab, MINUTES, seed)


def test_no_two_nodes_have_an_address_at_the_same_time(result: Result) -> None:
    assert result.looks > result.seconds
    assert result.two_holders == ()


def test_every_outage_comes_from_an_event_that_may_interrupt_the_address(result: Result) -> None:
    assert result.unexplained == [], report.text(result)


def test_no_action_of_the_agents_fails(result: Result) -> None:
    assert result.failed_agents == [], report.text(result)


def test_everything_is_healthy_again_after_each_event(result: Result, lab: Lab) -> None:
    assert result.trouble is None
    assert lab.cluster.online() == set(lab.nodes)
    for service in result.services:
        assert len(lab.cluster.resource_runs_on(service.resource)) == 1
        assert result.record.availability(service.address) > 0.1


def test_two_nodes_with_an_address_would_be_found(result: Result, lab: Lab) -> None:
    (service, _) = result.services
    (node,) = lab.cluster.resource_runs_on(service.resource)
    other = lab.nodes[lab.other(node)]
    other.run("ip", "address", "add", f"{service.address}/32", "dev", "ens5")
    try:
        with HolderWatch(lab.nodes, [service.address]) as holders:
            wait_until(lambda: bool(holders.moments), 10, lambda: f"{holders.looks} looks")
    finally:
        other.run("ip", "address", "del", f"{service.address}/32", "dev", "ens5")
