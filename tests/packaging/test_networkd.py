"""The files for systemd-networkd do what the page says, with the real networkd of this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NETWORK = HERE.parents[1] / "packaging/examples/network"

KEEP_OVERLAY_IP = "networkd-keep-overlay-ip.conf"
MOVED_ENI = "networkd-moved-eni.network"
KEEP_ROUTES_AND_RULES = "networkd-keep-routes-and-rules.conf"


def left_after_restart(*files: str) -> set[str]:
    """What a restart of networkd leaves of an overlay IP and of a moved ENI, with these files in place."""
    namespaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*namespaces, "sh", HERE / "networkd.sh", NETWORK, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ((), set()),
        ((KEEP_OVERLAY_IP,), {"overlay-ip"}),
        ((MOVED_ENI,), {"eni-address", "eni-route"}),
        ((MOVED_ENI, KEEP_ROUTES_AND_RULES), {"eni-address", "eni-route", "eni-rule"}),
        (
            (KEEP_OVERLAY_IP, MOVED_ENI, KEEP_ROUTES_AND_RULES),
            {"overlay-ip", "eni-address", "eni-route", "eni-rule"},
        ),
    ],
    ids=["no file", "overlay IP", "unmanaged", "unmanaged, rules kept", "all files"],
)
def test_a_restart_of_networkd_leaves_what_the_files_keep(
    files: tuple[str, ...], left: set[str], in_sandbox: None
) -> None:
    assert left_after_restart(*files) == left
