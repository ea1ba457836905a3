"""Time that passes without anybody waiting."""

from __future__ import annotations


class Clock:
    """A monotonic clock on which only sleep() passes the time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += seconds
