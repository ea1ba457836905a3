"""Asks all targets at the same pace, and hears what becomes of it, in one thread that never waits for an answer."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence

from ocf_aws.cli.outages.target import INTERVAL, Target, silence_of

REPORT = 0.1
"""Seconds between two reports of the open stretches."""


def ask_until(
    is_over: Callable[[], bool],
    targets: Sequence[Target],
    selector: selectors.BaseSelector,
    interval: float = INTERVAL,
    *,
    stalled: Callable[[float, float], None],
    reported: Callable[[], None] = lambda: None,
) -> None:
    """Ask each target every `interval` seconds.

    Args:
        is_over: asked once in every interval.
        targets: open, on the selector.
        selector: the data of each key is a function to call when it is ready.
        interval: seconds.
        stalled: called with the wall clock and by how many seconds this process is late.
        reported: called after each report of all open stretches.
    """
    due = time.monotonic()
    last_report = 0.0
    while not is_over():
        for key, _ in selector.select(max(0.0, due - time.monotonic())):
            key.data()
        late = time.monotonic() - due
        if late < 0:
            continue
        for target in targets:
            target.judge(time.time())
            target.ask(time.time())
        if late > silence_of(interval):
            stalled(time.time(), late)
        due += interval if late < interval else late + interval
        if due + interval - last_report > REPORT:
            report_all(targets)
            last_report = due
            reported()
    report_all(targets)
    reported()


def report_all(targets: Sequence[Target]) -> None:
    """Report the open stretch of every target, as of now."""
    now = time.time()
    for target in targets:
        target.report(now)
