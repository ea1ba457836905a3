"""A node that is attacked, the sample of the attacks that is made, and the table of what came of them.

FAULTS=all makes all of them, FAULTS=200 a larger sample; FAULTS_SEED=... draws the sample that a run has printed.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from faults.attack import record
from faults.promises import ACTIONS
from faults.subjects import (
    EniMove,
    EniOfAStoppedHolder,
    OverlayIp,
    SharedOverlayIp,
    Subject,
)
from vpclab.fixtures import single_node  # noqa: F401
from vpclab.hosts.pci_hotplug import PciHotplug
from vpclab.hosts.single_node import SingleNode
from vpclab.plan import ONE_ZONE

IS_WHOLE = os.environ.get("FAULTS") == "all"
SAMPLE = 14 if IS_WHOLE else int(os.environ.get("FAULTS", "14"))
"""How many tests of the matrix a run makes that is not asked for all; one attack each."""

SEED = os.environ.get("FAULTS_SEED") or os.environ.get("PYTEST_XDIST_TESTRUNUID", os.urandom(3).hex())[:6]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "matrix: one of very many attacks, of which a run makes a few")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    matrix = [item for item in items if item.get_closest_marker("matrix")]
    if IS_WHOLE or len(matrix) <= SAMPLE:
        return
    chosen = set(random.Random(SEED).sample(matrix, SAMPLE))
    config.hook.pytest_deselected(items=[item for item in matrix if item not in chosen])
    items[:] = [item for item in items if item in chosen or not item.get_closest_marker("matrix")]


@pytest.fixture(scope="module")
def subjects(in_sandbox: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Subject]]:
    """What is attacked, by kind; all on one node."""
    # Link-local addresses come some time after a link is up, in the middle of a comparison.
    subprocess.run(["sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1"], check=True)
    with SingleNode(tmp_path_factory.mktemp("node"), ONE_ZONE) as node:
        subprocess.run(["ip", "address", "add", "10.0.1.11/24", "dev", node.link], check=True)
        hotplug = PciHotplug(node)
        yield {
            "an overlay IP": OverlayIp(node),
            "a shared overlay IP": SharedOverlayIp(node),
            "an ENI": EniMove(node),
            "an ENI of a stopped holder": EniOfAStoppedHolder(node),
        }
        hotplug.close()
        subprocess.run("ip rule flush protocol 203", shell=True, check=True)


@pytest.fixture(scope="module")
def recorded() -> Callable[[Subject, str], list[str]]:
    """The kinds of calls that an action of a subject makes while all is well."""
    known: dict[tuple[int, str], list[str]] = {}

    def calls(subject: Subject, action: str) -> list[str]:
        key = id(subject), action
        if key not in known:
            known[key] = record(subject, action)
        return known[key]

    return calls


@pytest.fixture
def seed() -> str:
    """What everything that is random is drawn by."""
    return SEED


@pytest.fixture
def judge(record_property: Callable[[str, object], None]) -> Callable[[str, str, int, list[str]], None]:
    """Enters attacks of a kind on an action into the table, and fails the test for each promise that was broken."""

    def enter(kind: str, action: str, tried: int, broken: list[str]) -> None:
        record_property("tried", (kind, action, tried, len(broken), SEED))
        assert not broken, "\n".join(broken)

    return enter


@pytest.fixture
def sample(request: pytest.FixtureRequest) -> random.Random | None:
    """What chooses one of a test's attacks; None where all are made."""
    return None if IS_WHOLE else random.Random(SEED + request.node.name)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    tried: Counter[tuple[str, str]] = Counter()
    broken = 0
    seeds = set()
    for report in (
        each for found in terminalreporter.stats.values() for each in found if hasattr(each, "user_properties")
    ):
        for name, value in report.user_properties if getattr(report, "when", "") == "call" else ():
            if name == "tried":
                fault, action, count, failures, seed = value
                tried[fault, action] += count
                broken += failures
                seeds.add(seed)
    tried = +tried
    if not tried:
        return
    terminalreporter.section("faults")
    kinds = sorted({fault for fault, _ in tried})
    actions = [action for action in ACTIONS if any(action == each for _, each in tried)]
    width = max(map(len, kinds))
    terminalreporter.write_line(" " * width + "".join(f"{action:>17}" for action in actions))
    for kind in kinds:
        counts = "".join(f"{tried[kind, action] or '':>17}" for action in actions)
        terminalreporter.write_line(f"{kind:{width}}{counts}")
    drawn = "all" if IS_WHOLE else f"a sample, FAULTS_SEED={' '.join(sorted(seeds))}"
    terminalreporter.write_line(f"{sum(tried.values())} faults tried ({drawn}), promises broken: {broken}")
