"""One version: the library's."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ocf_aws import __version__
from vpclab.clone import run
from vpclab.solo import CHECKOUT

SPEC = CHECKOUT / "packaging/rpm/resource-agents-aws.spec"


def test_the_newest_version_in_the_changelog_is_the_librarys() -> None:
    versions = re.findall(r"^## \[([^]]+)\]", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__


def test_the_version_of_the_spec_is_the_librarys() -> None:
    assert run("rpmspec", "--query", "--queryformat", "%{version}\n", SPEC).split() == [__version__]


def test_an_rpm_of_another_version_than_the_librarys_is_not_built(tmp_path: Path) -> None:
    tree = tmp_path / "ocf-aws-9.9"
    shutil.copytree(CHECKOUT / "lib", tree / "lib")
    run("tar", "-C", tmp_path, "-czf", tmp_path / f"{tree.name}.tar.gz", tree.name)
    spec = tmp_path / SPEC.name
    spec.write_text(SPEC.read_text().replace(f"Version:        {__version__}", "Version:        9.9"))
    with pytest.raises(RuntimeError, match="has another version than the spec's 9.9"):
        run("rpmbuild", "-bp", "--nodeps", f"-D_topdir {tmp_path}", f"-D_sourcedir {tmp_path}", spec)
