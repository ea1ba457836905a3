"""The state of the emulated region: moto's backend, the lock over it, and changes that happen later."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from vpclab.ec2.backend import Backend
from vpclab.ec2.history import History
from vpclab.ec2.identity import ACCOUNT

_log = logging.getLogger(__name__)


class Power(Protocol):
    """What the hypervisor does to an instance."""

    def off(self, instance_id: str) -> None:
        """Cut the power; returns when nothing of the instance runs any more."""

    def on(self, instance_id: str) -> None:
        """Boot the instance."""


class NoPower:
    """Instances that exist in EC2's tables only."""

    def off(self, instance_id: str) -> None:
        """Nothing runs that could be switched off."""

    def on(self, instance_id: str) -> None:
        """Nothing is there to boot."""


@dataclass
class Times:
    """How long EC2 takes, in seconds; 0: done before the call is answered."""

    attach: float = 0
    detach: float = 0
    stop: float = 0.5
    start: float = 0.5


class State:
    """Everything that calls read and change, under one lock."""

    def __init__(self, region: str, reach: Callable[[], float]):
        """`reach` returns how many seconds old a state may be that a reader asks for."""
        self.region = region
        self.backend = Backend(region, ACCOUNT)
        self.times = Times()
        self.stuck: set[str] = set()
        """ENIs that stay in `detaching` until detached by force."""

        self.shared: dict[str, str] = {}
        """Route tables of another account, and the role that may use each."""

        self.clock_ahead = 0.0
        """Seconds by which EC2's clock is ahead of the instances'."""

        self.page_size: int | None = None
        """Items in a page of a describe that does not say MaxResults; None: all."""

        self.power: Power = NoPower()
        self.on_change: Callable[[], None] = lambda: None
        self._history = History(reach)
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._threads: set[threading.Thread] = set()

    @contextmanager
    def view(self, lag: float = 0) -> Iterator[Backend]:
        """The backend as of `lag` seconds ago, to read; it does not change meanwhile."""
        with self._lock:
            yield self._history.as_of(lag, self.backend) if lag else self.backend

    @contextmanager
    def change(self) -> Iterator[Backend]:
        """The backend, to change; `on_change` is called after the lock is released."""
        with self._lock:
            self._history.record(self.backend)
            yield self.backend
        self.on_change()

    def later(self, seconds: float, happen: Callable[[], None]) -> None:
        """Let a change happen after some seconds, or at once if it takes none.

        Called within `change`.
        """
        if seconds <= 0:
            happen()
            return

        def wait_and_happen() -> None:
            if self.pause(seconds):
                with self.change():
                    happen()

        self.background(wait_and_happen)

    def pause(self, seconds: float) -> bool:
        """Wait in a background thread; returns False at once when the lab closes."""
        return not self._closed.wait(max(0, seconds))

    def background(self, run: Callable[[], None]) -> None:
        """Run something in a thread of its own."""

        def run_and_leave() -> None:
            try:
                run()
            except Exception:
                _log.exception("a change that EC2 makes by itself failed")
            finally:
                self._threads.discard(thread)

        thread = threading.Thread(target=run_and_leave, name="ec2-later", daemon=True)
        self._threads.add(thread)
        thread.start()

    def close(self) -> None:
        """Drop everything that has not happened yet."""
        self._closed.set()
        deadline = time.monotonic() + 5
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(timeout=max(0, deadline - time.monotonic()))
