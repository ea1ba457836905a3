"""Exit statuses of an OCF agent, and exceptions named by what Pacemaker does on them.

What Pacemaker does: lib/pengine/unpack.c, remap_operation() and unpack_rsc_op().
"""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Exit statuses of the OCF resource agent API 1.1, section "Exit status codes"."""

    SUCCESS = 0
    ERR_GENERIC = 1
    ERR_ARGS = 2
    ERR_UNIMPLEMENTED = 3
    ERR_PERM = 4
    ERR_INSTALLED = 5
    ERR_CONFIGURED = 6
    NOT_RUNNING = 7


class Failure(Exception):
    """An action that cannot end well: `str()` is the exit reason, one line a person can act on.

    Pacemaker keeps 127 characters of it (EXIT_REASON_MAX_LEN in include/crm/services.h), so ids, codes and what to do
    come first; the log has all of it.
    """

    status = Status.ERR_GENERIC


class SoftError(Failure):
    """Pacemaker recovers: it restarts the resource or moves it."""


class Unknown(SoftError):
    """EC2, STS or IMDS gave no answer: nothing is known, which is never the same as "no"."""


class HardError(Failure):
    """It cannot work on this node: Pacemaker bans the resource from it until a clean-up."""

    status = Status.ERR_ARGS


class NotPermitted(HardError):
    """Rights are missing: root's, or those of the node's role in IAM."""

    status = Status.ERR_PERM


class NotInstalled(HardError):
    """This node lacks a program, library or device."""

    status = Status.ERR_INSTALLED


class FatalError(Failure):
    """The definition of the resource is wrong: Pacemaker starts it on no node."""

    status = Status.ERR_CONFIGURED


class Unimplemented(Failure):
    """The agent has no such action."""

    status = Status.ERR_UNIMPLEMENTED


class NotRunning(Failure):
    """The resource is cleanly stopped here."""

    status = Status.NOT_RUNNING


def joined(failures: list[tuple[str, Failure]]) -> Failure:
    """One failure for several, each told by the name of what failed: the hardest kind among them."""
    text = "; ".join(f"{name}: {failure}" for name, failure in failures)
    for kind in (FatalError, NotInstalled, NotPermitted, HardError):
        if any(isinstance(failure, kind) for _, failure in failures):
            return kind(text)
    return SoftError(text)
