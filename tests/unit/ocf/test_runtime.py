"""Running an action: how exceptions become exit statuses, what is printed, and what a start outlasts."""

from __future__ import annotations

import io
import posix
from collections.abc import Callable

import pytest

from ocf_aws.ocf import errors as e
from ocf_aws.ocf.agent import Action, Agent, Parameter
from ocf_aws.ocf.errors import SETTLE_SECONDS
from ocf_aws.ocf.runtime import Context, resource_name, run
from unit.fakes.clock import Clock

RIGHT = {"OCF_RESKEY_ip": "x", "OCF_RESKEY_CRM_meta_timeout": "180000"}

OUTLASTING = ("start", "reload-agent")


class Denied(e.NotPermitted):
    """As AccessDenied of aws.errors."""

    certain_after = SETTLE_SECONDS


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posix, "geteuid", lambda: 0)


def act(
    name: str, function: Callable[[Context], None] | None = None, environ: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Run an agent whose one action does this; returns exit status, stdout and stderr."""
    parameters = (
        Parameter("ip", "s", "l", required=True),
        Parameter("count", "s", "l", type="integer"),
        Parameter("awscli", "s", "l", has_effect=False),
    )
    action = Action(name, function, 5, outlasts=name in OUTLASTING, needs=("ip",)) if function else None
    agent = Agent("an-agent", "1.0", "s", "l", parameters, (action,) if action else ())
    stdout, stderr = io.StringIO(), io.StringIO()
    status = run(agent, ["an-agent", name], RIGHT if environ is None else environ, stdout, stderr)
    return status, stdout.getvalue(), stderr.getvalue()


def failing(failure: Exception) -> Callable[[Context], None]:
    """An action that always fails so."""

    def action(context: Context) -> None:
        raise failure

    return action


class Episode:
    """An action that fails for some seconds and then succeeds, or fails in another way."""

    def __init__(self, clock: Clock, *failures: tuple[float, Exception]):
        self.began = clock.now
        self.attempts = 0
        self._clock = clock
        self._failures = failures

    def __call__(self, context: Context) -> None:
        self.attempts += 1
        for until, failure in self._failures:
            if self._clock.now - self.began < until:
                raise failure

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._clock.now - self.began


# --- exit statuses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure, status",
    [
        (e.SoftError("r"), 1),
        (e.Unknown("r"), 1),
        (e.HardError("r"), 2),
        (e.NotPermitted("r"), 4),
        (e.NotInstalled("r"), 5),
        (e.FatalError("r"), 6),
        (RuntimeError("r"), 1),
    ],
)
@pytest.mark.parametrize("name", ["monitor", "validate-all", "start"])
def test_a_failure_has_the_status_of_its_kind_and_one_exit_reason(
    clock: Clock, name: str, failure: Exception, status: int
) -> None:
    found, _, stderr = act(name, failing(failure))
    assert found == status
    reasons = [line for line in stderr.splitlines() if line.startswith("ocf-exit-reason:")]
    assert len(reasons) == 1 and reasons[0].endswith("r")


def test_the_log_has_the_detail_and_the_exit_reason_has_not() -> None:
    _, _, stderr = act("monitor", failing(e.SoftError("do this", "request 7")))
    assert "ERROR: monitor: do this (request 7)\n" in stderr and "ocf-exit-reason:do this\n" in stderr


def test_an_action_that_returns_has_succeeded() -> None:
    assert act("start", lambda context: None) == (0, "", "")


def test_not_running_is_no_error_to_a_probe() -> None:
    assert act("monitor", failing(e.NotRunning("absent"))) == (7, "", "")


def test_not_running_is_an_error_to_a_recurring_monitor() -> None:
    recurring = {**RIGHT, "OCF_RESKEY_CRM_meta_interval": "10000"}
    status, _, stderr = act("monitor", failing(e.NotRunning("absent")), recurring)
    assert status == 7 and "ocf-exit-reason:absent" in stderr


@pytest.mark.parametrize("failure", [e.HardError("r"), e.FatalError("r"), e.NotInstalled("r"), ValueError("r")])
def test_a_stop_fails_with_1_whatever_the_reason(failure: Exception) -> None:
    assert act("stop", failing(failure))[0] == 1


def test_an_unknown_action_is_unimplemented() -> None:
    status, _, stderr = act("promote")
    assert status == 3 and "the action 'promote' is unknown" in stderr


def test_an_exit_reason_is_one_line() -> None:
    _, _, stderr = act("start", failing(e.SoftError("one\n two")))
    assert "ocf-exit-reason:one two\n" in stderr


def test_an_agent_that_is_not_run_by_root_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posix, "geteuid", lambda: 1000)
    assert act("monitor", lambda context: None)[0] == 4
    assert act("stop", lambda context: None)[0] == 1
    assert act("meta-data")[0] == 0


def test_usage_names_the_actions_and_is_printed_where_none_is_given() -> None:
    stdout = io.StringIO()
    agent = Agent("an-agent", "1.0", "s", "l", (), (Action("start", lambda context: None, 5),))
    assert run(agent, ["an-agent"], RIGHT, stdout, io.StringIO()) == 3
    assert "usage: an-agent {start|meta-data|usage}" in stdout.getvalue()
    assert act("usage")[0] == 0


# --- what Pacemaker asks for ------------------------------------------------------------------------------------------


def test_the_deadline_comes_before_pacemaker_s_own(clock: Clock) -> None:
    seen: list[float] = []
    act(
        "start", lambda context: seen.append(context.deadline.left()), {**RIGHT, "OCF_RESKEY_CRM_meta_timeout": "10000"}
    )
    act("start", lambda context: seen.append(context.deadline.left()), {"OCF_RESKEY_ip": "x"})
    assert seen == [pytest.approx(9), pytest.approx(18)]


def test_the_record_of_the_call_has_what_the_environment_says() -> None:
    seen: list[Context] = []
    environ = {"OCF_RESOURCE_INSTANCE": "rsc:0", "OCF_CHECK_LEVEL": "10", "OCF_RESKEY_CRM_meta_interval": "20000"}
    act("monitor", seen.append, {**RIGHT, **environ})
    act("monitor", seen.append, {**RIGHT, "OCF_CHECK_LEVEL": "nonsense"})
    first, second = seen
    assert (first.resource, first.check_level, first.is_recurring, first.parameters.ip) == ("rsc:0", 10, True, "x")
    assert (second.resource, second.check_level, second.is_recurring) == ("an-agent", 0, False)
    assert resource_name(first.agent, {}) == "an-agent"


# --- wrong parameters -------------------------------------------------------------------------------------------------


def test_a_stop_takes_off_what_can_be_named_although_another_parameter_is_wrong() -> None:
    stopped: list[str] = []
    environ = {**RIGHT, "OCF_RESKEY_count": "many"}
    status, _, stderr = act("stop", lambda context: stopped.append(context.parameters.ip), environ)
    assert (status, stopped) == (0, ["x"])
    assert "WARNING: parameter 'count': 'many' is not a whole number" in stderr


def test_a_stop_without_the_parameter_that_names_the_resource_has_nothing_to_stop() -> None:
    status, _, stderr = act("stop", failing(AssertionError("stopped something")), environ={})
    assert status == 0
    assert "WARNING: nothing to stop: no valid ip is given" in stderr and "ocf-exit-reason" not in stderr


@pytest.mark.parametrize("name", ["start", "monitor", "validate-all", "reload-agent"])
def test_any_other_action_refuses_wrong_parameters(name: str) -> None:
    status, _, stderr = act(name, failing(AssertionError("went on")), environ={})
    assert status == 6 and "ocf-exit-reason:parameter 'ip' is required" in stderr


def test_an_unknown_parameter_is_refused_by_validate_all_and_warned_of_by_start() -> None:
    environ = {**RIGHT, "OCF_RESKEY_colour": "red"}
    status, _, stderr = act("validate-all", lambda context: None, environ)
    assert status == 6 and "ocf-exit-reason:unknown parameter 'colour'" in stderr
    status, _, stderr = act("start", lambda context: None, environ)
    assert status == 0 and "WARNING: unknown parameter 'colour'" in stderr
    assert act("monitor", lambda context: None, environ) == (0, "", "")


def test_start_says_once_which_parameters_are_without_effect(clock: Clock) -> None:
    environ = {**RIGHT, "OCF_RESKEY_awscli": "/bin/aws"}
    status, _, stderr = act("start", Episode(clock, (9, e.Unknown("EC2 does not answer"))), environ)
    assert status == 0 and stderr.count("INFO: without effect in an-agent: awscli\n") == 1
    assert act("start", lambda context: None) == act("reload-agent", lambda context: None, environ) == (0, "", "")
    assert "effect" not in act("stop", lambda context: None, environ)[2]


# --- outlasting trouble -----------------------------------------------------------------------------------------------


def test_a_start_outlasts_what_is_unknown_and_succeeds(clock: Clock) -> None:
    episode = Episode(clock, (150, e.Unknown("EC2 does not answer")))
    status, _, stderr = act("start", episode)
    assert status == 0 and 150 <= episode.seconds <= 153
    assert "ocf-exit-reason" not in stderr


def test_a_start_that_learns_nothing_ends_with_1_shortly_before_its_deadline(clock: Clock) -> None:
    episode = Episode(clock, (1000, e.Unknown("EC2 does not answer")))
    status, _, stderr = act("start", episode)
    assert status == 1 and 174 <= episode.seconds <= 178
    assert "ocf-exit-reason:EC2 does not answer" in stderr


def test_an_exception_that_nobody_foresaw_is_outlasted_too(clock: Clock) -> None:
    assert act("start", Episode(clock, (60, KeyError("x"))))[0] == 0
    status, _, stderr = act("start", failing(KeyError("x")))
    assert status == 1 and "ocf-exit-reason:unexpected error: KeyError: 'x'" in stderr


@pytest.mark.parametrize("kind", [e.SoftError, e.HardError, e.NotPermitted, e.NotInstalled, e.FatalError])
def test_what_is_certain_ends_a_start_at_once(clock: Clock, kind: type[e.Failure]) -> None:
    episode = Episode(clock, (1000, kind("r")))
    assert act("start", episode)[0] == kind.status
    assert (episode.attempts, episode.seconds) == (1, 0)


def test_a_refusal_that_may_be_old_counts_only_when_it_stays(clock: Clock) -> None:
    episode = Episode(clock, (1000, Denied("allow it")))
    assert act("start", episode)[0] == 4
    assert SETTLE_SECONDS <= episode.seconds <= SETTLE_SECONDS + 2
    assert act("start", Episode(clock, (SETTLE_SECONDS - 1, Denied("allow it"))))[0] == 0


def test_a_refusal_that_may_be_old_is_asked_about_again_after_silence(clock: Clock) -> None:
    episode = Episode(clock, (5, e.Unknown("no answer")), (1000, Denied("allow it")))
    assert act("start", episode)[0] == 4
    assert 5 + SETTLE_SECONDS <= episode.seconds <= 5 + SETTLE_SECONDS + 4


def test_a_failure_that_says_for_itself_how_long_it_may_pass_is_heard(clock: Clock) -> None:
    combined = e.combine([("rtb-1", Denied("allow it")), ("rtb-2", Denied("allow it"))])
    episode = Episode(clock, (1000, combined))
    assert act("start", episode)[0] == 4
    assert episode.seconds >= SETTLE_SECONDS


def test_the_log_tells_each_kind_of_trouble_once_each_ten_seconds(clock: Clock) -> None:
    episode = Episode(clock, (5, Denied("allow it")), (95, e.Unknown("no answer")))
    status, _, stderr = act("start", episode)
    assert status == 0
    lines = [line for line in stderr.splitlines() if "WARNING: start: trying again: " in line]
    assert len([line for line in lines if "allow it" in line]) == 1
    assert 8 <= len([line for line in lines if "no answer" in line]) <= 9
    assert len(lines) == len(stderr.splitlines())


def test_retries_grow_rare_so_that_a_throttled_api_recovers(clock: Clock) -> None:
    episode = Episode(clock, (1000, e.Unknown("throttled")))
    act("start", episode)
    assert 80 <= episode.attempts <= 130


def test_a_reload_that_learns_nothing_leaves_a_resource_that_serves(clock: Clock) -> None:
    episode = Episode(clock, (1000, e.Unknown("EC2 does not answer")))
    status, _, stderr = act("reload-agent", episode)
    assert status == 0 and episode.seconds >= 174
    assert "WARNING: reloaded as far as possible: EC2 does not answer" in stderr and "ocf-exit-reason" not in stderr


def test_a_reload_that_is_refused_fails(clock: Clock) -> None:
    assert act("reload-agent", failing(e.SoftError("the kernel refuses")))[0] == 1
    assert act("reload-agent", failing(Denied("allow it")))[0] == 4


@pytest.mark.parametrize("name", ["monitor", "stop", "validate-all"])
def test_no_other_action_is_tried_again(clock: Clock, name: str) -> None:
    episode = Episode(clock, (1000, e.Unknown("no answer")))
    assert act(name, episode)[0] == 1
    assert episode.attempts == 1


def test_a_start_without_any_time_is_tried_once(clock: Clock) -> None:
    episode = Episode(clock, (1000, e.Unknown("no answer")))
    assert act("start", episode, {**RIGHT, "OCF_RESKEY_CRM_meta_timeout": "100"})[0] == 1
    assert episode.attempts == 1


# --- the process ------------------------------------------------------------------------------------------------------


def test_the_process_ends_with_the_status_and_without_waiting_for_threads() -> None:
    import subprocess
    import sys
    from pathlib import Path

    import ocf_aws

    program = """
import threading, time
from ocf_aws.ocf.agent import Action, Agent
from ocf_aws.ocf.runtime import main
threading.Thread(target=time.sleep, args=(60,)).start()
main(Agent("x", "1.0", "s", "l", (), ()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "meta-data"],
        env={"PYTHONPATH": str(Path(ocf_aws.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.endswith("</resource-agent>\n")
