"""One version: the library's."""

from __future__ import annotations

import re
from pathlib import Path

from ocf_aws import __version__
from vpclab.checkout import CHECKOUT
from vpclab.command import run


def test_the_newest_version_in_the_changelog_is_the_librarys() -> None:
    versions = re.findall(r"^## \[([^]]+)\]", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__


def test_the_version_of_the_packages_is_the_librarys(deb: Path, rpm: Path) -> None:
    assert run("dpkg-deb", "--field", deb, "Version").strip() == __version__
    assert run("rpm", "--query", "--queryformat", "%{version}", "--package", rpm).strip() == __version__
