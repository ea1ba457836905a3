"""What the agents promise while EC2, STS or IMDS fail: the faults, and the exit statuses that they may lead to.

The table is DESIGN's table of exit statuses, read by what goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from vpclab.ec2 import effects

# What EC2 or IMDS do for ever, and what it may come to. An action that needs what fails ends so; one that can do
# without ends well, and then everything must be right.
_TABLE = """
                      start  monitor  monitor 10  probe  stop  validate-all 10  reload-agent
no answer, nonsense   1      0        0           0      0     1                0
no right              4      0        0           0      0     4                0
credentials refused   1      0        0           0      0     1                0
gone or busy          1      0        0           0      0     1                0
old                   1      0        0           0      0     1                0
"""


def _read(table: str) -> dict[str, dict[str, int]]:
    head, *rows = (line for line in table.splitlines() if line.strip())
    actions = [word.strip() for word in head.split("  ") if word.strip()]
    found = {}
    for row in rows:
        name, *statuses = [word.strip() for word in row.split("  ") if word.strip()]
        found[name] = dict(zip(actions, map(int, statuses)))
    return found


PROMISES = _read(_TABLE)
ACTIONS = tuple(PROMISES["old"])


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with a call.

    row: of the table above. ec2, imds: what it does to a call of each; None where it cannot happen there.
    connections: what new connections meet from that call on, `refused` or `no TLS`; None: nothing.
    """

    row: str
    ec2: effects.Effect | None = None
    imds: effects.Effect | None = None
    connections: str | None = None


def _both(row: str, effect: effects.Effect) -> Fault:
    return Fault(row, effect, effect)


_UNKNOWN = "no answer, nonsense"
_NOT_XML = b"\xff\xfe<DescribeRouteTablesResponse><unclosed"

FAULTS = {
    "no answer": _both(_UNKNOWN, effects.Hang()),
    "refused": Fault(_UNKNOWN, effects.Reset(), effects.Reset(), "refused"),
    "reset before the effect": _both(_UNKNOWN, effects.Reset()),
    "reset after the effect": _both(_UNKNOWN, effects.LostAnswer()),
    "no TLS": Fault(_UNKNOWN, effects.Reset(), None, "no TLS"),
    "malformed": _both(_UNKNOWN, effects.Garbage(200, _NOT_XML)),
    "a page of a proxy": _both(_UNKNOWN, effects.Garbage(200)),
    "cut off": _both(_UNKNOWN, effects.Truncated(is_announced=False)),
    "half a document": Fault(_UNKNOWN, effects.Truncated(), effects.Truncated()),
    "a byte a second": _both(_UNKNOWN, effects.Drip()),
    "throttled (503)": Fault(_UNKNOWN, effects.Error("RequestLimitExceeded", 503), effects.Error("Unavailable", 503)),
    "failing (500)": _both(_UNKNOWN, effects.Error("InternalError", 500)),
    "not allowed": Fault("no right", effects.Error("UnauthorizedOperation")),
    "disabled (403)": Fault(_UNKNOWN, None, effects.Error("Forbidden", 403)),
    "credentials expired": Fault("credentials refused", effects.Error("RequestExpired")),
    "credentials unknown": Fault(
        "credentials refused", effects.Error("AuthFailure"), effects.Error("Unauthorized", 401)
    ),
    "not found": Fault(
        "gone or busy", effects.Error("InvalidNetworkInterfaceID.NotFound"), effects.Error("NotFound", 404)
    ),
    "in another state": Fault("gone or busy", effects.Error("IncorrectState")),
    "old": Fault("old", effects.Stale(600)),
}

DURATIONS = {"for 1 call": 0.0, "for 5 s": 5.0, "for 30 s": 30.0, "for ever": float("inf")}
"""Seconds from the first call that the fault catches; 0: that call alone."""


def allowed(fault: Fault, call: str, action: str, duration: str) -> set[int]:
    """The exit statuses to which a fault of a call may lead an action."""
    row = fault.row
    if call.endswith("security-credentials/") and row == "gone or busy":
        # Where IMDS knows no role, the node has no credentials.
        row = "no right"
    lasting = {0, PROMISES[row][action]}
    if duration == "for ever" or action == "validate-all 10" or (duration == "for 30 s" and row == "no right"):
        return lasting
    return {0}
