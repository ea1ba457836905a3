"""Links in a real kernel: found by each of their names, changed, and waited for while udev works on them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.namespaces import INTERPRETERS, LIB, Namespace

MAC = "02:00:00:00:00:50"
PYTHON = INTERPRETERS["distribution"]
CODE = """
from ocf_aws.kernel.link import find_link, find_link_by_index, find_link_by_mac
from ocf_aws.kernel.link import read_accept_ra, set_link, wait_udev, write_accept_ra
from ocf_aws.kernel.netlink import Rtnl
"""


@pytest.fixture
def node(namespace: Namespace) -> Namespace:
    """A link with the MAC of an ENI and two alternative names."""
    namespace.ip(f"link add ens6 address {MAC} type veth peer name e6")
    for name in ("enp0s6", "eni-0123456789abcdef0"):
        namespace.ip(f"link property add dev ens6 altname {name}")
    return namespace


@pytest.mark.parametrize("name", ["ens6", "enp0s6", "eni-0123456789abcdef0"])
def test_a_link_is_found_by_its_name_and_by_each_alternative_name(node: Namespace, name: str) -> None:
    assert node.python(PYTHON, f"{CODE}print(find_link({name!r}).name, *find_link({name!r}).altnames)") == [
        "ens6 enp0s6 eni-0123456789abcdef0"
    ]


def test_a_link_that_is_not_there_is_none(node: Namespace) -> None:
    assert node.python(PYTHON, f"{CODE}print(find_link('ens7'), find_link_by_index(99))") == ["None None"]


def test_a_bridge_with_the_eni_s_mac_is_not_the_eni_s_link(node: Namespace) -> None:
    node.ip(f"link add br0 address {MAC} type bridge")
    found = f"{CODE}print(find_link_by_mac({MAC.upper()!r}).name, find_link('br0').is_stacked)"
    assert node.python(PYTHON, found) == ["ens6 True"]


def test_a_link_is_brought_up_and_down_and_gets_its_mtu(node: Namespace, python: str) -> None:
    look = "link = find_link('ens6'); print(link.is_up, link.mtu)"
    change = "set_link(Rtnl(), find_link('ens6'), {}); "
    assert node.python(python, CODE + look) == ["False 1500"]
    assert node.python(python, CODE + change.format("is_up=True, mtu=9001") + look) == ["True 9001"]
    assert node.python(python, CODE + change.format("mtu=1400") + look) == ["True 1400"]
    assert node.python(python, CODE + change.format("is_up=False") + look) == ["False 1400"]


def test_an_mtu_that_the_kernel_refuses_is_told_in_its_words(node: Namespace) -> None:
    code = CODE + "from ocf_aws.ocf.errors import SoftError\ntry: set_link(Rtnl(), find_link('ens6'), mtu=1 << 30)\n"
    assert node.python(PYTHON, code + "except SoftError as error: print(error)") == [
        "cannot set link ens6 mtu 1073741824: Invalid argument"
    ]


def test_a_link_that_has_gone_is_not_changed(node: Namespace) -> None:
    code = CODE + "print(set_link(Rtnl(), find_link('ens6')._replace(index=4711), is_up=True))"
    assert node.python(PYTHON, code) == ["False"]


def test_router_advertisements_are_turned_off_for_a_link(node: Namespace) -> None:
    code = "link = find_link('ens6'); print(write_accept_ra(link, '0'), read_accept_ra(link))"
    assert node.python(PYTHON, CODE + code) == ["True 0"]
    gone = "link = find_link('ens6')._replace(name='gone'); print(write_accept_ra(link, '0'), read_accept_ra(link))"
    assert node.python(PYTHON, CODE + gone) == ["False None"]


# --- udev -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def udev(in_sandbox: None) -> Iterator[Path]:
    """The directory in which udev keeps what it knows of devices, in the sandbox's own /run."""
    run = Path("/run/udev")
    if (run / "control").exists():
        pytest.skip("udev runs in this sandbox")
    (run / "data").mkdir(parents=True, exist_ok=True)
    (run / "control").touch()
    yield run / "data"
    (run / "control").unlink()


def wait_udev(node: Namespace) -> subprocess.Popen[str]:
    """A process that waits for udev's work on ens6."""
    code = (
        f"import sys; sys.path.insert(0, {str(LIB)!r})\n{CODE}link = find_link('ens6')\nprint(link.index, flush=True)\n"
    )
    command = [PYTHON, "-B", "-c", code + "print(wait_udev(link))"]
    inside = ["nsenter", f"--target={node.pid}", "--net", *command]
    return subprocess.Popen(inside, stdout=subprocess.PIPE, text=True)


def test_a_link_has_the_name_that_udev_gave_it(node: Namespace, udev: Path) -> None:
    with wait_udev(node) as waiting:
        assert waiting.stdout
        index = waiting.stdout.readline().strip()
        node.ip("link set ens6 name ens9")
        record = udev / f"n{index}"
        record.touch()
        assert "name='ens9'" in waiting.stdout.read()
    record.unlink()


def test_udev_that_never_ends_is_waited_for_a_second_at_most(node: Namespace, udev: Path) -> None:
    with wait_udev(node) as waiting:
        assert waiting.stdout and waiting.stdout.readline()
        began = time.monotonic()
        assert "name='ens6'" in waiting.stdout.read()
    assert 0.5 < time.monotonic() - began < 3
