"""The time an action has left.

Pacemaker ends a late action by SIGKILL, without a warning (child_timeout_callback() in lib/common/mainloop.c),
so whatever may wait asks here first for how long.
"""

from __future__ import annotations

from time import monotonic, sleep

from ocf_aws.status import Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

DEFAULT_TIMEOUT = 20.0
"""Seconds, where nobody names a timeout: Pacemaker's own default for an operation."""


class Deadline:
    """A point in time by which an action has to have answered.

    timeout: seconds that Pacemaker gives the action. A part of it is kept back for what the clock here does not see:
    the interpreter's start before, and writing the answer after.
    """

    def __init__(self, timeout: float = DEFAULT_TIMEOUT):
        self._end = monotonic() + timeout - min(2.0, max(0.3, timeout * 0.1))

    def left(self) -> float:
        """Seconds left, 0 when there are none."""
        return max(0.0, self._end - monotonic())

    def within(self, seconds: float) -> Deadline:
        """This deadline, or the one that ends after `seconds`: whichever comes first."""
        sooner = Deadline.__new__(Deadline)
        sooner._end = min(self._end, monotonic() + seconds)
        return sooner

    def pauses(self, first: float = 0.1, longest: float = 1.0) -> Iterator[None]:
        """Sleep between tries, each pause longer by half than the one before, until the time is over.

        Yields once before the first pause, so that `for _ in deadline.pauses():` tries at least once. A little
        chance in every pause keeps nodes that started together from asking EC2 together.
        """
        from random import uniform

        pause = first
        yield
        while self.left() > pause:
            sleep(uniform(0.75, 1.0) * pause)
            yield
            pause = min(pause * 1.5, longest)

    def bound(self, function: Callable[[], Any], what: str) -> Any:
        """The result of `function()`, waiting no longer than there is time.

        It runs in a thread of its own, because some waits have no timeout of their own (getaddrinfo() among them); a late
        one is left behind, and ends with the process. Raises what the function raises, or Unknown naming `what`.
        """
        from threading import Thread

        outcome: list[tuple[Any, BaseException | None]] = []

        def work() -> None:
            try:
                outcome.append((function(), None))
            except BaseException as error:  # handed over to the thread that waits
                outcome.append((None, error))

        thread = Thread(target=work, daemon=True)
        seconds = self.left()
        thread.start()
        thread.join(seconds)
        if not outcome:
            raise Unknown(f"{what}: no answer within {seconds:.1f} s")
        result, error = outcome[0]
        if error is not None:
            raise error
        return result
