"""What the demonstration prints while it runs."""

from __future__ import annotations

import shlex
import time

from ocf_aws.cli.outages.timeline import Event
from vpclab.lab import Lab


class Console:
    """Progress as it happens; `events` are the marks on the timeline of the scenario."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._start = time.monotonic()

    def begin(self, diagram: str) -> None:
        """Show the diagram of the next scenario, and empty the timeline."""
        self.events = []
        print(diagram)

    def status(self, text: str) -> None:
        """Show one line with the time since the beginning."""
        print(f"[{time.monotonic() - self._start:5.1f} s] {text}", flush=True)

    def event(self, text: str) -> None:
        """Show it, and mark the time of it."""
        self.events.append(Event(time.time(), text))
        self.status(text)

    def run(self, lab: Lab, *command: str) -> None:
        """Show a command as an operator types it, and run it on a node."""
        print(f"          # {shlex.join(command)}", flush=True)
        lab.cluster.run(*command)
