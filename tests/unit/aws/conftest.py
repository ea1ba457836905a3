"""An EC2 with state, on the clock that nobody waits for."""

from __future__ import annotations

import pytest

from unit.fakes.clock import Clock
from unit.fakes.ec2 import FakeEc2


@pytest.fixture
def ec2(clock: Clock) -> FakeEc2:
    """EC2 as the library sees it, with nothing in it."""
    return FakeEc2(clock.monotonic)


@pytest.fixture
def tables(ec2: FakeEc2) -> FakeEc2:
    """Three tables, whose routes for the address lead to another instance."""
    for table_id in ("rtb-1", "rtb-2", "rtb-3"):
        ec2.add_table(table_id, tags={"Cluster": "hana"} if table_id != "rtb-1" else {})
        ec2.lead(table_id, "eni-there")
    return ec2
