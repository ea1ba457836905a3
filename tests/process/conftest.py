"""One instance of a VPC for each test, and one installation for all of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpclab.fixtures import single_node  # noqa: F401
from vpclab.hosts.installation import Installation


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """What `make install` makes; a test that damages it asks for `breakable`."""
    return Installation(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def breakable(installation: Installation, tmp_path: Path) -> Iterator[Installation]:
    """An installation whose library a test may damage; it is as before when the test ends."""
    kept = shutil.copytree(installation.library, tmp_path / "kept")
    yield installation
    shutil.rmtree(installation.library)
    shutil.copytree(kept, installation.library)
