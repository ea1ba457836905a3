"""What the audience of a demonstration sees while it goes on."""

from __future__ import annotations

import shlex
import time

from vpclab.lab import Lab
from vpclab.timeline import Event


class Stage:
    """Progress as it happens; `events` are the marks on the timeline of the act."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._start = time.monotonic()

    def open(self, scene: str) -> None:
        """Show where the next act is set; its timeline is empty."""
        self.events = []
        print(scene)

    def tell(self, text: str) -> None:
        """Show one line with the time since the beginning."""
        print(f"[{time.monotonic() - self._start:5.1f} s] {text}", flush=True)

    def mark(self, text: str) -> None:
        """Show it, and mark the time of it."""
        self.events.append(Event(time.time(), text))
        self.tell(text)

    def type(self, lab: Lab, *command: str) -> None:
        """Show a command as an operator types it, and run it on a node."""
        print(f"          # {shlex.join(command)}", flush=True)
        lab.cluster.run(*command)
