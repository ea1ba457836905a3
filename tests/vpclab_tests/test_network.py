"""The lab's network with real packets: a hand-made VPC, three namespaces in place of instances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from vpclab import sandbox
from vpclab.network import iproute
from vpclab.network.network import IMDS_ADDRESS, Network
from vpclab.vpc import Eni, Route, RouteTable, Subnet, Vpc
from vpclab_tests.answers import SILENCE, answer_at, inside, says_its_name

pytestmark = pytest.mark.skipif(
    not sandbox.inside(),
    reason="needs root and a sandbox: python3 tests/vpclab/sandbox.py pytest ...",
)

OVERLAY = {4: "192.168.7.7", 6: "fd00:7::7"}
HOSTS = ("node1", "node2", "client")

SUBNETS = (
    Subnet("subnet-a", "a", "10.0.1.0/24", "2001:db8:100:1::/64"),
    Subnet("subnet-b", "b", "10.0.2.0/24", "2001:db8:100:2::/64"),
    Subnet("subnet-c", "a", "10.0.9.0/24", "2001:db8:100:9::/64"),
)

NODE1 = Eni(
    "eni-0a0000000000000001",
    "02:00:00:00:01:11",
    "subnet-a",
    ("10.0.1.11", "2001:db8:100:1::11"),
    source_dest_check=False,
    instance_id="i-node1",
    device_index=0,
)
NODE2 = replace(
    NODE1,
    id="eni-0b0000000000000002",
    mac="02:00:00:00:02:12",
    subnet_id="subnet-b",
    addresses=("10.0.2.12", "2001:db8:100:2::12"),
    instance_id="i-node2",
)
CLIENT = replace(
    NODE1,
    id="eni-0c0000000000000003",
    mac="02:00:00:00:09:64",
    subnet_id="subnet-c",
    addresses=("10.0.9.100", "2001:db8:100:9::100"),
    source_dest_check=True,
    instance_id="i-client",
)
MOVABLE = Eni(
    "eni-0d0000000000000004",
    "02:00:00:00:01:99",
    "subnet-a",
    ("10.0.1.99", "2001:db8:100:1::99"),
)


def vpc(
    *enis: Eni,
    a: tuple[Route, ...] = (),
    c: tuple[Route, ...] = (),
) -> Vpc:
    """A VPC of these ENIs; the route tables of subnets a and c have these entries."""
    tables = (
        RouteTable("rtb-a", ("subnet-a",), a),
        RouteTable("rtb-b", ("subnet-b",), ()),
        RouteTable("rtb-c", ("subnet-c",), c),
    )
    return Vpc(("10.0.0.0/16", "2001:db8:100::/56"), SUBNETS, enis, tables)


def overlay(eni: Eni) -> tuple[Route, ...]:
    """The entries that route the overlay addresses to an ENI."""
    return (
        Route(f"{OVERLAY[4]}/32", eni.id),
        Route(f"{OVERLAY[6]}/128", eni.id),
    )


@pytest.fixture
def network() -> Iterator[Network]:
    """The VPC without any overlay route; every host says its name."""
    with ExitStack() as stack:
        network = Network()
        stack.callback(network.close)
        network.sync(vpc(NODE1, NODE2, CLIENT))
        for host in HOSTS:
            iproute.add_namespace(host)
            stack.callback(iproute.delete_namespace, host)
            network.connect(f"i-{host}", host)
            for address in ("0.0.0.0", "::"):
                stack.enter_context(says_its_name(host, address))
        yield network


def pings(address: str, host: str = "client", *options: str) -> bool:
    """Whether an address answers a host's ping."""
    done = inside(host, "ping", "-nc1", "-W", str(SILENCE), *options, address)
    return done.returncode == 0


def reaches(network: Network, eni: Eni, address: str, *ping: str) -> bool:
    """Whether a ping to an address gets to an ENI, answered or not.

    `ping`: the host that sends it, the client by default, and options.
    """
    host, *options = ping or ("client",)
    with network.capture(eni.id) as packets:
        pings(address, host, *options)
    return any(f" > {address}: " in line for line in packets)


def links(host: str) -> dict[str, Any]:
    """What a host's kernel says of its links, by MAC."""
    said = json.loads(inside(host, "ip", "-json", "address").stdout)
    return {link["address"]: link for link in said}


def add_overlay(*hosts: str) -> None:
    """Put the overlay addresses on the first link of these hosts."""
    for host in hosts:
        commands = [f"address add {a} dev ens5 nodad" for a in OVERLAY.values()]
        iproute.ip(host, commands)


# ---- forwarding


@pytest.mark.parametrize("address", NODE2.addresses)
def test_an_eni_is_reached_from_another_subnet(network: Network, address: str) -> None:
    assert answer_at(address) == "node2"


@pytest.mark.parametrize("version", [0, 1], ids=["IPv4", "IPv6"])
def test_neighbours_in_one_subnet_reach_each_other(network: Network, version: int) -> None:
    neighbour = replace(NODE2, subnet_id="subnet-a", addresses=MOVABLE.addresses)
    network.disconnect("i-node2")
    network.sync(vpc(NODE1, neighbour, CLIENT))
    network.connect("i-node2", "node2")

    assert answer_at(MOVABLE.addresses[version], "node1") == "node2"


@pytest.mark.parametrize("version", OVERLAY)
def test_an_overlay_address_is_answered_by_whom_the_route_points_to(network: Network, version: int) -> None:
    add_overlay("node1", "node2")
    for eni, host in ((NODE1, "node1"), (NODE2, "node2"), (NODE1, "node1")):
        network.sync(vpc(NODE1, NODE2, CLIENT, c=overlay(eni)))

        assert answer_at(OVERLAY[version]) == host


@pytest.mark.parametrize("version", OVERLAY)
def test_each_subnet_follows_its_own_route_table(network: Network, version: int) -> None:
    add_overlay("node2")
    network.sync(vpc(NODE1, NODE2, CLIENT, a=overlay(NODE2)))

    assert answer_at(OVERLAY[version], "node1") == "node2"
    assert answer_at(OVERLAY[version], "client") is None


@pytest.mark.parametrize("version", OVERLAY)
def test_an_overlay_address_is_gone_with_its_route(network: Network, version: int) -> None:
    add_overlay("node1")
    network.sync(vpc(NODE1, NODE2, CLIENT, c=overlay(NODE1)))
    assert answer_at(OVERLAY[version]) == "node1"

    network.sync(vpc(NODE1, NODE2, CLIENT))
    assert answer_at(OVERLAY[version]) is None


def test_the_longest_prefix_wins(network: Network) -> None:
    add_overlay("node1", "node2")
    wide = Route("192.168.0.0/16", NODE1.id)
    network.sync(vpc(NODE1, NODE2, CLIENT, c=(wide, *overlay(NODE2))))
    assert answer_at(OVERLAY[4]) == "node2"

    network.sync(vpc(NODE1, NODE2, CLIENT, c=(wide,)))
    assert answer_at(OVERLAY[4]) == "node1"


def test_the_local_route_wins_over_a_wider_one(network: Network) -> None:
    wide = Route("10.0.0.0/8", NODE1.id)
    network.sync(vpc(NODE1, NODE2, CLIENT, c=(wide,)))

    assert answer_at(NODE2.addresses[0]) == "node2"
    assert not reaches(network, NODE1, "10.0.77.7")


@pytest.mark.parametrize("nowhere", ["192.168.7.7", "10.0.77.7"])
def test_what_goes_nowhere_is_dropped_and_nobody_is_told(network: Network, nowhere: str) -> None:
    said = inside("client", "ping", "-nc1", "-W", str(SILENCE), nowhere).stdout

    assert "100% packet loss" in said
    assert "nreachable" not in said


def test_frames_are_as_large_as_in_a_vpc(network: Network) -> None:
    headers = 20 + 8
    unfragmented = ("-M", "do", "-s", str(9001 - headers))

    assert pings(NODE2.addresses[0], "client", *unfragmented)


# ---- source/destination check


@pytest.mark.parametrize("version", OVERLAY)
def test_the_check_drops_what_is_for_an_address_that_is_not_the_enis(network: Network, version: int) -> None:
    add_overlay("node1")
    network.sync(vpc(NODE1, NODE2, CLIENT, c=overlay(NODE1)))
    assert reaches(network, NODE1, OVERLAY[version])
    assert answer_at(OVERLAY[version]) == "node1"

    checked = replace(NODE1, source_dest_check=True)
    network.sync(vpc(checked, NODE2, CLIENT, c=overlay(NODE1)))
    assert not reaches(network, NODE1, OVERLAY[version])
    assert answer_at(NODE1.addresses[0]) == "node1"


@pytest.mark.parametrize("version", OVERLAY)
def test_the_check_drops_what_comes_from_an_address_that_is_not_the_enis(network: Network, version: int) -> None:
    add_overlay("node1")
    target = NODE2.addresses[version == 6]
    from_overlay = ("node1", "-I", OVERLAY[version])
    assert reaches(network, NODE2, target, *from_overlay)

    checked = replace(NODE1, source_dest_check=True)
    network.sync(vpc(checked, NODE2, CLIENT))
    assert not reaches(network, NODE2, target, *from_overlay)
    assert reaches(network, NODE2, target, "node1")


def test_the_check_lets_secondary_addresses_and_prefixes_pass(network: Network) -> None:
    several = replace(
        NODE1,
        addresses=("10.0.1.11", "10.0.1.12"),
        prefixes=("10.0.1.64/28",),
        source_dest_check=True,
    )
    network.sync(vpc(several, NODE2, CLIENT))
    iproute.ip("node1", [f"address add 10.0.1.{n}/32 dev ens5" for n in (12, 66)])

    assert answer_at("10.0.1.12") == "node1"
    assert answer_at("10.0.1.66") == "node1"


# ---- cut off, healed, without power


def test_an_instance_that_is_cut_off_reaches_its_hypervisor_alone(
    network: Network,
) -> None:
    network.cut("i-node1")
    for version in (0, 1):
        assert not reaches(network, NODE1, NODE1.addresses[version])
        assert not reaches(network, NODE2, NODE2.addresses[version], "node1")
    assert pings(IMDS_ADDRESS, "node1")
    assert answer_at(NODE2.addresses[0]) == "node2"

    network.heal("i-node1")
    assert answer_at(NODE1.addresses[0]) == "node1"


def test_an_instance_without_power_has_no_link_and_gets_it_back_configured(
    network: Network,
) -> None:
    network.disconnect("i-node1")
    assert NODE1.mac not in links("node1")
    assert answer_at(NODE1.addresses[0]) is None

    network.connect("i-node1", "node1")
    assert answer_at(NODE1.addresses[0]) == "node1"
    assert answer_at(NODE1.addresses[1]) == "node1"


# ---- hot-plug


def test_an_attached_eni_appears_as_a_link_that_is_down_and_has_no_address(
    network: Network,
) -> None:
    attached = replace(MOVABLE, instance_id="i-node1", device_index=1)
    network.sync(vpc(NODE1, NODE2, CLIENT, attached))

    link = links("node1")[MOVABLE.mac]
    assert link["ifname"] == "ens6"
    assert "UP" not in link["flags"]
    assert link["addr_info"] == []


def test_an_eni_takes_its_addresses_along_to_another_instance(network: Network) -> None:
    for host, index, link in (("node1", 1, "ens6"), ("node2", 2, "ens7")):
        attached = replace(MOVABLE, instance_id=f"i-{host}", device_index=index)
        network.sync(vpc(NODE1, NODE2, CLIENT, attached))
        configure(host, link)

        assert {h for h in HOSTS if MOVABLE.mac in links(h)} == {host}
        for address in MOVABLE.addresses:
            assert answer_at(address) == host

        network.sync(vpc(NODE1, NODE2, CLIENT, MOVABLE))
        assert answer_at(MOVABLE.addresses[0]) is None
        assert not any(MOVABLE.mac in links(host) for host in HOSTS)


def configure(host: str, link: str) -> None:
    """Configure the hot-plugged link so that its addresses answer by it."""
    for version, address, gateway, length, everything in (
        (4, MOVABLE.addresses[0], "10.0.1.1", 32, "0.0.0.0/0"),
        (6, MOVABLE.addresses[1], "2001:db8:100:1::1", 128, "::/0"),
    ):
        iproute.ip(
            host,
            [
                f"link set {link} up",
                f"address add {address}/{length} dev {link} nodad",
                f"route add {gateway}/{length} dev {link} table 99",
                f"route add {everything} via {gateway} dev {link} table 99",
                f"rule add from {address} lookup 99",
            ],
            ipv6=version == 6,
        )


def test_a_route_to_an_eni_that_is_detached_drops_until_it_is_attached_again(
    network: Network,
) -> None:
    attached = replace(MOVABLE, instance_id="i-node1", device_index=1, source_dest_check=False)
    wide = Route("192.168.0.0/16", NODE2.id)
    routes = (wide, *overlay(MOVABLE))
    add_overlay("node1", "node2")
    for eni, answering in ((attached, "node1"), (MOVABLE, None), (attached, "node1")):
        network.sync(vpc(NODE1, NODE2, CLIENT, eni, c=routes))
        if answering:
            iproute.ip("node1", ["link set ens6 up"])

        # A blackhole does not fall back on a wider entry.
        assert answer_at(OVERLAY[4]) == answering
