"""Waiting for a condition by polling."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    happened: Callable[[], bool],
    timeout: float,
    otherwise: Callable[[], str],
    *,
    every: float = 0.1,
) -> float:
    """Poll until the condition holds; returns the seconds that it took.

    `timeout`, `every`: seconds. Raises TimeoutError with the text of `otherwise`.
    """
    start = time.monotonic()
    while not happened():
        if time.monotonic() - start > timeout:
            raise TimeoutError(f"not within {timeout:g} s: {otherwise()}")
        time.sleep(every)
    return time.monotonic() - start
