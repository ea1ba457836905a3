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
    """The package for inspection, as Debian's rpmbuild makes it."""
    return (
        build(shared_directory / "rpm", __version__, "rpm") / f"resource-agents-aws-{__version__}-1.debian.noarch.rpm"
    )


RHEL = "RPMFLAGS=--define 'dist .el9' --define 'python3_sitelib /usr/lib/python3.9/site-packages'"
"""What Debian's rpmbuild needs to be told to make the package as RHEL 9 has it."""


@pytest.fixture(scope="session")
def rhel_rpm(shared_directory: Path) -> Path:
    """The package with the places of RHEL 9."""
    dist = build(shared_directory / "rhel", __version__, "rpm", RHEL)
    return dist / f"resource-agents-aws-{__version__}-1.el9.noarch.rpm"


@pytest.fixture(scope="session")
def older_rhel_rpm(shared_directory: Path) -> Path:
    """The package with the places of RHEL 9, of an older version."""
    return build(shared_directory / "older-rhel", "0.0.9", "rpm", RHEL) / "resource-agents-aws-0.0.9-1.el9.noarch.rpm"


@pytest.fixture
def clone(in_sandbox: None) -> Iterator[Clone]:
    """A clone of this machine, without the package."""
    with Clone() as clone:
        yield clone
