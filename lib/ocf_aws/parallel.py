"""Doing several things at once: calls in threads, and work in a child process while the parent goes on."""

from __future__ import annotations

import os

from ocf_aws.status import Failure, SoftError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_THREADS = 8


def outcomes(functions: Iterable[Callable[[], Any]]) -> list[Any]:
    """What each function returns, or the Failure that it raised, in their order; they run at the same time."""
    from concurrent.futures import ThreadPoolExecutor

    def outcome(function: Callable[[], Any]) -> Any:
        try:
            return function()
        except Failure as failure:
            return failure

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(outcome, functions))


def results(*functions: Callable[[], Any]) -> list[Any]:
    """What each function returns; they run at the same time. Raises the first function's Failure that there is."""
    found = outcomes(functions)
    for outcome in found:
        if isinstance(outcome, Failure):
            raise outcome
    return found


class Aside:
    """Work that a forked child does while this process goes on.

    Loading pyroute2 (0.15 s) and boto3 (0.35 s) is most of what a start does, and Python's threads would do the one
    after the other. To be made before any thread is.
    """

    def __init__(self, work: Callable[[], Any]):
        self._outcome: Any = None
        self._reader, writer = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._reader)
            self._work(work, writer)
        os.close(writer)

    @staticmethod
    def _work(work: Callable[[], Any], writer: int) -> None:
        """In the child: do the work, send what becomes of it, and end without running anything of the parent's."""
        import pickle

        try:
            outcome: Any = work()
        except Failure as failure:
            outcome = failure
        except BaseException as error:  # the parent has to know, whatever it is
            outcome = SoftError(f"internal error: {type(error).__name__}: {error}")
        try:
            with open(writer, "wb") as pipe:
                pickle.dump(outcome, pipe)
        finally:
            os._exit(0)

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *exception: object) -> None:
        # Whatever became of the parent's part: when the action answers, the child must have done all it will do.
        self._wait()

    def result(self) -> Any:
        """What the work returned. Raises the Failure that it raised."""
        outcome = self._wait()
        if isinstance(outcome, Failure):
            raise outcome
        return outcome

    def _wait(self) -> Any:
        import pickle

        if self._outcome is None:
            with open(self._reader, "rb") as pipe:
                sent = pipe.read()
            os.waitpid(self._child, 0)
            lost = SoftError("internal error: a child process ended without a word")
            self._outcome = pickle.loads(sent) if sent else lost
        return self._outcome
