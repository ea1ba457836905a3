"""What the parameters of the agents may say."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from ocf_aws import parameters
from ocf_aws.parameters import RouteTableSelector


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255"]
    + ["::", "::1", "fe80::1", "febf::1", "ff02::1", "fd00:ec2::254"],
)
def test_an_overlay_ip_is_in_no_reserved_range(text: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        parameters.overlay_ip(text)


@pytest.mark.parametrize("text", ["172.16.52.1", "10.1.2.3", "169.253.0.1", "fd00:ec3::1", "2001:db8::1"])
def test_an_overlay_ip_may_be_any_other_address(text: str) -> None:
    assert str(parameters.overlay_ip(text)) == text


@pytest.mark.parametrize("text", ["rtb-1,rtb-2", "rtb-1, rtb-2", "rtb-1 rtb-2", " rtb-1 ,, rtb-2,"])
def test_route_tables_may_be_separated_by_commas_spaces_or_both(text: str) -> None:
    assert RouteTableSelector.parse(text).ids == ("rtb-1", "rtb-2")


def test_a_route_table_that_is_named_twice_is_one_table() -> None:
    assert RouteTableSelector.parse("rtb-1,rtb-1").ids == ("rtb-1",)


def test_tags_select_route_tables_too() -> None:
    selector = RouteTableSelector.parse("rtb-1 tag:Cluster=hana tag:a=b=c")
    assert selector.ids == ("rtb-1",)
    assert selector.tags == (("Cluster", "hana"), ("a", "b=c"))


@pytest.mark.parametrize("text", [",", "banana", "tag:Cluster", "tag:=x", "rtb-", "rtb-1;rtb-2", "vpc-1"])
def test_anything_else_names_no_route_table(text: str) -> None:
    with pytest.raises(ValueError):
        RouteTableSelector.parse(text)


RIGHT: list[tuple[Callable[[str], Any], str, Any]] = [
    (parameters.positive_seconds, "10", 10),
    (parameters.positive_seconds, "10s", 10),
    (parameters.label, "hana", "hana"),
    (parameters.url, "https://vpce-1.ec2.eu-central-1.vpce.amazonaws.com", None),
    (parameters.url, "http://user:secret@proxy.example:3128/", None),
    (parameters.region, "eu-central-1", None),
    (parameters.region, "us-gov-west-1", None),
    (parameters.role_arn, "arn:aws:iam::123456789012:role/routes", None),
    (parameters.role_arn, "arn:aws-cn:iam::123456789012:role/a/path/routes", None),
    (parameters.eni_id, "eni-0123456789abcdef0", None),
    (parameters.eni_id, "eni-01234567", None),
    (parameters.device_index, "1", 1),
    (parameters.device_index, "31", 31),
    (parameters.routing_table_number, "2147483647", 2147483647),
    (parameters.mtu, "9001", 9001),
]


@pytest.mark.parametrize("parse, text, value", RIGHT)
def test_a_right_value_is_read(parse: Callable[[str], Any], text: str, value: Any) -> None:
    assert parse(text) == (text if value is None else value)


WRONG: list[tuple[Callable[[str], Any], list[str], str]] = [
    (parameters.positive_seconds, ["0", "-1", "ten", "s", ""], "not at least 1 second|not a whole number"),
    (parameters.label, ["fourteen-chars", "two words", "ümlaut", "tab\t"], "longer than 15 characters, or not plain"),
    (parameters.url, ["proxy:3128", "ftp://x", "https://", "http:///", "https://a b"], "is not a URL"),
    (parameters.region, ["eu", "eu-central", "EU-central-1", "eu-central-1a", "eu central 1", ""], "is not a region"),
    (
        parameters.role_arn,
        ["routes", "arn:aws:iam::1:user/x", "arn:aws:sts::1:role/x", ""],
        "not the ARN of an IAM role",
    ),
    (parameters.eni_id, ["eni-", "eni-1234567", "eni-0123456789ABCDEF0", "i-0123456789", ""], "not the id of an ENI"),
    (parameters.device_index, ["0", "32", "-1", "one"], "0 is the primary ENI's|not a whole number"),
    (parameters.routing_table_number, ["0", "253", "254", "255", "2147483648"], "not the number of a routing table"),
    (parameters.mtu, ["575", "9002", "jumbo"], "not an MTU from 576 to 9001|not a whole number"),
    (parameters.ip_list, ["10.0.0.1, banana", "10.0.0.0/24"], "10.0.0.0/24|banana"),
]


@pytest.mark.parametrize(
    "parse, text, words", [(parse, text, words) for parse, texts, words in WRONG for text in texts]
)
def test_a_wrong_value_is_refused_with_what_is_wrong(parse: Callable[[str], Any], text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


def test_addresses_may_be_separated_by_commas_spaces_or_both_and_count_once() -> None:
    assert [str(ip) for ip in parameters.ip_list("10.0.1.50,10.0.1.51  2001:db8::1, 10.0.1.50")] == [
        "10.0.1.50",
        "10.0.1.51",
        "2001:db8::1",
    ]


@pytest.mark.parametrize("text", ["ftp://user:secret@proxy:3128", "user:secret@proxy:3128", "https://u:secret@a b"])
def test_a_wrong_proxy_never_shows_its_password(text: str) -> None:
    with pytest.raises(ValueError) as error:
        parameters.url(text)
    assert "secret" not in str(error.value) and "is not a URL" in str(error.value)


def test_a_password_is_taken_out_of_a_url() -> None:
    assert parameters.without_password("http://user:a@b@proxy:3128") == "http://proxy:3128"
    assert parameters.without_password("http://proxy:3128") == "http://proxy:3128"


def test_both_agents_have_the_parameters_for_access_to_aws(agent: ModuleType) -> None:
    assert set(parameters.AWS_ACCESS) <= set(agent.AGENT.parameters)
    values = agent.AGENT.read({"OCF_RESKEY_api_timeout": "5s", "OCF_RESKEY_region": "eu-central-1"})
    assert (values.api_timeout, values.region, values.profile) == (5, "eu-central-1", None)


def test_every_default_of_an_agent_is_a_right_value(agent: ModuleType) -> None:
    for parameter in agent.AGENT.parameters:
        if parameter.default is not None:
            parameter.parse(parameter.default)
