"""The life of the package for RHEL, by the real rpm, in a root of its own: installed, upgraded, erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocf_aws import __version__
from vpclab.checkout import CHECKOUT
from vpclab.command import run
from vpclab.hosts.clone import Clone

NAME = "resource-agents-aws"
AGENTS = sorted(path.name for path in (CHECKOUT / "agents").iterdir() if path.is_file())

RHEL_SITELIB = "/usr/lib/python3.9/site-packages"

STAND_INS = """\
Name: bash
Version: 5.1
Release: 1
Summary: Stands in for the distribution's
License: none
BuildArch: noarch
Provides: /bin/sh
%description
%{{summary}}.
%files
{packages}"""

STAND_IN = """\
%package -n {name}
Version: {version}
Summary: Stands in for the distribution's
Provides: {provides}
%description -n {name}
%{{summary}}.
%files -n {name}
"""


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Packages for what RHEL's rpm database knows and Debian's does not; the files are Debian's own."""
    directory = tmp_path_factory.mktemp("stand-ins")
    packages = [
        STAND_IN.format(name="python3", version="3.9", provides="/usr/bin/python3, python(abi) = 3.9"),
        STAND_IN.format(name="python3-boto3", version="1.26", provides="python3dist(boto3)"),
        STAND_IN.format(name="python3-pyroute2", version="0.5.14", provides="python3dist(pyroute2)"),
    ]
    (directory / "stand-ins.spec").write_text(STAND_INS.format(packages="".join(packages)))
    run("rpmbuild", "-bb", "--quiet", f"-D_topdir {directory}", directory / "stand-ins.spec")
    return sorted(directory.rglob("*.rpm"))


class Root:
    """A root with rpm's database, a shell and Python."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone
        self._before = clone.new_files()
        self.run = clone.run

    def rpm(self, *words: str | Path) -> str:
        """Run rpm on the root, and return its output, scriptlets' and errors included."""
        return run("rpm", "--root", self._clone.root, "--dbpath", "/var/lib/rpm", *words)

    def files(self) -> set[str]:
        """The files that are there since the root was made, without rpm's database."""
        # With -vv, rpm leaves the scriptlets that it runs in /var/tmp.
        new = self._clone.new_files() - self._before
        return {f"/{file}" for file in new if not file.startswith(("var/lib/rpm/", "var/tmp/rpm-tmp."))}

    def packaged(self) -> set[str]:
        """The files of the package, without its directories."""
        listed = self.rpm("--query", "--list", NAME).split()
        return {path for path in listed if not (self._clone.root / path.lstrip("/")).is_dir()}

    def exists(self, path: str) -> bool:
        return (self._clone.root / path.lstrip("/")).exists()


@pytest.fixture
def root(clone: Clone, stand_ins: list[Path]) -> Root:
    """A root that has what the package depends on, and whose interpreter finds modules where RHEL's does."""
    (clone.root / "var/lib/rpm").mkdir(parents=True, exist_ok=True)
    path_file = Path(clone.run("/usr/bin/python3", "-c", "import site; print(site.getsitepackages()[0])").strip())
    (clone.root / path_file.relative_to("/") / "rhel.pth").write_text(f"{RHEL_SITELIB}\n")
    root = Root(clone)
    root.rpm("--install", *stand_ins)
    return root


def require_version(root: Root, version: str) -> None:
    """This version, and no other, is installed whole, and its agents and its command run."""
    assert root.rpm("--query", "--queryformat", "%{version}", NAME) == version
    assert root.rpm("--verify", NAME) == ""
    assert root.files() == root.packaged()
    assert root.run("crm_resource", "--list-agents", "ocf:aws").split() == AGENTS
    for name in AGENTS:
        assert f'version="{version}"' in root.run(f"/usr/lib/ocf/resource.d/aws/{name}", "meta-data")
    assert root.run("ocf-aws", "--version").strip() == f"ocf-aws {version}"


def test_it_is_installed_upgraded_and_erased_and_nothing_is_left(
    root: Root, older_rhel_rpm: Path, rhel_rpm: Path
) -> None:
    root.rpm("--install", older_rhel_rpm)
    require_version(root, "0.0.9")
    upgraded = root.rpm("-vv", "--upgrade", rhel_rpm)
    require_version(root, __version__)
    erased = root.rpm("-vv", "--erase", NAME)
    for said, version in (upgraded, "0.0.9"), (erased, __version__):
        # The scriptlet of the package that goes.
        assert f"%preun({NAME}-{version}-1.el9.noarch): waitpid" in said
        assert "WARNING" not in said
    assert root.files() == set()
    assert not root.exists(f"{RHEL_SITELIB}/ocf_aws")
    assert not root.exists("/usr/lib/ocf/resource.d/aws")
    assert not root.exists(f"/usr/share/doc/{NAME}")


def test_it_is_refused_without_the_modules_that_it_needs(root: Root, rhel_rpm: Path) -> None:
    root.rpm("--erase", "python3-boto3")
    with pytest.raises(RuntimeError, match="python3-boto3 >= 1.26 is needed by"):
        root.rpm("--install", rhel_rpm)
    assert root.files() == set()
