"""Addresses in a real kernel: added and removed by the library, and those by which a node lives told apart."""

from __future__ import annotations

import pytest

from kernel.namespaces import INTERPRETERS, Namespace

CODE = """
from ocf_aws.ip import IpAddress
from ocf_aws.kernel.address import add_address, find_address, is_own_address, list_addresses, remove_address
from ocf_aws.kernel.link import find_link
from ocf_aws.kernel.netlink import Rtnl
"""


@pytest.fixture
def node(namespace: Namespace) -> Namespace:
    """A primary ENI with an IPv4 and an IPv6 subnet, and a bridge of containers."""
    namespace.ip("link add ens5 type veth peer name e5")
    namespace.ip("link add docker0 type bridge")
    for link in ("e5", "ens5", "docker0"):
        namespace.ip(f"link set {link} up")
    namespace.ip("address add 10.0.1.11/24 dev ens5")
    namespace.ip("address add 2001:db8:1::11/64 dev ens5 nodad")
    namespace.ip("address add 172.17.0.1/16 dev docker0")
    return namespace


def is_own(node: Namespace, ip: str, link: str | None = None) -> bool:
    """What the library says of an address that is to stand on a link."""
    index = f"find_link({link!r}).index" if link else "None"
    (answer,) = node.python(
        INTERPRETERS["distribution"], f"{CODE}print(is_own_address(IpAddress.parse({ip!r}), {index}))"
    )
    return answer == "True"


def add(node: Namespace, python: str, ip: str, how: str = "") -> None:
    node.python(python, f"{CODE}assert add_address(Rtnl(), IpAddress.parse({ip!r}), find_link('ens5'){how})")


@pytest.mark.parametrize("ip", ["10.0.1.11", "2001:db8:1::11", "172.17.0.1"])
def test_an_address_with_a_shorter_prefix_is_the_node_s_own(node: Namespace, ip: str) -> None:
    assert is_own(node, ip) and is_own(node, ip, "ens5")


@pytest.mark.parametrize("ip", ["10.0.1.77", "2001:db8:1::77"])
def test_an_address_in_the_subnet_of_its_link_is_the_node_s_own(node: Namespace, ip: str) -> None:
    assert is_own(node, ip, "ens5")
    node.ip(f"address add {ip} dev ens5")
    assert is_own(node, ip)


def test_the_subnet_of_another_link_such_as_a_bridge_forbids_nothing(node: Namespace) -> None:
    assert not is_own(node, "172.17.0.77", "ens5")
    assert is_own(node, "172.17.0.77", "docker0")


@pytest.mark.parametrize("ip", ["192.168.10.10", "fd00::10"])
def test_an_overlay_ip_is_not_the_node_s_own_before_or_after_it_is_added(node: Namespace, ip: str) -> None:
    assert not is_own(node, ip) and not is_own(node, ip, "ens5")
    add(node, INTERPRETERS["distribution"], ip)
    assert not is_own(node, ip) and not is_own(node, ip, "ens5")


def test_an_address_that_aws_vpc_move_ip_has_added_is_not_the_node_s_own(node: Namespace) -> None:
    node.ip("addr add 192.168.10.10/32 dev ens5 label ens5:hana")
    assert not is_own(node, "192.168.10.10", "ens5")


def test_an_address_is_added_alone_in_its_prefix_with_no_route_but_its_own(node: Namespace, python: str) -> None:
    routes = node.ip("route") + node.ip("-6 route")
    add(node, python, "192.168.10.10", ", label='ens5:hana'")
    add(node, python, "fd00::10")
    assert "192.168.10.10/32 scope global noprefixroute ens5:hana" in node.ip("-4 address show dev ens5")
    assert "fd00::10/128 scope global nodad noprefixroute" in node.ip("-6 address show dev ens5")
    assert node.ip("route") + node.ip("-6 route") == routes


def test_an_ipv6_address_that_moves_away_is_no_source_of_the_node_s_own_connections(
    node: Namespace, python: str
) -> None:
    add(node, python, "fd00::10", ", is_source=False")
    assert "deprecated" in node.ip("-6 address show dev ens5 to fd00::10")
    assert "valid_lft forever preferred_lft 0sec" in node.ip("-6 address show dev ens5 to fd00::10")


def test_an_address_that_is_there_is_left_as_it_is(node: Namespace, python: str) -> None:
    add(node, python, "192.168.10.10")
    again = f"{CODE}print(add_address(Rtnl(), IpAddress.parse('192.168.10.10'), find_link('ens5')))"
    assert node.python(python, again) == ["False"]


@pytest.mark.parametrize("cidr", ["192.168.10.10/32", "192.168.10.10/24", "fd00::10/128", "fd00::10/64"])
def test_an_address_is_removed_however_it_was_added(node: Namespace, python: str, cidr: str) -> None:
    before = node.snapshot()
    node.ip(f"address add {cidr} dev ens5 {'nodad' if ':' in cidr else ''}")
    ip = f"IpAddress.parse({cidr.split('/')[0]!r})"
    remove = (
        f"{CODE}a = find_address({ip}); print(remove_address(Rtnl(), a), remove_address(Rtnl(), a), find_address({ip}))"
    )
    assert node.python(python, remove) == ["True False None"]
    assert node.snapshot() == before


def test_an_address_of_a_link_that_is_gone_is_gone(node: Namespace, python: str) -> None:
    add(node, python, "192.168.10.10")
    code = (
        CODE
        + "a = find_address(IpAddress.parse('192.168.10.10'))._replace(index=4711)\nprint(remove_address(Rtnl(), a))"
    )
    assert node.python(python, code) == ["False"]


def test_more_addresses_than_one_answer_holds_are_all_read(node: Namespace) -> None:
    batch = "".join(f"address add 10.9.{high}.{low}/32 dev ens5\n" for high in range(8) for low in range(1, 251))
    node.run("sh", "-c", f"printf '%s' '{batch}' | ip -batch -")
    code = CODE + "print(len({a.ip for a in list_addresses() if str(a.ip).startswith('10.9.')}))"
    assert node.python(INTERPRETERS["distribution"], code) == ["2000"]
