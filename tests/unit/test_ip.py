"""Addresses and CIDR blocks: which texts name one, and what lies in it."""

from __future__ import annotations

import pytest

from ocf_aws.ip import AF_INET, AF_INET6, IpAddress, IpNetwork


@pytest.mark.parametrize(
    "text, network",
    [
        ("192.168.10.10", "192.168.10.10/32"),
        ("192.168.10.10/32", "192.168.10.10/32"),
        ("fd00:0:0::5", "fd00::5/128"),
        ("FD00::5/128", "fd00::5/128"),
    ],
)
def test_an_address_has_one_canonical_form(text: str, network: str) -> None:
    assert str(IpAddress.parse(text).network) == network
    assert IpAddress.parse(text) == IpAddress.parse(network)


@pytest.mark.parametrize("text", ["", "banana", "10.0.0", "10.0.0.256", "010.1.1.1 ", "fd00::g", "10.0.0.1/32/32", "é"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv4 or IPv6 address|single address"):
        IpAddress.parse(text)


@pytest.mark.parametrize("text", ["10.0.0.0/24", "fd00::/64", "10.0.0.1/", "fd00::1/32"])
def test_a_prefix_that_is_wider_than_the_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="prefix length can only be"):
        IpAddress.parse(text)


def test_an_address_knows_its_family() -> None:
    four, six = IpAddress.parse("10.0.0.1"), IpAddress.parse("fd00::1")
    assert (four.family, four.bits, four.is_ipv6) == (AF_INET, 32, False)
    assert (six.family, six.bits, six.is_ipv6) == (AF_INET6, 128, True)


@pytest.mark.parametrize(
    "text, canonical, gateway",
    [
        ("10.0.1.0/24", "10.0.1.0/24", "10.0.1.1"),
        ("10.0.1.77/28", "10.0.1.64/28", "10.0.1.65"),
        ("2001:db8:1::5/64", "2001:db8:1::/64", "2001:db8:1::1"),
        ("0.0.0.0/0", "0.0.0.0/0", "0.0.0.1"),
        ("10.0.1.7", "10.0.1.7/32", "10.0.1.8"),
    ],
)
def test_a_block_has_one_canonical_form_and_a_gateway(text: str, canonical: str, gateway: str) -> None:
    block = IpNetwork.parse(text)
    assert (str(block), str(block.gateway)) == (canonical, gateway)
    assert block == IpNetwork.parse(canonical) and hash(block) == hash(IpNetwork.parse(canonical))


@pytest.mark.parametrize("text", ["10.0.1.0/33", "10.0.1.0/-1", "10.0.1.0/x", "10.0.1.0/", "banana/8", "fd00::/129"])
def test_what_is_no_block_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        IpNetwork.parse(text)


@pytest.mark.parametrize(
    "ip, block, is_in",
    [
        ("10.0.1.79", "10.0.1.64/28", True),
        ("10.0.1.80", "10.0.1.64/28", False),
        ("10.0.1.63", "10.0.1.64/28", False),
        ("2001:db8::1", "2001:db8::/64", True),
        ("2001:db8:0:1::1", "2001:db8::/64", False),
        ("203.0.113.1", "0.0.0.0/0", True),
        ("2001:db8::1", "0.0.0.0/0", False),
    ],
)
def test_a_block_contains_its_addresses(ip: str, block: str, is_in: bool) -> None:
    assert (IpAddress.parse(ip) in IpNetwork.parse(block)) is is_in


def test_only_addresses_lie_in_a_block() -> None:
    assert "10.0.1.64" not in IpNetwork.parse("10.0.1.64/28")


def test_a_block_of_one_address_is_single() -> None:
    assert IpNetwork.parse("10.0.1.7/32").is_single and IpNetwork.parse("fd00::7").is_single
    assert not IpNetwork.parse("10.0.1.6/31").is_single
    assert str(IpNetwork.parse("10.0.1.7").first) == "10.0.1.7"
