"""The package for RHEL, Fedora and SLES: built and unpacked here, with the macros of each distribution put in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vpclab.checkout import CHECKOUT
from vpclab.command import run
from vpclab.hosts.clone import Clone

AGENTS = sorted(path.name for path in (CHECKOUT / "agents").iterdir() if path.is_file())

DISTRIBUTIONS = {
    "RHEL 9": {"rhel": "9", "__python3": "/usr/bin/python3", "python3_sitelib": "/usr/lib/python3.9/site-packages"},
    "RHEL 10": {"rhel": "10", "__python3": "/usr/bin/python3", "python3_sitelib": "/usr/lib/python3.12/site-packages"},
    "Fedora": {"fedora": "44", "__python3": "/usr/bin/python3", "python3_sitelib": "/usr/lib/python3.14/site-packages"},
    "SLES 15": {"suse_version": "1500"},
    "SLES 16": {"suse_version": "1600", "primary_python": "python313"},
}


@pytest.fixture
def spec(rpm: Path) -> Path:
    """The spec, as it is with the version filled in."""
    return rpm.parents[1] / "build/rpm/SPECS/resource-agents-aws.spec"


def test_rpmlint_finds_no_fault_with_it(rpm: Path, spec: Path) -> None:
    filters = CHECKOUT / "packaging/rpm/resource-agents-aws.rpmlintrc"
    said = run("rpmlint", "--rpmlintrc", filters, *rpm.parent.glob("*.rpm"), spec)
    assert "0 errors, 0 warnings" in said, said


def test_one_that_is_made_on_debian_says_that_it_is_for_inspection(rpm: Path, rhel_rpm: Path) -> None:
    said = f"{rpm.name} is for inspection only"
    assert "dist-packages/ocf_aws" in run("rpm", "--query", "--package", "--list", rpm)
    assert said in (rpm.parents[1] / "make.log").read_text()
    assert "dist-packages" not in run("rpm", "--query", "--package", "--list", rhel_rpm)
    assert "inspection" not in (rhel_rpm.parents[1] / "make.log").read_text()


def test_its_agents_run_where_it_is_unpacked(rpm: Path, clone: Clone) -> None:
    shutil.copy(rpm, clone.root / "tmp/package.rpm")
    clone.run("sh", "-c", "rpm2cpio /tmp/package.rpm | cpio --quiet -idm -D /")
    assert clone.run("crm_resource", "--list-agents", "ocf:aws").split() == AGENTS
    for name in AGENTS:
        assert "</resource-agent>" in clone.run("crm_resource", "--show-metadata", f"ocf:aws:{name}")
        assert f"ocf_aws_{name}" in clone.run("man", "--where", f"ocf_aws_{name}")
    validate = f"ip=192.168.10.10 routing_table=rtb-{0:017x}".split()
    options = [word for option in validate for word in ("--option", option)]
    clone.run(*"crm_resource --validate --class ocf --provider aws --agent aws-overlay-ip".split(), *options)


def test_it_has_the_command_its_page_and_its_completion(rpm: Path, clone: Clone) -> None:
    files = run("rpm", "--query", "--package", "--list", rpm).split()
    assert {"/usr/sbin/ocf-aws", "/usr/share/bash-completion/completions/ocf-aws"} <= set(files)
    assert [file for file in files if file.startswith("/usr/share/man/man8/ocf-aws.8")]
    shutil.copy(rpm, clone.root / "tmp/package.rpm")
    clone.run("sh", "-c", "rpm2cpio /tmp/package.rpm | cpio --quiet -idm -D /")
    assert clone.run("ocf-aws", "--version").startswith("ocf-aws ")


def test_its_library_comes_with_byte_code(rpm: Path) -> None:
    files = run("rpm", "--query", "--package", "--list", rpm).split()
    modules = [path.stem for path in (CHECKOUT / "lib/ocf_aws").glob("*.py")]
    assert all([file for file in files if f"/__pycache__/{module}.cpython-" in file] for module in modules)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_distribution_gets_the_modules_of_its_own_interpreter(distribution: str, spec: Path) -> None:
    flavor = {"SLES 15": "python311", "SLES 16": "python313"}.get(distribution, "python3")
    macros = [f"-D{name} {value}" for name, value in DISTRIBUTIONS[distribution].items()]
    parsed = run("rpmspec", *macros, "--parse", spec)
    required = {line.split()[1] for line in parsed.splitlines() if line.startswith("Requires:")}
    assert required == {f"{flavor}-boto3", f"{flavor}-pyroute2"}
    interpreter = "/usr/bin/python3.11" if distribution == "SLES 15" else "/usr/bin/python3"
    assert f"PYTHON={interpreter}" in parsed
    sitelib = DISTRIBUTIONS[distribution].get("python3_sitelib", "")
    assert f"\n{sitelib}/ocf_aws\n" in parsed or distribution.startswith("SLES")
