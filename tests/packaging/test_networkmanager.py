"""The file for NetworkManager does what the page says, with the real NetworkManager of this machine, and DHCP."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NETWORK = HERE.parents[1] / "packaging/examples/network"

OVERLAY_IP = {"overlay-ip"}
ENI = {"eni-address", "eni-route", "eni-rule"}
DHCP = {"eni-default-route"}

EVENTS = "reload restart renew reapply activate"


@pytest.fixture(scope="module")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that gives a veth what the link of an ENI has, a permanent MAC."""
    library = tmp_path_factory.mktemp("preload") / "permanent_address.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "permanent_address.c"], check=True)
    return library


def left_after(events: str, preload: Path, *files: str) -> dict[str, set[str]]:
    """What each of the events leaves of an overlay IP and of a moved ENI, with these files in place."""
    namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*namespaces, "sh", HERE / "networkmanager.sh", NETWORK, preload, events, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    return {event: set(left.split()) for event, _, left in (line.partition(":") for line in done.stdout.splitlines())}


def test_networkmanager_removes_the_address_when_it_applies_a_profile_and_never_else(
    preload: Path, in_sandbox: None
) -> None:
    assert left_after(EVENTS, preload) == {
        "reload": OVERLAY_IP | ENI | DHCP,
        "restart": OVERLAY_IP | ENI | DHCP,
        "renew": OVERLAY_IP | ENI | DHCP,
        "reapply": {"eni-route", "eni-rule"} | DHCP,
        "activate": {"eni-rule"} | DHCP,
    }


def test_the_file_for_a_moved_eni_keeps_networkmanager_off_its_link(preload: Path, in_sandbox: None) -> None:
    assert left_after(EVENTS, preload, "networkmanager-moved-eni.conf") == {
        "reload": OVERLAY_IP | ENI,
        "restart": OVERLAY_IP | ENI,
        "renew": OVERLAY_IP | ENI,
        "reapply": ENI,
        "activate": ENI,
    }


def test_the_file_copied_beside_an_eni_takes_nothing_away(preload: Path, in_sandbox: None) -> None:
    assert left_after("copy restart", preload) == {"copy": OVERLAY_IP | ENI | DHCP, "restart": OVERLAY_IP | ENI | DHCP}


def test_unmanaged_devices_instead_of_the_file_takes_the_enis_addresses_away(preload: Path, in_sandbox: None) -> None:
    assert left_after("unmanaged-devices", preload) == {"unmanaged-devices": OVERLAY_IP | {"eni-rule"}}
