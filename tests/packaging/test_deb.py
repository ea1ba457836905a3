"""The package for Debian and Ubuntu: what is in it, and its life on a machine, by apt and dpkg."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ocf_aws import __version__
from vpclab.checkout import CHECKOUT
from vpclab.command import run
from vpclab.hosts.clone import Clone

AGENTS = sorted(path.name for path in (CHECKOUT / "agents").iterdir() if path.is_file())

LIBRARY = Path("usr/lib/python3/dist-packages/ocf_aws")


@pytest.fixture
def installed(clone: Clone, deb: Path) -> Clone:
    """A machine with the package."""
    clone.install(deb)
    return clone


def test_lintian_finds_no_fault_with_it(deb: Path) -> None:
    assert run("lintian", "--allow-root", "--display-info", "--pedantic", deb) == ""


def test_it_has_agents_library_pages_and_documents_and_no_byte_code(deb: Path) -> None:
    files = {line.split()[5] for line in run("dpkg-deb", "--contents", deb).splitlines()}
    for name in AGENTS:
        assert {f"./usr/lib/ocf/resource.d/aws/{name}", f"./usr/share/man/man7/ocf_aws_{name}.7.gz"} <= files
    assert {"./usr/sbin/ocf-aws", "./usr/share/man/man8/ocf-aws.8.gz"} <= files
    assert "./usr/share/bash-completion/completions/ocf-aws" in files
    for module in (CHECKOUT / "lib/ocf_aws").rglob("*.py"):
        assert f"./{LIBRARY}/{module.relative_to(CHECKOUT / 'lib/ocf_aws')}" in files
    documents = {file.removeprefix("./usr/share/doc/resource-agents-aws/") for file in files}
    assert "CHANGELOG.md" in documents
    for path in [CHECKOUT / "README.md", *CHECKOUT.glob("packaging/iam/*"), *CHECKOUT.glob("packaging/examples/*")]:
        assert not path.is_file() or str(path.relative_to(CHECKOUT)).removeprefix("packaging/") in documents
    assert not [file for file in files if file.endswith(".pyc")]


def test_its_documents_lead_to_nothing_that_is_not_there(deb: Path, tmp_path: Path) -> None:
    run("dpkg-deb", "--extract", deb, tmp_path)
    pages = list((tmp_path / "usr/share/doc/resource-agents-aws").rglob("*.md"))
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    assert {page.name for page, _ in links} >= {"README.md", "CHANGELOG.md"}
    assert not [link for page, link in links if ":" not in link and not (page.parent / link).exists()]


def test_an_installed_agent_is_known_to_pacemaker_and_to_man(installed: Clone) -> None:
    assert installed.run("crm_resource", "--list-agents", "ocf:aws").split() == AGENTS
    for name in AGENTS:
        assert f'version="{__version__}"' in installed.run("crm_resource", "--show-metadata", f"ocf:aws:{name}")
        assert installed.run("man", "--where", f"ocf_aws_{name}").strip().endswith(f"man7/ocf_aws_{name}.7.gz")
        installed.run(f"/usr/lib/ocf/resource.d/aws/{name}", "usage")


def test_the_installed_command_runs_and_has_a_page_and_a_completion(installed: Clone) -> None:
    assert installed.run("ocf-aws", "--version").strip() == f"ocf-aws {__version__}"
    assert installed.run("man", "--where", "ocf-aws").strip().endswith("man8/ocf-aws.8.gz")
    completed = "COMP_WORDS=(ocf-aws po); COMP_CWORD=1; _ocf_aws; echo ${COMPREPLY[*]}"
    script = f". /usr/share/bash-completion/completions/ocf-aws; {completed}"
    assert installed.run("bash", "-c", script).strip() == "policy"


def test_an_installed_library_is_compiled_to_byte_code(installed: Clone) -> None:
    modules = {path.stem for path in (installed.root / LIBRARY).glob("*.py")}
    compiled = {path.name.partition(".")[0] for path in (installed.root / LIBRARY / "__pycache__").iterdir()}
    assert compiled == modules


def test_an_upgrade_leaves_nothing_of_the_older_version(clone: Clone, older_deb: Path, deb: Path) -> None:
    clone.install(older_deb)
    (clone.root / LIBRARY / "__pycache__").mkdir(exist_ok=True)
    clone.install(deb)
    assert clone.run("dpkg-query", "-W", "-f", "${Status} ${Version}", "resource-agents-aws") == (
        f"install ok installed {__version__}"
    )
    for name in AGENTS:
        assert f'version="{__version__}"' in clone.run(f"/usr/lib/ocf/resource.d/aws/{name}", "meta-data")
    assert not clone.run("dpkg", "--verify", "resource-agents-aws")


@pytest.mark.parametrize("how", ["remove", "purge"])
def test_nothing_is_left_after(how: str, clone: Clone, deb: Path) -> None:
    clone.install(deb)
    assert [file for file in clone.new_files() if "ocf" in file]
    clone.run("apt-get", how, "--yes", "resource-agents-aws")
    assert clone.new_files() == set()
    assert not (clone.root / "usr/lib/ocf/resource.d/aws").exists()
    assert not (clone.root / LIBRARY).exists()
    assert not (clone.root / "usr/share/doc/resource-agents-aws").exists()


def test_make_uninstall_removes_what_make_install_installed(tmp_path: Path) -> None:
    run("make", "install", f"DESTDIR={tmp_path}", cwd=CHECKOUT)
    assert (tmp_path / "usr/lib/ocf/resource.d/aws" / AGENTS[0]).exists()
    run("make", "uninstall", f"DESTDIR={tmp_path}", cwd=CHECKOUT)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
