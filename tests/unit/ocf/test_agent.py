"""Parameters: what the environment sets becomes typed values, and what is wrong is named."""

from __future__ import annotations

import pytest

from ocf_aws.ocf.agent import META_DATA, Action, Agent, Parameter, ParameterValues, boolean, integer
from ocf_aws.ocf.errors import REASON_LENGTH, FatalError
from ocf_aws.ocf.runtime import Context


def start(context: Context) -> None:
    """An action that does nothing."""


AGENT = Agent(
    "an-agent",
    "1.0",
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
    (Action("start", start, timeout=10), Action("monitor", start, timeout=10, interval=20, depth=0)),
)


def read(**values: str) -> ParameterValues:
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
def test_a_wrong_parameter_is_named_with_what_is_wrong(values: dict[str, str], named: str) -> None:
    with pytest.raises(FatalError) as failure:
        read(**values).require_right()
    assert str(failure.value) == named


def test_all_wrong_parameters_are_named_at_once() -> None:
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


@pytest.mark.parametrize("text", ["", "maybe", "2", "TRUE FALSE"])
def test_a_word_that_pacemaker_does_not_know_is_no_boolean(text: str) -> None:
    with pytest.raises(ValueError, match="neither true nor false"):
        boolean(text)


def test_whole_numbers_are_read_and_others_refused() -> None:
    assert integer(" -7 ") == -7
    with pytest.raises(ValueError, match="'7.5' is not a whole number"):
        integer("7.5")


def test_unknown_names_are_refused_where_that_is_asked_for() -> None:
    with pytest.raises(FatalError, match="unknown parameter 'colour', 'size'"):
        read(ip="x", size="1", colour="red").require_known()
    read(ip="x").require_known()


def test_a_long_list_of_wrong_parameters_is_cut_for_pacemaker_and_whole_for_the_log() -> None:
    with pytest.raises(FatalError) as failure:
        read(count="many " * 20, flag="maybe " * 20).require_right()
    assert len(str(failure.value)) <= REASON_LENGTH
    assert "'flag'" in failure.value.detail


def test_an_action_is_found_by_its_name_and_meta_data_is_the_frame_s_own() -> None:
    found = AGENT.find_action("monitor")
    assert found is not None and (found.function, found.interval, found.depth) == (start, 20, 0)
    assert AGENT.find_action("promote") is None and AGENT.find_action("meta-data") is None
    assert AGENT.actions[-1] is META_DATA
