"""Packages of another version and kind, and a machine to try them on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ocf_aws import __version__
from vpclab.checkout import build
from vpclab.hosts.clone import Clone


@pytest.fixture(scope="session")
def older_deb(shared_directory: Path) -> Path:
    """The package for Debian, of an older version."""
    return build(shared_directory / "older", "0.0.9", "deb") / "resource-agents-aws_0.0.9_all.deb"


@pytest.fixture(scope="session")
def rpm(shared_directory: Path) -> Path:
    """The package for RHEL, Fedora and SLES, as Debian's rpmbuild makes it."""
    return build(shared_directory / "rpm", __version__, "rpm") / f"resource-agents-aws-{__version__}-1.noarch.rpm"


@pytest.fixture
def clone(in_sandbox: None) -> Iterator[Clone]:
    """A clone of this machine, without the package."""
    with Clone() as clone:
        yield clone
