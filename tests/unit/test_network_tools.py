"""Which of the operating system's network tools remove what an agent adds, by their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocf_aws import network_tools
from ocf_aws.network_tools import find_rivals_of_address, find_rivals_of_eni

MAC = "02:00:00:00:00:06"
LINK = 5


class Node:
    """A node's files, in a directory of the test."""

    def __init__(self, root: Path):
        self.root = root

    def write(self, path: str, text: str = "") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def enable(self, unit: str) -> None:
        self.write(f"system/multi-user.target.wants/{unit}")

    def manage_by_networkd(self) -> None:
        file = self.root / "etc/network/10-ens5.network"
        self.write("etc/network/10-ens5.network", "[Network]\nDHCP=yes\n")
        self.write(f"links/{LINK}", f"ADMIN_STATE=configured\nNETWORK_FILE={file}\n")

    def install_networkmanager(self, version: str) -> None:
        self.write("bin/NetworkManager", f"#!/bin/sh\necho {version}\n")
        (self.root / "bin/NetworkManager").chmod(0o755)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node on which systemd does not run."""
    monkeypatch.setattr(network_tools, "_WANTS_DIRECTORIES", (tmp_path / "system",))
    monkeypatch.setattr(network_tools, "_RUNNING_SYSTEMD", tmp_path / "nothing")
    monkeypatch.setattr(network_tools, "_NETWORKD_LINKS", tmp_path / "links")
    monkeypatch.setattr(network_tools, "_NETWORKD_DIRECTORIES", (tmp_path / "etc", tmp_path / "run", tmp_path / "usr"))
    monkeypatch.setattr(network_tools, "_NETWORKMANAGER_DIRECTORIES", (tmp_path / "nm",))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return Node(tmp_path)


def test_a_node_without_any_tool_has_no_rival(node: Node) -> None:
    assert find_rivals_of_address(LINK) == [] and find_rivals_of_eni(MAC) == []


def test_networkd_is_a_rival_of_an_address_unless_a_drop_in_keeps_it(node: Node) -> None:
    node.manage_by_networkd()
    assert ["networkd" in rival for rival in find_rivals_of_address(LINK)] == [True]
    assert find_rivals_of_address(LINK + 1) == []

    node.write("etc/network/10-ens5.network.d/90-keep-overlay-ip.conf", "[Network]\nKeepConfiguration=yes\n")
    assert find_rivals_of_address(LINK) == []


def test_networkd_keeps_an_address_as_netplan_writes_it(node: Node) -> None:
    node.manage_by_networkd()
    node.write("run/network/10-ens5.network.d/keep.conf", "[Network]\nKeepConfiguration=true\n")
    assert find_rivals_of_address(LINK) == []


def test_networkd_keeps_no_added_address_for_dhcp_alone(node: Node) -> None:
    node.manage_by_networkd()
    node.write("run/network/10-ens5.network.d/keep.conf", "[Network]\nKeepConfiguration=dhcp\n")
    assert len(find_rivals_of_address(LINK)) == 1


@pytest.mark.parametrize(
    "version, is_rival", [("1.36.0", True), ("1.40.9", True), ("1.40.10", False), ("1.42.4", False), ("?", True)]
)
def test_nm_cloud_setup_is_a_rival_of_an_address_up_to_a_version(node: Node, version: str, is_rival: bool) -> None:
    node.enable("nm-cloud-setup.timer")
    node.install_networkmanager(version)
    assert bool(find_rivals_of_address(LINK)) is is_rival


def test_networkd_is_a_rival_of_an_enis_rules_unless_told_to_leave_foreign_ones(node: Node) -> None:
    node.enable("systemd-networkd.service")
    assert ["ManageForeignRoutingPolicyRules" in rival for rival in find_rivals_of_eni(MAC)] == [True]

    lines = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"
    node.write("etc/networkd.conf.d/90-keep-routes-and-rules.conf", lines)
    assert find_rivals_of_eni(MAC) == []


@pytest.mark.parametrize(
    "text, is_rival",
    [
        ("[device-moved-eni]\nmatch-device=mac:02:00:00:00:00:06\nmanaged=0\n", False),
        ("[keyfile]\nunmanaged-devices=mac:02:00:00:00:00:06\n", False),
        ("[main]\nno-auto-default=*\n", False),
        ("[device-moved-eni]\nmatch-device=mac:02:00:00:00:00:06\nmanaged=1\n", True),
        ("[device-moved-eni]\nmatch-device=mac:02:00:00:00:00:07\nmanaged=0\n", True),
        ("# unmanaged-devices=mac:02:00:00:00:00:06\n", True),
        ("no section at all\n", True),
    ],
)
def test_networkmanager_is_a_rival_of_an_eni_unless_a_file_names_it(node: Node, text: str, is_rival: bool) -> None:
    node.enable("NetworkManager.service")
    node.write("nm/conf.d/90-moved-eni.conf", text)
    assert bool(find_rivals_of_eni(MAC)) is is_rival
