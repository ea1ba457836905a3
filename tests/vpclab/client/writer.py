"""A client that writes to a PostgreSQL database, one transaction a second at least, and notes what was acknowledged."""

from __future__ import annotations

import os
import signal
from types import TracebackType

from vpclab.hosts.instance import Instance
from vpclab.waiting import wait_until

_FILE = "root/acknowledged"
# A connection for each transaction. Only what psql reports as committed is noted; nothing is written a second time.
_PROGRAM = """\
n=$2
while :; do
    n=$((n + 1))
    timeout 5 psql --quiet "host=$1 user=client dbname=postgres connect_timeout=1 tcp_user_timeout=1000" \\
        --command "INSERT INTO written VALUES ($n)" && echo $n >> /{file}
done
"""


class Writer:
    """Writes the numbers from `first` on to the table `written` at an address, while its context lasts."""

    def __init__(self, client: Instance, address: str, first: int = 1) -> None:
        self._file = client.root / _FILE
        client.write(_FILE, "")
        program = _PROGRAM.format(file=_FILE)
        console = client.console.open("a")
        self._writer = client.popen(
            "sh", "-c", program, "writer", address, str(first - 1), stdout=console, stderr=console
        )
        console.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # nsenter runs the program as its child: end the session's whole group.
        os.killpg(self._writer.pid, signal.SIGKILL)
        self._writer.wait()

    def acknowledged(self) -> list[int]:
        """The numbers whose transactions the database said to have committed."""
        return [int(line) for line in self._file.read_text().split()]

    def wait_progress(self, timeout: float = 60) -> None:
        """Wait until another transaction is acknowledged. Raises TimeoutError."""
        before = len(self.acknowledged())
        wait_until(lambda: len(self.acknowledged()) > before + 1, timeout, lambda: f"none after {before}")
