"""What the link of an ENI is to have: compared, given and taken away by the agent's own mark."""

from __future__ import annotations

import pytest

from ocf_aws.ip import IpAddress, IpNetwork
from ocf_aws.kernel.link import Link
from ocf_aws.kernel.policy_routing import (
    PROTOCOL,
    LinkConfig,
    Route,
    Rule,
    carries_default_route,
    default_table,
    find_marks,
    own_routes,
    own_rules,
)
from unit.fakes.kernel import FakeKernel

TABLE = 1073741824 + 42
ENS6 = Link(6, "ens6", (), "02:00:00:00:00:50", 1500, True, False)
FOUR, SIX = IpAddress.parse("10.0.1.50"), IpAddress.parse("2001:db8:1::50")
PREFIX = IpNetwork.parse("10.0.1.64/28")
SUBNET, SUBNET6 = IpNetwork.parse("10.0.1.0/24"), IpNetwork.parse("2001:db8:1::/64")
DEFAULT = IpNetwork.parse("0.0.0.0/0")
CONFIG = LinkConfig(TABLE, (FOUR, SIX), (PREFIX,), (SUBNET, SUBNET6))


def test_an_eni_has_always_the_same_table_far_from_those_of_others() -> None:
    tables = [default_table(f"eni-{number:017x}") for number in (*range(300), 0xFFFFFFFF, 0xABCDEF0123456789)]
    assert len(set(tables)) == len(tables)
    assert all(1 << 30 <= table < 1 << 31 for table in tables)
    assert default_table("eni-0123456789abcdef0") == default_table("eni-0123456789abcdef0")


def test_each_address_and_each_prefix_has_a_rule() -> None:
    wanted = {Rule(FOUR.network, TABLE), Rule(SIX.network, TABLE), Rule(PREFIX, TABLE)}
    assert set(CONFIG.rules) == wanted
    assert str(CONFIG.rules[0]) == f"rule from 10.0.1.50/32 lookup {TABLE}"


def test_each_gateway_comes_after_the_way_to_it_and_a_prefix_is_local() -> None:
    assert [str(route) for route in CONFIG.routes(ENS6)] == [
        f"route to 10.0.1.0/24 in table {TABLE}",
        f"route to 0.0.0.0/0 via 10.0.1.1 in table {TABLE}",
        f"route to 2001:db8:1::/64 in table {TABLE}",
        f"route to ::/0 via 2001:db8:1::1 in table {TABLE}",
        "local route to 10.0.1.64/28 in table 255",
    ]


def test_a_bare_link_lacks_all_and_has_nothing(kernel: FakeKernel) -> None:
    drift = CONFIG.check(ENS6)
    assert (drift.has_any, drift.has_address) == (False, False)
    assert drift.missing_addresses == ["10.0.1.50", "2001:db8:1::50"] and len(drift.missing) == 2 + 3 + 5


def test_all_is_added_once_and_addresses_last(kernel: FakeKernel) -> None:
    changes = CONFIG.apply(kernel, ENS6)
    assert len(changes) == 10 and changes[-2:] == ["added 10.0.1.50", "added 2001:db8:1::50"]
    assert CONFIG.check(ENS6).missing == [] and CONFIG.check(ENS6).has_address
    assert CONFIG.apply(kernel, ENS6) == []


@pytest.mark.parametrize("number", range(3))
def test_a_part_that_is_lost_is_missed_and_put_back(kernel: FakeKernel, number: int) -> None:
    CONFIG.apply(kernel, ENS6)
    table = (kernel.addresses, kernel.rules, kernel.routes)[number]
    table.pop(0)
    assert len(CONFIG.check(ENS6).missing) == 1 and CONFIG.check(ENS6).has_any
    assert len(CONFIG.apply(kernel, ENS6)) == 1
    assert CONFIG.check(ENS6).missing == []


def test_what_the_eni_does_not_have_any_more_is_removed(kernel: FakeKernel) -> None:
    CONFIG.apply(kernel, ENS6)
    fewer = LinkConfig(TABLE, (FOUR,), (), (SUBNET,))
    fewer.apply(kernel, ENS6)
    assert [str(each.ip) for each in kernel.addresses] == ["10.0.1.50"]
    assert [rule for _, rule in kernel.rules] == fewer.rules
    assert [route for _, route in kernel.routes] == fewer.routes(ENS6)


def test_what_others_have_stays(kernel: FakeKernel) -> None:
    kernel.add_address("172.16.0.1/24", 6)
    kernel.add_address("10.0.1.11/24", 5, PROTOCOL)
    kernel.rules.append((0, Rule(FOUR.network, 777)))
    kernel.rules.append((PROTOCOL, Rule(FOUR.network, TABLE + 1)))
    kernel.routes.append((3, Route(SUBNET, None, 5, TABLE)))
    kernel.routes.append((PROTOCOL, Route(PREFIX, None, 5, 255)))
    before = [*kernel.addresses], [*kernel.rules], [*kernel.routes]
    CONFIG.apply(kernel, ENS6)
    CONFIG.remove(kernel, ENS6)
    assert (kernel.addresses, kernel.rules, kernel.routes) == before


def test_addresses_of_others_are_removed_only_where_they_are_named(kernel: FakeKernel) -> None:
    kernel.add_address("10.0.1.50/32", 6)
    assert CONFIG.remove(kernel, ENS6, named=False) == []
    assert CONFIG.remove(kernel, ENS6) == ["removed 10.0.1.50"]


def test_addresses_without_a_mark_are_known_by_their_rules(kernel: FakeKernel) -> None:
    CONFIG.apply(kernel, ENS6)
    kernel.addresses[:] = [each._replace(protocol=0) for each in kernel.addresses]
    CONFIG.remove(kernel, ENS6, named=False)
    assert not (kernel.addresses or kernel.rules or kernel.routes)


def test_rules_of_a_link_that_is_gone_are_removed(kernel: FakeKernel) -> None:
    CONFIG.apply(kernel, ENS6)
    kernel.routes.clear()
    CONFIG.remove(kernel, None)
    assert kernel.rules == []


def test_own_rules_and_routes_are_told_by_mark_and_table(kernel: FakeKernel) -> None:
    CONFIG.apply(kernel, ENS6)
    kernel.routes.append((3, Route(DEFAULT, IpAddress.parse("10.0.1.1"), 6, TABLE)))
    assert own_rules(TABLE) == CONFIG.rules and own_rules(TABLE + 1) == []
    assert own_routes(TABLE, 6) == CONFIG.routes(ENS6)
    assert own_routes(TABLE, None) == CONFIG.routes(ENS6)[:-1] and own_routes(TABLE + 1, 7) == []


@pytest.mark.parametrize(
    "protocol, route, carries",
    [
        (3, Route(DEFAULT, IpAddress.parse("10.0.1.1"), 6, 254), True),
        (16, Route(IpNetwork.parse("::/0"), None, 6, 254), True),
        (3, Route(DEFAULT, IpAddress.parse("10.0.1.1"), 6, 10006), False),
        (3, Route(DEFAULT, IpAddress.parse("10.0.1.1"), 5, 254), False),
        (3, Route(SUBNET, None, 6, 254), False),
        (PROTOCOL, Route(DEFAULT, IpAddress.parse("10.0.1.1"), 6, TABLE), False),
        (PROTOCOL, Route(DEFAULT, IpAddress.parse("10.0.1.1"), 6, 100), False),
    ],
)
def test_the_link_of_the_node_s_own_default_route_is_known(
    kernel: FakeKernel, protocol: int, route: Route, carries: bool
) -> None:
    kernel.routes.append((protocol, route))
    assert carries_default_route(ENS6) is carries


@pytest.mark.parametrize(
    "metrics, carries", [((100, 512), False), ((512, 100), True), ((0, 100), False), ((1024, 1024), False)]
)
@pytest.mark.parametrize("block, gateway", [("0.0.0.0/0", "10.0.1.1"), ("::/0", "fe80::1")])
def test_of_several_default_routes_the_one_with_the_lowest_metric_counts(
    kernel: FakeKernel, block: str, gateway: str, metrics: tuple[int, int], carries: bool
) -> None:
    for index, metric in zip((5, 6), metrics):
        route = Route(IpNetwork.parse(block), IpAddress.parse(gateway), index, 254)
        kernel.routes.append((16, route))
        if metric:
            kernel.metrics[route] = metric
    assert carries_default_route(ENS6) is carries


def test_the_best_default_route_of_either_family_counts(kernel: FakeKernel) -> None:
    for block, index in (("0.0.0.0/0", 5), ("::/0", 6)):
        kernel.routes.append((16, Route(IpNetwork.parse(block), None, index, 254)))
    assert carries_default_route(ENS6)


def test_marks_in_the_kernel_tell_the_configuration_and_its_link(kernel: FakeKernel) -> None:
    assert find_marks(TABLE) is None
    CONFIG.apply(kernel, ENS6)
    assert find_marks(TABLE) == (CONFIG, 6) and find_marks(TABLE + 1) is None


def test_a_link_that_somebody_brought_down_is_known_by_its_address(kernel: FakeKernel) -> None:
    CONFIG.apply(kernel, ENS6)
    kernel.routes.clear()
    marks = find_marks(TABLE)
    assert marks == (CONFIG._replace(subnets=()), 6)
    kernel.addresses.clear()
    assert find_marks(TABLE) == (CONFIG._replace(subnets=()), None)
