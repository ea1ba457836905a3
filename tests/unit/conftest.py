"""What the tests of single modules share: a clock that nobody waits for, a log to read, and both agents."""

from __future__ import annotations

import io
from types import ModuleType

import pytest

from conftest import load_agent
from ocf_aws.aws import attachment
from ocf_aws.ocf import deadline, runtime
from ocf_aws.ocf import log as log_module
from ocf_aws.ocf.log import Log
from unit.fakes.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the whole library."""
    clock = Clock()
    for module in (deadline, runtime, log_module, attachment):
        monkeypatch.setattr(module, "monotonic", clock.monotonic)
    monkeypatch.setattr(deadline, "sleep", clock.sleep)
    return clock


@pytest.fixture
def stderr() -> io.StringIO:
    """Where `log` writes."""
    return io.StringIO()


@pytest.fixture
def log(stderr: io.StringIO) -> Log:
    """The log of an action."""
    return Log("an-agent", "rsc", {}, stderr)


@pytest.fixture(scope="session", params=["aws-overlay-ip", "aws-eni-move"])
def agent(request: pytest.FixtureRequest) -> ModuleType:
    """Each agent as a module."""
    return load_agent(request.param)
