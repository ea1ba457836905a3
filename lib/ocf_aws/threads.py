"""Waiting for several things at once, and for one no longer than there is time.

Threads may only wait: two that import modules at the same time can deadlock (six's importer against `email`).
"""

from __future__ import annotations

from ocf_aws.ocf.errors import Failure, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ocf_aws.ocf.deadline import Deadline

_WORKERS = 24


class BackgroundThread:
    """Work that a thread does while this one goes on; the process does not wait for it when it ends.

    Raises Unknown where the node has no thread left.
    """

    def __init__(self, work: Callable[[], Any]):
        from threading import Thread

        self._work = work
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise Unknown(f"this node can start no thread: {error}") from error

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # handed over to the thread that asks
            self._error = error

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the work ends, or that long. Returns whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> Any:
        """What the work returns, once it does. Raises what it raised."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._value


def call_within(deadline: Deadline, function: Callable[[], Any], what: str) -> Any:
    """The result of `function()`, waited for no longer than there is time.

    Some waits have no timeout of their own (getaddrinfo(), a credential_process); a late one is left behind, and ends
    with the process. Raises what the function raises, or Unknown naming `what`.
    """
    seconds = deadline.left()
    thread = BackgroundThread(function)
    if not thread.wait(seconds):
        raise Unknown(f"{what}: no answer within {seconds:.1f} s")
    return thread.result()


def outcomes(functions: Iterable[Callable[[], Any]]) -> list[Any]:
    """What each function returns, or the Failure that it raised, in their order; they run at the same time."""
    pending = list(functions)
    found: list[Any] = [None] * len(pending)
    numbered = iter(enumerate(pending))

    def work() -> None:
        for number, function in numbered:
            try:
                found[number] = function()
            except Failure as failure:
                found[number] = failure

    threads = []
    try:
        for _ in range(min(_WORKERS, len(pending))):
            threads.append(BackgroundThread(work))
    except Unknown:
        # The node has no thread left: those that there are, and this one, do it.
        work()
    for thread in threads:
        thread.result()
    return found


def results(*functions: Callable[[], Any]) -> list[Any]:
    """What each function returns; they run at the same time. Raises the first function's Failure that there is."""
    found = outcomes(functions)
    for outcome in found:
        if isinstance(outcome, Failure):
            raise outcome
    return found
