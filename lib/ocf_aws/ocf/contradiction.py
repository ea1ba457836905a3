"""What a service elsewhere says against what this node says: one answer alone is not believed, and no answer says nothing."""

from __future__ import annotations

from ocf_aws.ocf.errors import as_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocf_aws.ocf.runtime import Context

RECHECK_SECONDS = 6.0
"""How long EC2 has to contradict the kernel, asked again and again, before a monitor believes it."""


def find_contradiction(context: Context, known: str, prepare: Callable[[], Callable[[], str | None]]) -> str | None:
    """What EC2 says against what the kernel says, in words; None where it agrees at least once, or where that is unknown.

    known: what the kernel says, in words. prepare: opens what is to be asked, and returns the function that asks: it
    returns the contradiction in words, None without one. What these raise, whatever it is, is logged and no contradiction.
    """
    contradiction = None
    try:
        find = prepare()
        for _ in context.deadline.within(RECHECK_SECONDS).attempts(first=1.0, longest=2.0):
            contradiction = find()
            if not contradiction:
                return None
    except Exception as error:
        context.log.warning(f"{known}; what EC2 does is unknown: {as_failure(error).full_text}")
        return None
    return contradiction
