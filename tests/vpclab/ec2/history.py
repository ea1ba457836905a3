"""Old states of the VPC, for readers that lag behind: stale describes and a slow IMDS."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable

from vpclab.ec2.backend import Backend

_CHANGING = ("vpcs", "subnets", "route_tables", "enis", "reservations", "tags")
"""What of moto's state is copied; the rest is shared with the present."""


class History:
    """States before each change, as far back as somebody may look. Not thread-safe: use it locked."""

    def __init__(self, reach: Callable[[], float]):
        """`reach` returns how many seconds back the slowest reader looks now."""
        self._reach = reach
        self._states: deque[tuple[float, Backend]] = deque()
        """When each state ended, and the state; oldest first."""

    def record(self, backend: Backend) -> None:
        """Keep the state as it is now, because it is about to change."""
        now, reach = time.monotonic(), self._reach()
        while self._states and self._states[0][0] < now - reach:
            self._states.popleft()
        if reach:
            self._states.append((now, _copy(backend)))

    def as_of(self, lag: float, backend: Backend) -> Backend:
        """The state `lag` seconds ago; the present one if nothing has changed since then."""
        then = time.monotonic() - lag
        for ended, state in self._states:
            if ended > then:
                return state
        return backend


def _copy(backend: Backend) -> Backend:
    """A copy that later changes do not reach."""
    shadow = copy.copy(backend)
    # What refers to the backend refers to the shadow in the copy.
    known = {id(backend): shadow}
    for part in _CHANGING:
        setattr(shadow, part, copy.deepcopy(getattr(backend, part), known))
    return shadow
