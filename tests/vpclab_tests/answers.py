"""Who answers at an address: a server in a network namespace that tells its name, and whoever asks."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vpclab import sandbox

PORT = 7
SILENCE = 0.3
"""Seconds without an answer that prove that there is none: an answer takes 0.001 s."""


@contextmanager
def says_its_name(host: str, address: str) -> Iterator[None]:
    """A TCP server that tells everyone who connects the name of its host."""
    listening = sandbox.listen(host, address, PORT)

    def serve() -> None:
        while True:
            connection, client = listening.accept()
            with connection:
                if client[0] in ("127.0.0.1", "::1"):
                    return
                connection.sendall(host.encode())

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield
    finally:
        # accept() sees a connection, not that another thread closed its socket.
        loopback = "127.0.0.1" if "." in address else "::1"
        sandbox.open_in(host, lambda: socket.create_connection((loopback, PORT))).close()
        server.join()
        listening.close()


def answer_at(address: str, host: str = "client") -> str | None:
    """The name of who answers a host at an address, or None."""
    try:
        with sandbox.open_in(host, lambda: socket.create_connection((address, PORT), SILENCE)) as connection:
            return connection.recv(100).decode() or None
    except OSError:
        return None


def inside(host: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a host's namespace."""
    return subprocess.run(["ip", "netns", "exec", host, *command], capture_output=True, text=True)
