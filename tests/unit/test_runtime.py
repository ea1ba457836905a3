"""Running an action: how exceptions become exit statuses, and what is printed."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pytest

from ocf_aws import status as s
from ocf_aws.declare import Action, Agent, Parameter
from ocf_aws.runtime import Call, run

AGENT = Agent("an-agent", "s", "l", (Parameter("ip", "s", "l", required=True),), (Action("start", timeout=5),))
RIGHT = {"OCF_RESKEY_ip": "x"}


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def act(
    name: str, action: Callable[[Call], None] | None = None, environ: dict[str, str] | None = None
) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    actions = {name: action} if action else {}
    code = run(AGENT, actions, ["an-agent", name], RIGHT if environ is None else environ, stdout, stderr)
    return code, stdout.getvalue(), stderr.getvalue()


def failing(failure: Exception) -> Callable[[Call], None]:
    def action(call: Call) -> None:
        raise failure

    return action


@pytest.mark.parametrize(
    "failure, code",
    [
        (s.SoftError("r"), 1),
        (s.Unknown("r"), 1),
        (s.HardError("r"), 2),
        (s.NotPermitted("r"), 4),
        (s.NotInstalled("r"), 5),
        (s.FatalError("r"), 6),
        (RuntimeError("r"), 1),
    ],
)
def test_a_failure_has_the_status_of_its_kind_and_one_exit_reason(failure: Exception, code: int) -> None:
    status, _, stderr = act("start", failing(failure))
    assert status == code
    assert [line for line in stderr.splitlines() if line.startswith("ocf-exit-reason:")][0].endswith("r")


def test_an_action_that_returns_has_succeeded() -> None:
    assert act("start", lambda call: None) == (0, "", "")


def test_not_running_is_no_error_to_a_probe() -> None:
    assert act("monitor", failing(s.NotRunning("absent"))) == (7, "", "")


def test_not_running_is_an_error_to_a_recurring_monitor() -> None:
    code, _, stderr = act(
        "monitor", failing(s.NotRunning("absent")), {**RIGHT, "OCF_RESKEY_CRM_meta_interval": "10000"}
    )
    assert code == 7 and "ocf-exit-reason:absent" in stderr


@pytest.mark.parametrize("failure", [s.HardError("r"), s.FatalError("r"), s.NotInstalled("r"), ValueError("r")])
def test_a_stop_fails_with_1_whatever_the_reason(failure: Exception) -> None:
    assert act("stop", failing(failure))[0] == 1


def test_a_stop_is_tried_with_wrong_parameters() -> None:
    assert act("stop", lambda call: None, environ={})[0] == 0


def test_any_other_action_refuses_wrong_parameters() -> None:
    code, _, stderr = act("start", lambda call: None, environ={})
    assert code == 6 and "parameter 'ip' is required" in stderr


def test_an_unknown_action_is_unimplemented() -> None:
    assert act("promote")[0] == 3


def test_an_exit_reason_is_one_line() -> None:
    _, _, stderr = act("start", failing(s.SoftError("one\n two")))
    assert "ocf-exit-reason:one two\n" in stderr


def test_an_agent_that_is_not_run_by_root_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert act("monitor", lambda call: None)[0] == 4
    assert act("stop", lambda call: None)[0] == 1
    assert act("meta-data")[0] == 0


def test_the_deadline_comes_before_pacemaker_s_own() -> None:
    seen = []
    act("start", lambda call: seen.append(call.deadline.left()), {**RIGHT, "OCF_RESKEY_CRM_meta_timeout": "10000"})
    assert 8 < seen[0] < 9.5


def test_usage_names_the_actions_and_is_printed_where_none_is_given() -> None:
    stdout = io.StringIO()
    assert run(AGENT, {}, ["an-agent"], RIGHT, stdout, io.StringIO()) == 3
    assert "usage: an-agent {start|usage}" in stdout.getvalue()
    assert act("usage")[0] == 0
