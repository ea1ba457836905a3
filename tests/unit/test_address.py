"""Addresses: which texts name one."""

from __future__ import annotations

from types import ModuleType

import pytest

from ocf_aws.address import Ip


@pytest.mark.parametrize(
    "text, cidr",
    [
        ("192.168.10.10", "192.168.10.10/32"),
        ("192.168.10.10/32", "192.168.10.10/32"),
        ("fd00:0:0::5", "fd00::5/128"),
        ("FD00::5/128", "fd00::5/128"),
    ],
)
def test_an_address_has_one_canonical_form(text: str, cidr: str) -> None:
    assert Ip(text).cidr == cidr


@pytest.mark.parametrize("text", ["", "banana", "10.0.0", "10.0.0.256", "010.1.1.1 ", "fd00::g", "10.0.0.1/32/32", "é"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv4 or IPv6 address|single address"):
        Ip(text)


@pytest.mark.parametrize("text", ["10.0.0.0/24", "fd00::/64", "10.0.0.1/", "fd00::1/32"])
def test_a_prefix_that_is_wider_than_the_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="prefix length can only be"):
        Ip(text)


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255"]
    + ["::", "::1", "fe80::1", "febf::1", "ff02::1", "fd00:ec2::254"],
)
def test_an_overlay_ip_is_in_no_reserved_range(overlay_ip: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        overlay_ip.overlay_ip(text)


@pytest.mark.parametrize("text", ["172.16.52.1", "10.1.2.3", "169.253.0.1", "fd00:ec3::1", "2001:db8::1"])
def test_an_overlay_ip_may_be_any_other_address(overlay_ip: ModuleType, text: str) -> None:
    assert str(overlay_ip.overlay_ip(text)) == text
