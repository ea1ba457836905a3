"""What a service elsewhere says against what this node says: one answer alone is not believed, and no answer says nothing."""

from __future__ import annotations

from ocf_aws.ocf.errors import Unknown, as_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocf_aws.ocf.runtime import Context

RECHECK_SECONDS = 6.0
"""How long EC2 is asked again and again after its first contradiction, before a monitor believes it."""


def find_contradiction(context: Context, known: str, prepare: Callable[[], Callable[[], str | None]]) -> str | None:
    """What EC2 says against what the kernel says, in words; None where it agrees at least once, or where that is unknown.

    Unknown is also what EC2 says once alone, where the action has no time to ask again.

    known: what the kernel says, in words. prepare: opens what is to be asked, and returns the function that asks: it
    returns the contradiction in words, None without one. What these raise, whatever it is, is logged and no contradiction.
    """
    try:
        find = prepare()
        contradiction = find()
        if not contradiction:
            return None
        # From the first answer on: EC2 may have taken all the time for it alone.
        attempts = context.deadline.within(RECHECK_SECONDS).attempts(first=1.0, longest=2.0)
        next(attempts)
        is_repeated = False
        for _ in attempts:
            contradiction = find()
            if not contradiction:
                return None
            is_repeated = True
        if not is_repeated:
            raise Unknown(f"no time left to ask again after: {contradiction}")
    except Exception as error:
        context.log.warning(f"{known}; what EC2 does is unknown: {as_failure(error).full_text}")
        return None
    return contradiction
