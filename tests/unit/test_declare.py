"""Parameters: what the environment sets becomes typed values, and what is wrong is named."""

from __future__ import annotations

import pytest

from ocf_aws.declare import Action, Agent, Parameter, boolean, positive_seconds
from ocf_aws.status import FatalError

AGENT = Agent(
    "an-agent",
    "short",
    "long",
    (
        Parameter("ip", "s", "l", required=True),
        Parameter("address", "s", "l", alias_of="ip"),
        Parameter("count", "s", "l", type="integer", default="3"),
        Parameter("flag", "s", "l", type="boolean", default="true"),
        Parameter("choice", "s", "l", options=("a", "b"), default="a"),
        Parameter("note", "s", "l"),
    ),
    (Action("start", timeout=10),),
)


def read(**values: str):  # type: ignore[no-untyped-def]
    return AGENT.read({f"OCF_RESKEY_{name}": value for name, value in values.items()})


def test_parameters_that_are_not_set_have_their_defaults() -> None:
    values = read(ip="x")
    assert (values.count, values.flag, values.choice, values.note) == (3, True, "a", None)
    assert values.given == {"ip"}


def test_an_older_name_stands_for_the_newer_one() -> None:
    values = read(address="192.0.2.1")
    values.require_right()
    assert values.ip == "192.0.2.1"


def test_the_newer_name_wins_over_the_older_one() -> None:
    assert read(ip="new", address="old").ip == "new"


@pytest.mark.parametrize(
    "values, named",
    [
        ({}, "parameter 'ip' is required"),
        ({"ip": "  "}, "parameter 'ip' is required"),
        ({"ip": "x", "count": "many"}, "parameter 'count': 'many' is not a whole number"),
        ({"ip": "x", "flag": "maybe"}, "parameter 'flag': 'maybe' is neither true nor false"),
        ({"ip": "x", "choice": "c"}, "parameter 'choice': 'c' is none of a, b"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, str], named: str) -> None:
    with pytest.raises(FatalError) as failure:
        read(**values).require_right()
    assert str(failure.value) == named


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(FatalError, match="'ip' is required; .*'count'"):
        read(count="x").require_right()


def test_a_wrong_parameter_still_has_its_default_so_that_stop_can_go_on() -> None:
    assert read(ip="x", count="many").count == 3


def test_unknown_names_are_told_apart_from_those_that_pacemaker_sets() -> None:
    values = read(ip="x", routing_tabel="y", CRM_meta_timeout="1", crm_feature_set="3", trace_ra="1")
    assert values.unknown == ["routing_tabel"]


def test_a_name_that_is_not_declared_is_a_programming_error() -> None:
    with pytest.raises(AttributeError, match="no parameter 'typo'"):
        read(ip="x").typo  # noqa: B018


@pytest.mark.parametrize("text, value", [("Yes", True), ("1", True), ("ON", True), ("n", False), ("Off", False)])
def test_booleans_are_read_as_pacemaker_reads_them(text: str, value: bool) -> None:
    assert boolean(text) is value


def test_seconds_may_carry_their_unit_and_must_be_positive() -> None:
    assert positive_seconds("10") == positive_seconds("10s") == 10
    for text in ("0", "-1", "ten"):
        with pytest.raises(ValueError):
            positive_seconds(text)
