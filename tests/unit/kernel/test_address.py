"""Addresses on links: found, added, removed, and told apart from those by which the node lives."""

from __future__ import annotations

import pytest

from ocf_aws.ip import AF_INET, IpAddress
from ocf_aws.kernel.address import add_address, find_address, is_own_address, list_addresses, remove_address
from ocf_aws.kernel.link import Link, find_link_by_index
from unit.fakes.kernel import FakeKernel

ENS5, BRIDGE = 2, 9
IP, IP6 = IpAddress.parse("192.168.10.10"), IpAddress.parse("fd00::10")


@pytest.fixture
def link(kernel: FakeKernel) -> Link:
    """The link of the primary ENI, beside a bridge of containers."""
    kernel.add_link(ENS5, "ens5", "02:00:00:00:00:aa")
    kernel.add_link(BRIDGE, "docker0", "02:00:00:00:00:bb", kind="bridge")
    kernel.add_address("127.0.0.1/8", 1)
    kernel.add_address("10.0.1.11/24", ENS5)
    kernel.add_address("2001:db8:1::11/64", ENS5)
    kernel.add_address("172.17.0.1/16", BRIDGE)
    kernel.add_address("fd99::1/64", BRIDGE)
    link = find_link_by_index(ENS5)
    assert link is not None
    return link


def test_addresses_are_told_with_link_and_prefix(link: Link) -> None:
    placed = find_address(IpAddress.parse("10.0.1.11"))
    assert placed is not None and (placed.prefix_length, placed.index, str(placed.network)) == (24, ENS5, "10.0.1.0/24")
    assert len(list_addresses()) == 5 and len(list_addresses(AF_INET)) == 3
    assert find_address(IP) is None


@pytest.mark.parametrize("ip", [IP, IP6])
def test_an_address_is_added_alone_in_its_prefix_and_removed(kernel: FakeKernel, link: Link, ip: IpAddress) -> None:
    assert add_address(kernel, ip, link)
    assert not add_address(kernel, ip, link)
    placed = find_address(ip)
    assert placed is not None and tuple(placed) == (ip, ip.bits, ENS5, 203)
    assert remove_address(kernel, placed)
    assert find_address(ip) is None
    assert not remove_address(kernel, placed)


@pytest.mark.parametrize(
    "text, index, is_own",
    [
        ("10.0.1.11", ENS5, True),
        ("10.0.1.11", None, True),
        ("172.17.0.1", ENS5, True),
        ("2001:db8:1::11", None, True),
        ("10.0.1.77", ENS5, True),
        ("2001:db8:1::77", ENS5, True),
        ("10.0.1.77", None, False),
        ("172.17.0.77", ENS5, False),
        ("172.17.0.77", BRIDGE, True),
        ("fd99::77", ENS5, False),
        ("10.0.2.77", ENS5, False),
        ("192.168.10.10", ENS5, False),
        ("fd00::10", ENS5, False),
    ],
)
def test_an_address_by_which_the_node_lives_is_told_apart(
    link: Link, text: str, index: int | None, is_own: bool
) -> None:
    assert is_own_address(IpAddress.parse(text), index) is is_own


def test_an_address_that_aws_vpc_move_ip_added_is_not_the_node_s_own(kernel: FakeKernel, link: Link) -> None:
    kernel.add_address("192.168.10.10/32", ENS5)
    kernel.add_address("fd00::10/128", ENS5)
    assert not is_own_address(IP, ENS5) and not is_own_address(IP6, None)


def test_a_secondary_address_of_the_eni_is_the_node_s_own_although_it_is_alone(kernel: FakeKernel, link: Link) -> None:
    kernel.add_address("10.0.1.12/32", ENS5)
    assert is_own_address(IpAddress.parse("10.0.1.12"), None)


def test_two_overlay_ips_beside_each_other_are_not_the_node_s_own(kernel: FakeKernel, link: Link) -> None:
    kernel.add_address("192.168.10.10/32", ENS5)
    assert not is_own_address(IpAddress.parse("192.168.10.11"), ENS5)


def test_an_address_that_moved_to_another_link_is_judged_by_that_link(kernel: FakeKernel, link: Link) -> None:
    kernel.add_address("172.17.0.77/32", BRIDGE)
    assert is_own_address(IpAddress.parse("172.17.0.77"), ENS5)
