"""What all tests share: the agents as modules, and the reasons why a test cannot run here."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

# Tests of tests/unit need nothing but Python and pytest: what needs more is imported where it is used.
import pytest

from ocf_aws import __version__

CHECKOUT = Path(__file__).parents[1]

# Files without a suffix have no place for their bytecode but beside themselves.
sys.dont_write_bytecode = True

LONGEST_FIRST = (
    "vpclab_tests/test_background_lab.py",
    "vpclab_tests/test_demo.py",
    "cluster/test_worst_hour.py",
    "cli/test_check_faults.py",
    "cluster/",
    "process/test_overlay_ip.py",
    "faults/",
    "process/",
    "packaging/test_in_a",
)
"""What takes minutes begins first, so that no worker is left with it at the end, when the others have nothing to do."""

IS_ACCEPTANCE = os.environ.get("ACCEPTANCE") == "1"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "acceptance: takes minutes; ACCEPTANCE=1 runs it, as `make acceptance` does")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=place_in_line)
    if IS_ACCEPTANCE:
        return
    long = [item for item in items if item.get_closest_marker("acceptance")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if not item.get_closest_marker("acceptance")]


def place_in_line(item: pytest.Item) -> int:
    """When the file of a test has its turn; tests of one file keep their order."""
    path = str(item.path.relative_to(CHECKOUT / "tests"))
    return next((place for place, name in enumerate(LONGEST_FIRST) if path.startswith(name)), len(LONGEST_FIRST))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the tables whose rows tests have recorded: `record_property("row", [title, cell, ...])`."""
    tables: dict[str, list[list[str]]] = {}
    for report in (report for of in terminalreporter.stats.values() for report in of):
        if getattr(report, "when", "") == "teardown":
            for name, row in report.user_properties:
                if name == "row":
                    tables.setdefault(row[0], []).append(row[1:])
    for title, rows in tables.items():
        terminalreporter.section(title)
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may depend on the AWS and cluster settings of the machine that it runs on."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "OCF_", "HA_", "BOTO_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


def load_agent(name: str) -> ModuleType:
    """An agent's executable as a module; importing it runs nothing."""
    path = str(CHECKOUT / "agents" / name)
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), path)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def overlay_ip() -> ModuleType:
    """The agent aws-overlay-ip."""
    return load_agent("aws-overlay-ip")


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for this run of the tests, the same for all its workers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def deb(shared_directory: Path) -> Path:
    """The package for Debian, of this checkout as it is."""
    from vpclab.checkout import build

    return build(shared_directory / "deb", __version__, "deb") / f"resource-agents-aws_{__version__}_all.deb"


@pytest.fixture(scope="session")
def in_sandbox() -> None:
    """For whatever changes links, addresses, routes or mounts: it must not be the machine's own."""
    from vpclab import sandbox

    if os.geteuid() != 0:
        pytest.skip("needs root: the kernel's tables and mounts are changed")
    if not sandbox.inside():
        pytest.skip("needs a sandbox: run `make test`, or python3 tests/vpclab/sandbox.py pytest ...")
