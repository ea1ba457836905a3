"""Links as the kernel tells them: by name, alternative name, MAC and index; changed by index."""

from __future__ import annotations

import os

import pytest

from ocf_aws.kernel import link as link_module
from ocf_aws.kernel.link import (
    LinkDown,
    LinkMissing,
    find_link,
    find_link_by_index,
    find_link_by_mac,
    list_links,
    require_link,
    set_link,
    wait_udev,
)
from ocf_aws.ocf.errors import REASON_LENGTH, SETTLE_SECONDS
from unit.fakes.clock import Clock
from unit.fakes.kernel import FakeKernel

MAC, OTHER = "02:00:00:00:00:aa", "02:00:00:00:00:bb"


@pytest.fixture(autouse=True)
def links(kernel: FakeKernel) -> None:
    kernel.add_link(1, "lo", "00:00:00:00:00:00")
    kernel.add_link(3, "vlan7", MAC, kind="vlan")
    kernel.add_link(2, "ens5", MAC, altnames=("enp0s5", "eni-0123456789abcdef0"))
    kernel.add_link(4, "ens6", OTHER, is_up=False)


def test_a_link_is_told_with_all_that_it_has() -> None:
    link = find_link("ens5")
    assert link == (2, "ens5", ("enp0s5", "eni-0123456789abcdef0"), MAC, 1500, True, False)
    assert [each.name for each in list_links()] == ["lo", "vlan7", "ens5", "ens6"]


@pytest.mark.parametrize("name", ["ens5", "enp0s5", "eni-0123456789abcdef0"])
def test_a_link_is_found_by_its_name_and_by_each_alternative_name(name: str) -> None:
    link = find_link(name)
    assert link is not None and link.index == 2 and require_link(name) == link


def test_a_link_that_is_not_there_is_none_and_required_names_those_that_are() -> None:
    assert find_link("eth0") is None
    with pytest.raises(
        LinkMissing, match=r"'eth0' does not exist on this node \(it has ens5, ens6, vlan7\)"
    ) as failure:
        require_link("eth0")
    assert len(str(failure.value)) <= REASON_LENGTH


def test_a_start_waits_for_a_link_that_may_come_back() -> None:
    assert LinkMissing.status == 5 and LinkMissing.certain_after == SETTLE_SECONDS
    assert LinkDown.status == 1 and LinkDown.certain_after > SETTLE_SECONDS


def test_a_long_list_of_links_is_cut(kernel: FakeKernel) -> None:
    for index in range(10, 60):
        kernel.add_link(index, f"veth{index}abcdefgh", OTHER)
    with pytest.raises(LinkMissing) as failure:
        require_link("eth0")
    assert len(str(failure.value)) <= REASON_LENGTH


def test_the_link_of_a_mac_is_never_one_that_is_stacked_on_it() -> None:
    link = find_link_by_mac(MAC.upper())
    assert link is not None and link.name == "ens5"
    assert find_link_by_mac("02:00:00:00:00:cc") is None


def test_a_link_is_found_by_its_index() -> None:
    link = find_link_by_index(4)
    assert link is not None and (link.name, link.is_up) == ("ens6", False)
    assert find_link_by_index(9) is None


def test_a_link_is_brought_up_and_down_and_gets_its_mtu(kernel: FakeKernel) -> None:
    link = find_link_by_index(4)
    assert link is not None
    assert set_link(kernel, link, is_up=True, mtu=9001)
    changed = find_link_by_index(4)
    assert changed is not None and (changed.is_up, changed.mtu) == (True, 9001)
    assert set_link(kernel, link, mtu=1400)
    assert set_link(kernel, link, is_up=False)
    changed = find_link_by_index(4)
    assert changed is not None and (changed.is_up, changed.mtu) == (False, 1400)
    assert kernel.done == ["set link ens6 mtu 9001 up", "set link ens6 mtu 1400", "set link ens6 down"]


def test_a_link_that_has_gone_is_not_changed(kernel: FakeKernel) -> None:
    link = find_link_by_index(4)
    assert link is not None
    del kernel.links[4]
    assert not set_link(kernel, link, is_up=True)


# --- udev -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> set[str]:
    """The files of udev that there are."""
    files: set[str] = set()
    monkeypatch.setattr(os.path, "exists", lambda path: path in files)
    monkeypatch.setattr(link_module, "monotonic", clock.monotonic)
    return files


def test_without_udev_nothing_is_waited_for(files: set[str], clock: Clock) -> None:
    link = find_link_by_index(4)
    assert link is not None and wait_udev(link) == link and clock.now == 1000


def test_a_link_has_the_name_that_udev_gave_it(
    files: set[str], clock: Clock, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.add_link(7, "eth1", OTHER)
    link = find_link_by_index(7)
    assert link is not None
    files.add("/run/udev/control")

    def exists(path: str) -> bool:
        if clock.now > 1000.3:
            kernel.add_link(7, "ens7", OTHER)
            files.add("/run/udev/data/n7")
        return path in files

    monkeypatch.setattr(os.path, "exists", exists)
    renamed = wait_udev(link)
    assert renamed is not None and renamed.name == "ens7" and clock.now < 1000.5


def test_udev_is_waited_for_a_second_at_most(files: set[str], clock: Clock) -> None:
    files.add("/run/udev/control")
    link = find_link_by_index(4)
    assert link is not None and wait_udev(link) == link
    assert 0.7 <= clock.now - 1000 <= 1.0


def test_a_link_that_goes_meanwhile_is_none(files: set[str], kernel: FakeKernel) -> None:
    link = find_link_by_index(4)
    del kernel.links[4]
    assert link is not None and wait_udev(link) is None
