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


class Meanwhile:
    """Work that a thread does while this one goes on: for work that mostly waits, and knows when to end."""

    def __init__(self, work: Callable[[], Any]):
        from threading import Thread

        self._work = work
        self._value: Any = None
        self._error: BaseException | None = None
        # The process does not wait for it when the action fails.
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # handed over to the thread that asks
            self._error = error

    def check(self) -> None:
        """Raises what the work raised, if it has already."""
        if self._error is not None:
            raise self._error

    def result(self) -> Any:
        """What the work returns, once it does. Raises what it raised."""
        self._thread.join()
        self.check()
        return self._value


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

    def give_up_after(self, seconds: float) -> None:
        """Wait that long for the work, and end the child if it is not done then: `result` raises SoftError."""
        from select import select
        from signal import SIGKILL

        if self._outcome is None and not select([self._reader], [], [], seconds)[0]:
            os.kill(self._child, SIGKILL)

    def _wait(self) -> Any:
        import pickle

        if self._outcome is None:
            with open(self._reader, "rb") as pipe:
                sent = pipe.read()
            os.waitpid(self._child, 0)
            lost = SoftError("internal error: a child process ended without a word")
            self._outcome = pickle.loads(sent) if sent else lost
        return self._outcome


class Prepared(Aside):
    """Work that a forked child prepares while this process goes on, and then does when it is told.

    prepare: called in the child; returns the function that does the work.
    """

    def __init__(self, prepare: Callable[[], Callable[[], Any]]):
        self._told, ready = os.pipe()
        go, self._tell = os.pipe()

        def work() -> Any:
            # A pipe ends for its reader when the last process that could write to it has closed it.
            os.close(self._told)
            os.close(self._tell)
            act = prepare()
            os.close(ready)
            is_told = bool(os.read(go, 1))
            if is_told:
                act()
            return is_told

        super().__init__(work)
        os.close(ready)
        os.close(go)

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, *exception: object) -> None:
        # Nobody will tell it any more; and a child that has been told has been waited for.
        os.close(self._tell)
        self.give_up_after(0)
        super().__exit__(*exception)

    def wait_ready(self, seconds: float) -> None:
        """Wait until the child is prepared, or has failed to be, but no longer than that."""
        from select import select

        select([self._told], [], [], seconds)

    def go(self) -> None:
        """Tell the child to do the work; no matter if it has failed already."""
        try:
            os.write(self._tell, b".")
        except BrokenPipeError:
            pass
