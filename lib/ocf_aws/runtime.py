"""Running one action: arguments and environment in, exit status out.

The only place that prints, that exits, and where an exception becomes an exit status.
"""

from __future__ import annotations

import faulthandler
import os
import sys

from ocf_aws.deadline import DEFAULT_TIMEOUT, Deadline
from ocf_aws.log import Log
from ocf_aws.status import Failure, NotPermitted, Status, Unimplemented

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from ocf_aws.declare import Agent, Parameters


class Call:
    """One action of one resource, as Pacemaker asks for it.

    agent: the declaration. action: its name. resource: the name of the resource. environ: the environment.
    parameters: the resource's. deadline: when Pacemaker's patience ends. log: where messages go.
    check_level: how deep a check goes (OCF_CHECK_LEVEL).
    """

    def __init__(self, agent: Agent, action: str, environ: Mapping[str, str], log: Log):
        self.agent = agent
        self.action = action
        self.resource = resource_name(agent, environ)
        self.environ = environ
        self.log = log
        self.parameters: Parameters = agent.read(environ)
        self.deadline = Deadline(_timeout(environ))
        self.check_level = _number(environ.get("OCF_CHECK_LEVEL"), 0)


def resource_name(agent: Agent, environ: Mapping[str, str]) -> str:
    """The name of the resource; that of the agent where a person runs it by hand."""
    return environ.get("OCF_RESOURCE_INSTANCE") or agent.name


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default


def _timeout(environ: Mapping[str, str]) -> float:
    milliseconds = _number(environ.get("OCF_RESKEY_CRM_meta_timeout"), 0)
    return milliseconds / 1000 if milliseconds else DEFAULT_TIMEOUT


def run(
    agent: Agent,
    actions: Mapping[str, Callable[[Call], None]],
    argv: Sequence[str],
    environ: Mapping[str, str],
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Run the action that `argv` names and return its exit status.

    actions: what to do for each action that the agent declares, by name; `meta-data` and `usage` are done here.
    An action that returns has succeeded; otherwise it raises a Failure.
    """
    name = argv[1] if len(argv) > 1 else "usage"
    if name == "meta-data":
        from ocf_aws import metadata

        print(metadata.xml(agent), file=stdout)
        return Status.SUCCESS
    if name in ("usage", "help", "--help", "-h"):
        print(usage(agent), file=stdout)
        return Status.SUCCESS if len(argv) > 1 else Status.ERR_UNIMPLEMENTED
    log = Log(agent.name, resource_name(agent, environ), environ, stderr)
    status, reason = _attempt(agent, actions, name, environ, log)
    # A probe, for which Pacemaker sets no interval, is to find nothing; where a recurring monitor finds nothing, it failed.
    is_recurring = _number(environ.get("OCF_RESKEY_CRM_meta_interval"), 0) > 0
    if reason and (status is not Status.NOT_RUNNING or is_recurring):
        log.error(f"{name}: {reason}")
        log.exit_reason(reason)
    # To Pacemaker any other status of a stop is an answer to another question, and 2 to 6 would ban the node as well.
    if name == "stop" and status is not Status.SUCCESS:
        return Status.ERR_GENERIC
    return status


def _attempt(
    agent: Agent,
    actions: Mapping[str, Callable[[Call], None]],
    name: str,
    environ: Mapping[str, str],
    log: Log,
) -> tuple[Status, str]:
    try:
        if name not in actions:
            raise Unimplemented(f"the action '{name}' is unknown: {usage(agent)}")
        if os.geteuid() != 0:
            raise NotPermitted(f"{agent.name} has to be run by root")
        call = Call(agent, name, environ, log)
        if name != "stop":
            call.parameters.require_right()
        actions[name](call)
    except Failure as failure:
        return failure.status, str(failure)
    except Exception as error:
        from traceback import format_exc

        log.debug(format_exc())
        return Status.ERR_GENERIC, f"internal error: {type(error).__name__}: {error}"
    return Status.SUCCESS, ""


def usage(agent: Agent) -> str:
    """One line: how the agent is called."""
    names = dict.fromkeys(action.name for action in agent.actions)
    return f"usage: {agent.name} {{{'|'.join(names)}|usage}}"


def main(agent: Agent, actions: Mapping[str, Callable[[Call], None]]) -> None:
    """Run this process's action and end the process."""
    # Where a library crashes the interpreter, the log tells in which call.
    faulthandler.enable()
    status = run(agent, actions, sys.argv, os.environ, sys.stdout, sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    # Tidying an interpreter away takes longer than some actions, and a call to EC2 that was given up may still hang.
    os._exit(status)
