"""Which nodes have an address, as their kernels say many times a second: no two may at the same time."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from vpclab import sandbox

_INTERVAL = 0.05
"""Seconds between two looks."""


class HolderWatch:
    """Looks at the kernels of some nodes while its context lasts.

    looks: how often it has looked. moments: when two nodes had an address (wall clock, seconds), and the address.
    """

    def __init__(self, nodes: Iterable[str], addresses: Iterable[str]) -> None:
        self.looks = 0
        self.moments: list[tuple[float, str]] = []
        self._nodes = tuple(nodes)
        self._addresses = tuple(addresses)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="holders", daemon=True)

    def __enter__(self) -> HolderWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_INTERVAL):
            self._look()

    def _look(self) -> None:
        first = {node: _local_addresses(node) for node in self._nodes}
        self.looks += 1
        for address in self._addresses:
            holders = [node for node in self._nodes if address in first[node]]
            # The nodes are not read at one moment: who had it before the other and has it still, had it meanwhile.
            if len(holders) > 1 and address in _local_addresses(holders[0]):
                self.moments.append((time.time(), address))


def _local_addresses(node: str) -> set[str]:
    """The IPv4 addresses that the kernel of a node accepts packets for; none where it has no power."""
    try:
        pid = (sandbox.STATE / node / "pid").read_text()
        table = Path(f"/proc/{pid}/net/fib_trie").read_text()
    except OSError:
        return set()
    return set(re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", table))
