"""The packets on a link, as tcpdump prints them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import IO

from vpclab import sandbox

_LAST_TYPE = 0x88B5
_LAST_FRAME = bytes(12) + _LAST_TYPE.to_bytes(2, "big") + bytes(46)
"""A frame of the type that IEEE 802 leaves to local experiments; no host takes it."""


@contextmanager
def capture(netns: str, link: str) -> Iterator[list[str]]:
    """Record the packets on a link of a network namespace while the context lasts.

    Yields the list of tcpdump's lines, which is complete when the context has ended.
    """
    lines: list[str] = []
    tcpdump = subprocess.Popen(
        ["ip", "netns", "exec", netns, "tcpdump", "-nnl", "--immediate-mode", "-i", link],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert tcpdump.stdout is not None and tcpdump.stderr is not None
    reader = Thread(target=_read, args=(tcpdump.stdout, lines), daemon=True)
    reader.start()
    try:
        for line in tcpdump.stderr:
            if line.startswith("listening on"):
                break
        yield lines
        # Stopped by a signal, tcpdump would drop what it has not read yet: a last frame
        # comes after all others. A link that is gone carries none, and ends it too.
        _send_last_frame(netns, link)
        reader.join(timeout=5)
    finally:
        tcpdump.terminate()
        tcpdump.wait()
        reader.join()
        tcpdump.stdout.close()
        tcpdump.stderr.close()


def _read(stdout: IO[str], lines: list[str]) -> None:
    for line in stdout:
        if f"{_LAST_TYPE:#06x}" in line:
            return
        lines.append(line.rstrip("\n"))


def _send_last_frame(netns: str, link: str) -> None:
    try:
        with sandbox.open_in(netns, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)) as packets:
            packets.sendto(_LAST_FRAME, (link, 0))
    except OSError:
        return
