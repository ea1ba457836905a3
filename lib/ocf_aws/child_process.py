"""Work in a forked child, which a stop can end when it takes too long."""

from __future__ import annotations

import os

from ocf_aws.ocf.errors import Failure, SoftError, as_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ocf_aws.ocf.deadline import Deadline
    from ocf_aws.ocf.log import Log

BEST_EFFORT_SECONDS = 10.0
"""How long a stop waits for EC2, which it can do without."""


class ChildProcess:
    """Work that a child does while this process goes on. To be made before any thread is.

    A context manager: when it ends, the child has ended. Where the node can make no child, `result` raises SoftError.
    """

    def __init__(self, work: Callable[[], Any]):
        self._outcome: list[Any] = []
        self._is_late = False
        self._reader, writer = os.pipe()
        try:
            self._child = os.fork()
        except OSError as error:
            self._outcome.append(SoftError(f"this node can start no process: {error.strerror}"))
        if not self._outcome and self._child == 0:
            os.close(self._reader)
            self._work(work, writer)
        os.close(writer)

    @staticmethod
    def _work(work: Callable[[], Any], writer: int) -> None:
        """In the child: do the work, send what becomes of it, and end without running anything of the parent's."""
        import pickle

        try:
            outcome: Any = work()
        except BaseException as error:  # the parent has to know, whatever it is
            outcome = as_failure(error)
        try:
            with open(writer, "wb") as pipe:
                pickle.dump(outcome, pipe)
        finally:
            os._exit(0)

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self._wait()

    def result(self) -> Any:
        """What the work returned. Raises the Failure that it raised."""
        outcome = self._wait()
        if isinstance(outcome, Failure):
            raise outcome
        return outcome

    def end_after(self, seconds: float) -> None:
        """Wait that long for the work, and kill the child if it is not done then: `result` raises SoftError."""
        from select import select
        from signal import SIGKILL

        if not self._outcome and not select([self._reader], [], [], seconds)[0]:
            self._is_late = True
            os.kill(self._child, SIGKILL)

    def finish(self, deadline: Deadline, log: Log, warning: str) -> None:
        """Wait for the work, but no longer than BEST_EFFORT_SECONDS; if it fails, the log has the warning and the reason."""
        self.end_after(min(BEST_EFFORT_SECONDS, deadline.left()))
        try:
            self.result()
        except Failure as error:
            log.warning(f"{warning}: {error.full_text}")

    def _wait(self) -> Any:
        import pickle

        if not self._outcome:
            with open(self._reader, "rb") as pipe:
                sent = pipe.read()
            try:
                lost = f"its process died with status {os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])}"
            except ChildProcessError:
                # Who started the agent ignores SIGCHLD, and so the kernel keeps no status (wait(2), "NOTES").
                lost = "its process died"
            if self._is_late:
                lost = "it took too long"
            self._outcome.append(pickle.loads(sent) if sent else SoftError(lost))
        return self._outcome[0]


class TwoPhaseChild(ChildProcess):
    """Work that a child prepares while this process goes on, and does when it is told to commit.

    prepare: called in the child; returns the function that does the work. `result` tells whether it was done.
    """

    def __init__(self, prepare: Callable[[], Callable[[], Any]]):
        self._ready_reader, ready = os.pipe()
        go, self._go_writer = os.pipe()

        def work() -> Any:
            # A pipe ends for its reader when the last process that could write to it has closed it.
            os.close(self._ready_reader)
            os.close(self._go_writer)
            act = prepare()
            os.close(ready)
            is_committed = bool(os.read(go, 1))
            if is_committed:
                act()
            return is_committed

        super().__init__(work)
        os.close(ready)
        os.close(go)

    def __enter__(self) -> TwoPhaseChild:
        return self

    def __exit__(self, *exception: object) -> None:
        # A child that was not told to commit sees the end of the pipe, and one that still prepares has nothing to do.
        os.close(self._go_writer)
        self.end_after(0)
        super().__exit__(*exception)
        os.close(self._ready_reader)

    def wait_ready(self, seconds: float) -> None:
        """Wait until the child is prepared, or has failed to be, but no longer than that."""
        from select import select

        select([self._ready_reader], [], [], seconds)

    def commit(self) -> None:
        """Tell the child to do the work; no matter if it has failed already."""
        try:
            os.write(self._go_writer, b".")
        except BrokenPipeError:
            pass
