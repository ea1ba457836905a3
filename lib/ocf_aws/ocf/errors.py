"""Exit statuses of an OCF agent, and exceptions named by what Pacemaker does on them.

What Pacemaker does: lib/pengine/unpack.c, remap_operation() and unpack_rsc_op().
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SETTLE_SECONDS = 10.0
"""How long a start asks again before it believes a refusal that may be old ("Eventual consistency", EC2 developer guide)."""

REASON_LENGTH = 127
"""Characters that Pacemaker keeps of an exit reason (EXIT_REASON_MAX_LEN in include/crm/services.h)."""


class ExitStatus:
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
    """An action that cannot end well.

    reason: one line a person can act on, the remedy first. `str()` gives at most REASON_LENGTH characters of it.
    detail: more of it for the log, such as a command to run or the id of a request. Neither keeps a URL's password.
    """

    status = ExitStatus.ERR_GENERIC
    certain_after = 0.0
    """Seconds for which a start has to meet it again and again before it counts."""

    is_remote = False
    """Whether a service elsewhere says so, and not this node."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(shorten(hide_passwords(reason)))
        self.detail = hide_passwords(detail)

    def about(self, objects: str) -> str:
        """The reason with the ids of what it is about."""
        return f"{objects}: {self}"

    @property
    def full_text(self) -> str:
        """Reason and detail, for the log; a detail that begins with the reason stands for both."""
        reason = str(self)
        if self.detail.startswith(reason.removesuffix("...")):
            return self.detail
        return f"{reason} ({self.detail})" if self.detail else reason


class SoftError(Failure):
    """Pacemaker recovers: it restarts the resource or moves it."""


class Unknown(SoftError):
    """EC2, STS or IMDS gave no answer, or nonsense: nothing is known, which is never the same as "no"."""

    certain_after = float("inf")
    is_remote = True


class HardError(Failure):
    """It cannot work on this node: Pacemaker bans the resource from the node until a clean-up."""

    status = ExitStatus.ERR_ARGS


class NotPermitted(HardError):
    """Rights are missing: root's, or those of the node's role in IAM."""

    status = ExitStatus.ERR_PERM


class NotInstalled(HardError):
    """This node lacks a program, library or device."""

    status = ExitStatus.ERR_INSTALLED


class FatalError(Failure):
    """The definition of the resource is wrong: Pacemaker starts it on no node."""

    status = ExitStatus.ERR_CONFIGURED


class Unimplemented(Failure):
    """The agent has no such action."""

    status = ExitStatus.ERR_UNIMPLEMENTED


class NotRunning(Failure):
    """The resource is cleanly stopped here."""

    status = ExitStatus.NOT_RUNNING


def as_failure(error: BaseException) -> Failure:
    """A Failure as it is; an exception that nobody expected as Unknown: it says nothing about the resource."""
    return error if isinstance(error, Failure) else Unknown(f"unexpected error: {type(error).__name__}: {error}")


def shorten(text: str, length: int = REASON_LENGTH) -> str:
    """`text` in one line of at most `length` characters, cut between words."""
    line = " ".join(str(text).split())
    if len(line) <= length:
        return line
    return f"{line[: length - 3].rpartition(' ')[0] or line[: length - 3]}..."


def hide_passwords(text: str) -> str:
    """`text` without the users' names and passwords that its URLs contain."""
    if "://" not in text or "@" not in text:
        return text
    from re import sub

    # A password that should have been escaped may have any of a URL's own characters in it.
    return sub(r"://\S{0,500}@", "://", text)


def combine(failures: Iterable[tuple[str, Failure]]) -> Failure:
    """One failure for several, each with the id of what failed: the hardest kind among them.

    A reason that several share is told once, with as many whole ids as fit.
    """
    failures = list(failures)
    ranked = sorted(failures, key=lambda each: _rank(each[1]))
    hardest = ranked[0][1]
    alike: dict[str, tuple[Failure, list[str]]] = {}
    for name, failure in ranked:
        alike.setdefault(str(failure), (failure, []))[1].append(name)
    combined: Failure = _KINDS[_rank(hardest)](
        _join_whole([_name_objects(failure, names) for failure, names in alike.values()]),
        "; ".join(f"{name}: {failure.full_text}" for name, failure in failures),
    )
    combined.certain_after = max(each.certain_after for _, each in ranked if _rank(each) == _rank(hardest))
    combined.is_remote = hardest.is_remote
    return combined


_KINDS = (FatalError, NotInstalled, NotPermitted, HardError, SoftError, Unknown)


def _rank(failure: Failure) -> int:
    """Place among the kinds, the hardest first."""
    if isinstance(failure, Unknown):
        return len(_KINDS) - 1
    return next((rank for rank, kind in enumerate(_KINDS) if isinstance(failure, kind)), len(_KINDS) - 2)


def _name_objects(failure: Failure, names: list[str]) -> str:
    """The reason with as many of the names as leave it whole."""
    for count in range(len(names), 0, -1):
        more = f" and {len(names) - count} more" if count < len(names) else ""
        line = failure.about(", ".join(names[:count]) + more)
        if len(line) <= REASON_LENGTH:
            return line
    return shorten(failure.about(names[0]))


def _join_whole(reasons: list[str]) -> str:
    """The first reasons that fit into one together."""
    line = reasons[0]
    for reason in reasons[1:]:
        if len(line) + len(reason) + 2 <= REASON_LENGTH:
            line = f"{line}; {reason}"
    return line
