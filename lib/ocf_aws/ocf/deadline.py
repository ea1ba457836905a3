"""The time an action has left.

Pacemaker ends a late action by SIGKILL, without a warning (child_timeout_callback() in lib/common/mainloop.c),
so whatever may wait asks here first for how long.
"""

from __future__ import annotations

# `os` adds to this built-in part what takes a tenth of a local monitor to load.
from posix import urandom
from time import monotonic, sleep

from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_TIMEOUT = 20.0
"""Seconds, where nobody names a timeout: Pacemaker's own default for an operation."""

_SHORTEST_ATTEMPT = 0.2
"""Seconds. An attempt with less time tells only that it had none, and hides what the one before it was told."""


class Deadline(Record):
    """A point in time by which something has to be done: `end` on the monotonic clock, in seconds."""

    end: float

    @classmethod
    def of_action(cls, timeout: float = DEFAULT_TIMEOUT) -> Deadline:
        """When an action has to have answered to which Pacemaker gives `timeout` seconds.

        A part is kept back for what this clock does not see: the interpreter's start, and writing the answer.
        """
        return cls(monotonic() + timeout - min(2.0, max(0.3, timeout * 0.1)))

    def left(self) -> float:
        """Seconds left, 0 when there are none."""
        return max(0.0, float(self.end) - monotonic())

    def within(self, seconds: float) -> Deadline:
        """This deadline, or the one that ends after `seconds`: whichever comes first."""
        return Deadline(min(self.end, monotonic() + seconds))

    def earlier(self, seconds: float) -> Deadline:
        """A deadline so many seconds before this one."""
        return Deadline(self.end - seconds)

    def attempts(self, first: float = 0.1, longest: float = 1.0) -> Iterator[None]:
        """Sleep between attempts, each time longer by half, until the time is over.

        first, longest: seconds. Yields once before the first pause, so that `for _ in deadline.attempts():` tries at
        least once; each further attempt has some time left. Each pause is random by a quarter: nodes that start
        together do not ask EC2 together.
        """
        pause = first
        yield
        while self.left() > pause + _SHORTEST_ATTEMPT:
            # `random` takes 5 ms to load.
            sleep(pause * (0.75 + urandom(1)[0] / 1020))
            yield
            pause = min(pause * 1.5, longest)
