"""Faults: which calls they match, their effect, and how often."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from vpclab.ec2.effects import Effect
from vpclab.ec2.wildcards import matches


@dataclass(eq=False)
class Fault:
    """An effect on the calls that match; as a context manager it ends with the block."""

    faults: Faults
    action: str
    caller: str | None
    where: Mapping[str, Any]
    effect: Effect
    times: int | None
    """How many more calls it catches; None: all."""

    seconds: float | None = None
    """How long it lasts from the first call that it catches; None: until it is removed."""

    caught: int = 0
    ends: float = float("inf")
    released: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.faults.remove(self)

    def catches(self, caller: str, action: str, parameters: Mapping[str, Any]) -> bool:
        """Whether the effect applies to this call."""
        return (
            self.times != 0
            and time.monotonic() < self.ends
            and matches(self.action, action)
            and self.caller in (None, caller)
            and all(_has(parameters, name, self.where[name]) for name in self.where)
        )


class Faults:
    """The faults in force; the first that catches a call decides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(
        self,
        action: str = "*",
        caller: str | None = None,
        where: Mapping[str, Any] | None = None,
        *,
        effect: Effect,
        times: int | None = None,
        seconds: float | None = None,
    ) -> Fault:
        """Let an effect happen to calls from now on.

        `action` may have wildcards. `caller` is an instance id. `where` gives parameters that the call must have;
        "RouteTableId" is also looked for among "RouteTableIds". After `times` calls the fault is spent, and
        `seconds` after the first one.
        """
        fault = Fault(self, action, caller, dict(where or {}), effect, times, seconds)
        with self._lock:
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """End a fault and release the calls that it holds. May be called again."""
        with self._lock:
            if fault in self._faults:
                self._faults.remove(fault)
        fault.released.set()

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            faults = list(self._faults)
        for fault in faults:
            self.remove(fault)

    def catch(self, caller: str, action: str, parameters: Mapping[str, Any]) -> Fault | None:
        """The fault that decides about this call, which counts for its `times`."""
        with self._lock:
            for fault in self._faults:
                if fault.catches(caller, action, parameters):
                    if not fault.caught and fault.seconds is not None:
                        fault.ends = time.monotonic() + fault.seconds
                    fault.caught += 1
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def effects(self) -> list[Effect]:
        """The effects in force."""
        with self._lock:
            return [fault.effect for fault in self._faults]


def _has(parameters: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether a call has this parameter, alone or in a list."""
    several = parameters.get(f"{name}s", ())
    return parameters.get(name) == value or value in several
