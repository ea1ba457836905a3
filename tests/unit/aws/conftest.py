"""An EC2 with state, on the clock that nobody waits for."""

from __future__ import annotations

import pytest

from unit.fakes.clock import Clock
from unit.fakes.ec2 import FakeEc2


@pytest.fixture
def ec2(clock: Clock) -> FakeEc2:
    """EC2 as the library sees it, with nothing in it."""
    return FakeEc2(clock.monotonic)
