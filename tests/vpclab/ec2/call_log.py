"""The log of all calls to the emulated EC2, as CloudTrail would have it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload


@dataclass(frozen=True)
class Call:
    """One call and its outcome."""

    time: float
    """When it arrived, as time.time()."""

    caller: str
    """The instance id, "operator", or the access key if nobody has it."""

    action: str
    parameters: dict[str, Any]
    """As boto3 takes them."""

    outcome: str
    """ "ok", an AWS error code, or the name of the effect that took the answer away."""

    user_agent: str
    request_id: str
    resources: tuple[str, ...]
    """ARNs that the call needs permission for; ("*",) if there is no single one."""

    role: str | None = None
    """The ARN of the role that the caller had assumed for this call."""


class CallLog(Sequence[Call]):
    """All calls, in the order in which they were decided; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    @overload
    def __getitem__(self, index: int) -> Call: ...

    @overload
    def __getitem__(self, index: slice) -> list[Call]: ...

    def __getitem__(self, index: int | slice) -> Call | list[Call]:
        with self._lock:
            return self._calls[index]

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls)

    def append(self, call: Call) -> None:
        """Add a call at the end."""
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()

    def named(self, *actions: str) -> list[Call]:
        """The calls of these actions."""
        return [call for call in self[:] if call.action in actions]

    def by(self, caller: str) -> list[Call]:
        """The calls of this caller."""
        return [call for call in self[:] if call.caller == caller]
