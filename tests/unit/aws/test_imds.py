"""The instance metadata service: version 2, never through a proxy, and unknown where it does not answer."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ocf_aws.aws import imds as imds_module
from ocf_aws.aws.imds import Imds, open_imds
from ocf_aws.ocf.agent import Agent
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import Unknown
from ocf_aws.ocf.log import Log
from ocf_aws.ocf.runtime import Context
from unit.fakes.imds import FakeImds

MAC = "02:00:00:00:00:11"
OTHER = "02:00:00:00:00:50"
MACS = "meta-data/network/interfaces/macs/"
ROLES = "meta-data/iam/security-credentials/"
KEYS = '{"Code": "Success", "AccessKeyId": "ASIA", "SecretAccessKey": "secret", "Token": "token", "Expiration": "x"}'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeImds]:
    monkeypatch.setattr(imds_module, "_dmi_instance_id", lambda: None)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = FakeImds()
    server.facts.update(
        {
            "meta-data/instance-id": "i-0123456789abcdef0",
            "meta-data/instance-type": "m5.large",
            "meta-data/placement/region": "eu-central-1",
            "meta-data/placement/availability-zone": "eu-central-1a",
            "meta-data/mac": f"{MAC.upper()}\n",
            MACS: f"{MAC}/\n{OTHER}/",
            f"{MACS}{MAC}/device-number": "0",
            f"{MACS}{OTHER}/device-number": "2",
            f"{MACS}{MAC}/interface-id": "eni-1",
            f"{MACS}{MAC}/subnet-ipv4-cidr-block": "10.0.1.0/24",
            f"{MACS}{MAC}/subnet-ipv6-cidr-blocks": "2001:db8:1::/64",
            f"{MACS}{MAC}/vpc-ipv4-cidr-blocks": "10.0.0.0/16\n100.64.0.0/16",
        }
    )
    yield server
    server.close()


@pytest.fixture
def imds(server: FakeImds) -> Imds:
    return Imds(server.environ, Deadline.of_action(20))


def quick(server: FakeImds) -> Imds:
    """One that gives up soon."""
    return Imds(server.environ, Deadline.of_action(20).within(0.5))


def test_the_facts_of_an_instance_are_told(imds: Imds) -> None:
    assert (imds.instance_id, imds.instance_type) == ("i-0123456789abcdef0", "m5.large")
    assert (imds.region, imds.availability_zone) == ("eu-central-1", "eu-central-1a")
    assert imds.primary_mac == MAC


def test_a_fact_that_is_not_there_is_none_and_required_is_unknown(imds: Imds) -> None:
    assert imds.get("meta-data/nothing") is None and imds.interface(OTHER, "interface-id") is None
    with pytest.raises(Unknown, match="IMDS has no meta-data/nothing"):
        imds.require("meta-data/nothing")


def test_a_link_of_no_eni_gets_its_packets_by_the_primary_one(server: FakeImds, imds: Imds) -> None:
    server.facts[f"{MACS}{OTHER}/interface-id"] = "eni-2"
    assert imds.eni_mac(OTHER) == OTHER
    assert imds.eni_mac("00:00:00:00:00:00") == MAC


def test_one_token_serves_all_facts_and_a_fact_is_asked_for_once(server: FakeImds, imds: Imds) -> None:
    for _ in range(3):
        assert imds.region and imds.get("meta-data/nothing") is None
    assert server.asked == ["api/token", "meta-data/placement/region", "meta-data/nothing"]


def test_the_indexes_and_blocks_of_enis_are_told(imds: Imds) -> None:
    assert imds.device_indexes() == {0, 2}
    assert [str(block) for block in imds.subnet_cidrs(MAC)] == ["10.0.1.0/24", "2001:db8:1::/64"]
    assert [str(block) for block in imds.vpc_cidrs(MAC)] == ["10.0.0.0/16", "100.64.0.0/16"]
    assert imds.subnet_cidrs(OTHER) == ()


def test_an_index_that_is_no_number_is_left_out(server: FakeImds, imds: Imds) -> None:
    server.facts[f"{MACS}{OTHER}/device-number"] = "two"
    assert imds.device_indexes() == {0}


@pytest.mark.parametrize("statuses", [[503], [200, 503], [500, 200, 401], [200, 429, 200, 429]])
def test_trouble_that_passes_is_outlasted(server: FakeImds, imds: Imds, statuses: list[int]) -> None:
    server.statuses = statuses
    assert imds.region == "eu-central-1"


def test_a_token_that_is_not_good_any_more_is_renewed(server: FakeImds, imds: Imds) -> None:
    assert imds.region
    server.tokens.clear()
    server.tokens.add("another")
    assert imds.instance_type == "m5.large"
    assert server.asked.count("api/token") == 2


def test_silence_is_unknown_within_a_bound_and_waited_for_once(server: FakeImds) -> None:
    server.is_hanging = True
    imds = quick(server)
    began = time.monotonic()
    with pytest.raises(Unknown, match="IMDS"):
        imds.region  # noqa: B018
    first = time.monotonic() - began
    for fact in ("meta-data/mac", "meta-data/instance-type"):
        with pytest.raises(Unknown):
            imds.require(fact)
    assert first < 3 and time.monotonic() - began - first < 0.2


def test_without_a_server_the_place_is_named(server: FakeImds) -> None:
    imds = quick(server)
    server.close()
    with pytest.raises(Unknown, match=r"IMDS at 127.0.0.1:\d+ does not answer: .*refused"):
        imds.region  # noqa: B018


def test_imds_that_is_disabled_is_not_asked_again(server: FakeImds) -> None:
    server.broken["api/token"] = (403, "")
    imds = Imds(server.environ, Deadline.of_action(20))
    for _ in range(3):
        with pytest.raises(Unknown, match="IMDS is disabled on this instance"):
            imds.region  # noqa: B018
    assert server.asked == ["api/token"]


@pytest.mark.parametrize("text", ["<html>Please log in</html>", "\udcff\udcfe", "a\0b"])
def test_a_page_or_garbage_is_nonsense_and_so_unknown(server: FakeImds, text: str) -> None:
    server.facts["meta-data/placement/region"] = text
    with pytest.raises(Unknown, match="IMDS answers nonsense for meta-data/placement/region"):
        quick(server).region  # noqa: B018


def test_a_token_that_is_a_page_is_no_token(server: FakeImds) -> None:
    server.broken["api/token"] = (200, "<html>Please log in</html>")
    with pytest.raises(Unknown, match="IMDS gives no token"):
        quick(server).region  # noqa: B018


@pytest.mark.parametrize(
    "path, text", [("meta-data/mac", "no-mac"), (f"{MACS}{MAC}/subnet-ipv4-cidr-block", "10.0.1.0/99")]
)
def test_a_fact_that_cannot_be_right_is_unknown(server: FakeImds, imds: Imds, path: str, text: str) -> None:
    server.facts[path] = text
    with pytest.raises(Unknown, match="IMDS answers nonsense"):
        imds.subnet_cidrs(imds.primary_mac)


# --- the role ---------------------------------------------------------------------------------------------------------


def test_the_credentials_of_the_role_are_told_anew_each_time(server: FakeImds, imds: Imds) -> None:
    server.facts.update({ROLES: "cluster-node\n", f"{ROLES}cluster-node": KEYS})
    assert imds.role_credentials() == {"AccessKeyId": "ASIA", "SecretAccessKey": "secret", "Token": "token"}
    server.facts[f"{ROLES}cluster-node"] = KEYS.replace("ASIA", "AKIA")
    credentials = imds.role_credentials()
    assert credentials is not None and credentials["AccessKeyId"] == "AKIA"


@pytest.mark.parametrize("roles", [None, "", "\n"])
def test_an_instance_without_a_role_has_no_credentials(server: FakeImds, imds: Imds, roles: str | None) -> None:
    if roles is not None:
        server.facts[ROLES] = roles
    assert imds.role_credentials() is None


@pytest.mark.parametrize("size", [0, 1, 30, 60, len(KEYS) - 1])
def test_an_answer_that_was_cut_is_unknown_and_shows_no_secret(server: FakeImds, imds: Imds, size: int) -> None:
    server.facts.update({ROLES: "cluster-node", f"{ROLES}cluster-node": KEYS[:size]})
    with pytest.raises(Unknown, match="no credentials for the role cluster-node: incomplete answer") as failure:
        imds.role_credentials()
    assert "secret" not in failure.value.full_text


@pytest.mark.parametrize("answer", ["[]", "7", '{"Code": "Success", "AccessKeyId": "ASIA"}'])
def test_credentials_that_are_incomplete_are_unknown(server: FakeImds, imds: Imds, answer: str) -> None:
    server.facts.update({ROLES: "cluster-node", f"{ROLES}cluster-node": answer})
    with pytest.raises(Unknown, match="incomplete answer"):
        imds.role_credentials()


def test_a_role_that_imds_cannot_assume_is_unknown_in_its_words(server: FakeImds, imds: Imds) -> None:
    server.facts.update({ROLES: "r", f"{ROLES}r": '{"Code": "AssumeRoleUnauthorizedAccess"}'})
    with pytest.raises(Unknown, match="AssumeRoleUnauthorizedAccess"):
        imds.role_credentials()


# --- opening ----------------------------------------------------------------------------------------------------------


def test_who_can_do_without_imds_waits_for_it_no_longer_than_it_says(server: FakeImds, log: Log) -> None:
    server.is_hanging = True
    agent = Agent("a", "1.0", "s", "l", (), ())
    context = Context.from_environ(agent, "stop", server.environ, log)
    began = time.monotonic()
    with pytest.raises(Unknown):
        open_imds(context, 0.3).region  # noqa: B018
    assert time.monotonic() - began < 2


def test_on_nitro_the_instance_id_needs_no_imds(server: FakeImds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imds_module, "_dmi_instance_id", lambda: "i-of-dmi")
    assert Imds(server.environ, Deadline.of_action(20)).instance_id == "i-of-dmi"
    assert server.asked == []
