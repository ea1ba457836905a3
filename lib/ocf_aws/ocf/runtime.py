"""Running one action: arguments and environment in, exit status out.

The only place that prints, that exits, and where an exception becomes an exit status.
"""

from __future__ import annotations

import faulthandler
import gc

# `os` adds to this built-in part what takes a tenth of a local monitor to load.
import posix
import resource
import sys
from time import monotonic

from ocf_aws.ocf.deadline import DEFAULT_TIMEOUT, Deadline
from ocf_aws.ocf.errors import (
    ExitStatus,
    Failure,
    HardError,
    NotPermitted,
    NotRunning,
    SoftError,
    Unimplemented,
    Unknown,
    as_failure,
    hide_passwords,
)
from ocf_aws.ocf.log import Log
from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TextIO

    from ocf_aws.ocf.agent import Action, Agent, ParameterValues

_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 2.0
_ATTEMPT_SECONDS = 1.0
"""What an attempt takes at least: to load boto3 and to make a client has no bound on a busy node."""


class Context(Record):
    """One action of one resource, as Pacemaker asks for it.

    agent: the declaration. action: its name. resource: the name of the resource. environ: the environment.
    parameters: the resource's ParameterValues. deadline: of the action. log: where messages go.
    check_level: how deep a check goes (OCF_CHECK_LEVEL). is_recurring: whether Pacemaker repeats it; a monitor that it
    does not repeat is a probe, which may find nothing. kept: what an attempt of the action leaves to the next one, by name.
    """

    agent: Agent
    action: str
    resource: str
    environ: Mapping[str, str]
    parameters: ParameterValues
    deadline: Deadline
    log: Log
    check_level: int
    is_recurring: bool
    kept: dict[str, Any]

    @classmethod
    def from_environ(cls, agent: Agent, action: str, environ: Mapping[str, str], log: Log) -> Context:
        """The record of the call, as Pacemaker describes it in the environment."""
        milliseconds = _number(environ.get("OCF_RESKEY_CRM_meta_timeout"))
        return cls(
            agent,
            action,
            resource_name(agent, environ),
            environ,
            agent.read(environ),
            Deadline.of_action(milliseconds / 1000 if milliseconds else DEFAULT_TIMEOUT),
            log,
            _number(environ.get("OCF_CHECK_LEVEL")),
            _number(environ.get("OCF_RESKEY_CRM_meta_interval")) > 0,
            {},
        )


def resource_name(agent: Agent, environ: Mapping[str, str]) -> str:
    """The name of the resource; that of the agent where a person runs it by hand."""
    return environ.get("OCF_RESOURCE_INSTANCE") or agent.name


def _number(text: str | None) -> int:
    # int() raises for other scripts' digits (as ²) and for thousands of them.
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else 0


def run(agent: Agent, argv: Sequence[str], environ: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    """Run the action that `argv` names and return its exit status."""
    name = argv[1] if len(argv) > 1 else "usage"
    if name == "meta-data":
        from ocf_aws.ocf import metadata

        print(metadata.xml(agent), file=stdout)
        return ExitStatus.SUCCESS
    if name in ("usage", "help", "--help", "-h"):
        print(usage(agent), file=stdout)
        return ExitStatus.SUCCESS if len(argv) > 1 else ExitStatus.ERR_UNIMPLEMENTED
    log = Log(agent.name, resource_name(agent, environ), environ, stderr)
    context = Context.from_environ(agent, name, environ, log)
    try:
        _attempt(context)
    except Failure as failure:
        _report(context, failure)
        # To Pacemaker any other status of a stop answers another question, and 2 to 6 would ban the node as well.
        return ExitStatus.ERR_GENERIC if name == "stop" else failure.status
    return ExitStatus.SUCCESS


def _attempt(context: Context) -> None:
    """Run the action. Raises Failure, whatever happens."""
    try:
        action = context.agent.find_action(context.action)
        if action is None:
            raise Unimplemented(f"the action '{context.action}' is unknown: {usage(context.agent)}")
        if posix.geteuid() != 0:
            raise NotPermitted(f"run {context.agent.name} as root")
        if _check_parameters(context, action):
            _outlast(context, action) if action.outlasts else action.function(context)
    except Failure as failure:
        if context.action != "reload-agent" or not failure.is_remote:
            raise
        # The resource serves: a failed reload would restart it.
        context.log.warning(f"reloaded as far as possible: {failure.full_text}")
    except Exception as error:
        from traceback import format_exc

        context.log.debug(hide_passwords(format_exc()))
        raise as_failure(error) from error


def _check_parameters(context: Context, action: Action) -> bool:
    """Whether the parameters let the action begin. Raises FatalError where they are wrong for it."""
    p, log = context.parameters, context.log
    if action.name == "stop":
        # A stop takes off the node what can be named; a wrong definition must not get the node fenced.
        for reason in p.wrong.values():
            log.warning(reason)
        missing = [name for name in action.needs if getattr(p, name) is None]
        if missing:
            log.warning(f"nothing to stop: no valid {' and '.join(missing)} is given")
        return not missing
    p.require_right()
    if action.name == "validate-all":
        p.require_known()
    elif p.unknown and action.outlasts:
        log.warning(p.unknown_text)
    if action.name == "start":
        idle = [each.name for each in context.agent.parameters if not each.has_effect and each.name in p.given]
        if idle:
            log.info(f"without effect in {context.agent.name}: {', '.join(idle)}")
    return True


def _outlast(context: Context, action: Action) -> None:
    """Run the action until it succeeds, fails for good, or has no time left.

    One failed start bans the node (start-failure-is-fatal, "Pacemaker Explained"), so what may pass is waited for.
    """
    kind: type[Failure] | None = None
    since = 0.0
    failure: Failure = Unknown("no time left")
    for _ in context.deadline.earlier(_ATTEMPT_SECONDS).attempts(_RETRY_SECONDS, _LONGEST_RETRY_SECONDS):
        try:
            action.function(context)
            return
        except Exception as error:
            met = as_failure(error)
        gc.enable()
        if kind and isinstance(met, Unknown) and not context.deadline.left():
            # It was cut off by the deadline: what was met before tells more.
            break
        failure = met
        if type(failure) is not kind:
            kind, since = type(failure), monotonic()
        if monotonic() - since >= failure.certain_after:
            raise failure
        context.log.repeated(type(failure).__name__, f"{context.action}: trying again: {failure.full_text}")
    if isinstance(failure, HardError):
        # Not met for long enough to ban the node.
        raise _softened(failure) from failure
    raise failure


def _softened(failure: HardError) -> SoftError:
    """The same, of which Pacemaker recovers."""
    softened = SoftError(str(failure), failure.detail)
    softened.is_remote = failure.is_remote
    return softened


def _report(context: Context, failure: Failure) -> None:
    """Tell why the action fails, where Pacemaker and people look for it."""
    # A probe is to find nothing, and Pacemaker asks for it; where a recurring monitor finds nothing, it failed.
    if isinstance(failure, NotRunning) and not context.is_recurring:
        context.log.to_terminal(str(failure))
        return
    context.log.error(f"{context.action}: {failure.full_text}")
    if context.action in ("start", "validate-all"):
        context.log.info(f"what else is missing on this node: ocf-aws check {context.resource}")
    context.log.exit_reason(str(failure))


def usage(agent: Agent) -> str:
    """One line: how the agent is called."""
    names = dict.fromkeys(action.name for action in agent.actions)
    return f"usage: {agent.name} {{{'|'.join(names)}|usage}}"


def main(agent: Agent) -> None:
    """Run this process's action and end the process."""
    # Where a library crashes the interpreter, the log tells in which call; the memory may have a role's credentials in it.
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # An action ends before there is any garbage to speak of; one that is tried again and again does not.
    gc.disable()
    status = run(agent, sys.argv, _environ(), sys.stdout, sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    # Tidying an interpreter away takes longer than some actions, and a call to EC2 that was given up may still hang.
    posix._exit(status)


def _environ() -> dict[str, str]:
    """The environment as `os.environ` has it."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    return {name.decode(encoding, errors): value.decode(encoding, errors) for name, value in posix.environ.items()}
