"""What the link of an ENI is to have, before any kernel is asked."""

from __future__ import annotations

import pytest

from ocf_aws.address import Block, Ip
from ocf_aws.policy import Layout, Rule, table_of


@pytest.mark.parametrize(
    "text, canonical, first_host",
    [
        ("10.0.1.0/24", "10.0.1.0/24", "10.0.1.1"),
        ("10.0.1.77/28", "10.0.1.64/28", "10.0.1.65"),
        ("2001:db8:1::5/64", "2001:db8:1::/64", "2001:db8:1::1"),
        ("0.0.0.0/0", "0.0.0.0/0", "0.0.0.1"),
        ("10.0.1.7", "10.0.1.7/32", "10.0.1.8"),
    ],
)
def test_a_block_has_one_canonical_form_and_a_first_host(text: str, canonical: str, first_host: str) -> None:
    block = Block(text)
    assert (str(block), str(block.first_host)) == (canonical, first_host)
    assert block == Block(canonical) and hash(block) == hash(Block(canonical))


@pytest.mark.parametrize("text", ["10.0.1.0/33", "10.0.1.0/-1", "10.0.1.0/x", "banana/8", "fd00::/129"])
def test_what_is_no_block_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Block(text)


@pytest.mark.parametrize(
    "ip, block, is_in",
    [
        ("10.0.1.79", "10.0.1.64/28", True),
        ("10.0.1.80", "10.0.1.64/28", False),
        ("2001:db8::1", "2001:db8::/64", True),
        ("2001:db8::1", "0.0.0.0/0", False),
    ],
)
def test_a_block_contains_its_addresses(ip: str, block: str, is_in: bool) -> None:
    assert (Ip(ip) in Block(block)) is is_in


def test_an_eni_has_always_the_same_table_far_from_those_of_others() -> None:
    tables = [table_of(f"eni-{number:017x}") for number in (*range(300), 0xFFFFFFFF, 0xABCDEF0123456789)]
    assert len(set(tables)) == len(tables)
    assert all(1 << 30 <= table < 1 << 31 for table in tables)
    assert table_of("eni-0123456789abcdef0") == table_of("eni-0123456789abcdef0")


def test_each_address_and_each_prefix_has_a_rule() -> None:
    layout = Layout(7, [Ip("10.0.1.50"), Ip("2001:db8::1")], [Block("10.0.1.64/28")], [])
    wanted = {Rule(Block("10.0.1.50/32"), 7), Rule(Block("2001:db8::1/128"), 7), Rule(Block("10.0.1.64/28"), 7)}
    assert set(layout.rules) == wanted
    assert [str(rule) for rule in layout.rules][0] == "rule from 10.0.1.50/32 lookup 7"
