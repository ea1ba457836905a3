"""The agents as they are installed: a launcher without `site`, and byte-code of the library beside it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ocf_aws
from vpclab.checkout import CHECKOUT
from vpclab.hosts.installation import Installation
from vpclab.hosts.single_node import Result, SingleNode

IP = "192.168.10.10"
CIDR = f"{IP}/32"
ENI = "eni-0123456789abcdef0"


class Resource:
    """A resource of an installed agent, by its parameters."""

    def __init__(self, single_node: SingleNode, agent: str, **parameters: str):
        self._single_node, self._agent, self._parameters = single_node, agent, parameters

    def __call__(self, action: str, **how: Any) -> Result:
        return self._single_node.run(self._agent, action, self._parameters, **how)


def overlay_ip(single_node: SingleNode, installation: Installation, **parameters: str) -> Resource:
    tables = ",".join(single_node.vpc.route_tables.values())
    return Resource(
        single_node, installation.agent("aws-overlay-ip"), **{"ip": IP, "routing_table": tables, **parameters}
    )


@pytest.fixture
def address(single_node: SingleNode) -> Iterator[None]:
    """The overlay IP is on this node."""
    subprocess.run(["ip", "address", "add", CIDR, "dev", single_node.link], check=True)
    yield


# --- it works ---------------------------------------------------------------------------------------------------------


def test_an_overlay_ip_lives_as_from_the_checkout(single_node: SingleNode, installation: Installation) -> None:
    single_node.disable_source_dest_check()
    resource = overlay_ip(single_node, installation)
    assert resource("monitor").status == 7
    assert resource("start").status == 0
    assert CIDR in single_node.addresses()
    assert {single_node.holder(name, CIDR) for name in single_node.vpc.route_tables} == {single_node.eni}
    assert resource("monitor", interval=10).status == 0
    assert resource("monitor", interval=10, level=10).status == 0
    assert resource("stop").status == 0
    assert CIDR not in single_node.addresses()
    assert resource("stop").status == 0


def test_meta_data_needs_neither_root_nor_the_environment(installation: Installation) -> None:
    for name in ("aws-overlay-ip", "aws-eni-move"):
        done = subprocess.run([installation.agent(name), "meta-data"], env={}, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("<?xml")


def make(target: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", CHECKOUT, target, *words], capture_output=True, text=True, check=False)


def test_what_root_installs_others_may_read(tmp_path: Path) -> None:
    hardened = os.umask(0o077)
    try:
        assert make("install", f"DESTDIR={tmp_path / 'root'}").returncode == 0
    finally:
        os.umask(hardened)
    paths = list((tmp_path / "root").rglob("*"))
    unreadable = [path for path in paths if path.stat().st_mode & 0o004 == 0]
    assert len(paths) > 200 and unreadable == []


@pytest.mark.parametrize("target", ["install", "uninstall"])
@pytest.mark.parametrize(
    "word, told",
    [
        ("PYTHON=python3", "give the absolute path"),
        ("SITELIB=/opt/my site", "no blanks"),
        ("DESTDIR=/a b", "no blanks"),
    ],
)
def test_make_refuses_what_it_could_do_harm_with(target: str, word: str, told: str) -> None:
    refused = make(target, word, "--dry-run")
    assert refused.returncode == 2 and told in refused.stderr


def test_the_command_finds_its_library_wherever_that_is(tmp_path: Path) -> None:
    places = (
        f"{name}={tmp_path / name}" for name in ("SITELIB", "SBINDIR", "AGENTDIR", "MANDIR", "DOCDIR", "COMPLETIONDIR")
    )
    assert make("install", *places).returncode == 0
    told = subprocess.run([tmp_path / "SBINDIR/ocf-aws", "--version"], env={}, capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (0, f"ocf-aws {ocf_aws.__version__}\n")


def test_an_agent_that_has_nothing_to_stop_writes_no_byte_code(
    single_node: SingleNode, breakable: Installation
) -> None:
    for cache in breakable.library.rglob("__pycache__"):
        subprocess.run(["rm", "-r", cache], check=True)
    assert overlay_ip(single_node, breakable)("stop").status == 0
    assert not list(breakable.library.rglob("__pycache__"))


# --- files of the library are gone ------------------------------------------------------------------------------------

GONE = ["ocf_aws", "ocf_aws/ocf/runtime.py", "ocf_aws/ip.py", "ocf_aws/aws_overlay_ip.py", "ocf_aws/aws_eni_move.py"]


def damage(installation: Installation, name: str) -> None:
    path = installation.library / name
    for cache in installation.library.rglob("__pycache__"):
        subprocess.run(["rm", "-r", cache], check=True)
    subprocess.run(["rm", "-r", path], check=True)


def told(result: Result) -> bool:
    """Whether one line tells all."""
    return result.stderr.count("\n") == 1 and result.reason.startswith("reinstall resource-agents-aws: ")


@pytest.mark.parametrize("gone", GONE[:-1])
def test_an_overlay_ip_without_its_library_is_told_in_one_line(
    gone: str, single_node: SingleNode, breakable: Installation
) -> None:
    damage(breakable, gone)
    resource = overlay_ip(single_node, breakable)
    for action in ("start", "monitor", "validate-all"):
        result = resource(action)
        assert result.status == 5 and told(result), result


@pytest.mark.parametrize("text", ["", "raise ValueError", "def ("])
def test_a_library_that_is_damaged_is_as_one_that_is_gone(
    text: str, single_node: SingleNode, breakable: Installation
) -> None:
    damage(breakable, "ocf_aws/ip.py")
    (breakable.library / "ocf_aws/ip.py").write_text(text)
    result = overlay_ip(single_node, breakable)("start")
    assert result.status == 5 and told(result), result


def test_a_stop_without_the_library_succeeds_where_the_kernel_has_no_such_address(
    single_node: SingleNode, breakable: Installation
) -> None:
    damage(breakable, "ocf_aws")
    assert overlay_ip(single_node, breakable)("stop").status == 0
    assert overlay_ip(single_node, breakable, ip="fd00:10::10")("stop").status == 0
    assert overlay_ip(single_node, breakable, ip="no address")("stop").status == 0


def test_an_address_that_any_program_may_bind_is_not_taken_for_one_that_is_here(
    single_node: SingleNode, breakable: Installation
) -> None:
    # As haproxy and keepalived have it.
    damage(breakable, "ocf_aws")
    for ip, name in ((IP, "ipv4"), ("fd00:10::10", "ipv6")):
        Path(f"/proc/sys/net/{name}/ip_nonlocal_bind").write_text("1")
        assert overlay_ip(single_node, breakable, ip=ip)("monitor").status == 5
        assert overlay_ip(single_node, breakable, ip=ip)("stop").status == 0


def test_an_ipv6_address_is_found_without_the_library(single_node: SingleNode, breakable: Installation) -> None:
    damage(breakable, "ocf_aws")
    subprocess.run(["ip", "address", "add", "fd00:10::10/128", "dev", single_node.link, "nodad"], check=True)
    assert overlay_ip(single_node, breakable, ip="fd00:10:0::10")("monitor").status == 1
    assert overlay_ip(single_node, breakable, ip="fd00:10::11")("monitor").status == 5


def test_a_stop_without_the_library_fails_where_the_kernel_has_the_address(
    single_node: SingleNode, breakable: Installation, address: None
) -> None:
    damage(breakable, "ocf_aws")
    result = overlay_ip(single_node, breakable)("stop")
    assert result.status == 1 and told(result)
    assert overlay_ip(single_node, breakable, ip=CIDR)("stop").status == 1
    assert CIDR in single_node.addresses()


def test_a_probe_without_the_library_says_that_something_runs_where_the_kernel_has_the_address(
    single_node: SingleNode, breakable: Installation, address: None
) -> None:
    # To 5, Pacemaker starts it on the other node, and stops nothing here.
    damage(breakable, "ocf_aws")
    result = overlay_ip(single_node, breakable)("monitor")
    assert result.status == 1 and told(result)


def test_an_eni_without_the_library_stops_where_no_start_left_a_record(
    single_node: SingleNode, breakable: Installation, tmp_path: Path
) -> None:
    damage(breakable, "ocf_aws/aws_eni_move.py")
    resource = Resource(single_node, breakable.agent("aws-eni-move"), eni_id=ENI)
    environ = {"HA_RSCTMP": str(tmp_path)}
    assert resource("start", environ=environ).status == 5
    assert resource("stop", environ=environ).status == 0
    assert resource("monitor", environ=environ).status == 5
    (tmp_path / f"aws-eni-move-{ENI}").touch()
    assert resource("stop", environ=environ).status == 1
    assert resource("monitor", environ=environ).status == 1
