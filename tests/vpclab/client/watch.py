"""A client on an instance: runs `probe.py` there and keeps what it sees."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ocf_aws.cli.outages.record import MINIMUM, Outage, Record, Recorder, Stretch
from ocf_aws.cli.outages.target import INTERVAL
from vpclab.checkout import PYTHONPATH


class ClientEnded(Exception):
    """The client process has ended: who answers is unknown."""


class Watch:
    """A client process on an instance, and its record so far.

    Args:
        run: starts a command on the instance and returns its process, as the `popen` of
            an instance does: called with the words of the command, stdin and stdout.
        addresses: IPv4 and IPv6 addresses to probe.
        library: where the instance has the packages ocf_aws and vpclab, as a PYTHONPATH.
        interval: seconds between two probes of an address.
    """

    def __init__(
        self,
        run: Callable[..., subprocess.Popen[Any]],
        addresses: Iterable[str],
        library: str = PYTHONPATH,
        interval: float = INTERVAL,
    ) -> None:
        self.addresses = tuple(addresses)
        self._run = run
        program = ("env", f"PYTHONPATH={library}", "/usr/bin/python3", "-s", "-m", "vpclab.client.probe")
        self._command = (*program, "--interval", str(interval), *self.addresses)
        self._recorder = Recorder(self.addresses)
        self._stretches = self._recorder.stretches
        self._changed = threading.Condition()
        self._ended = False

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start to probe; returns with the first probes sent. Raises ClientEnded."""
        pipe = subprocess.PIPE
        self._process = self._run(*self._command, stdin=pipe, stdout=pipe)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait(lambda: all(self._stretches.values()), 10.0, "no first report")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the client; the record stays. May be called again."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout
        stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        stdout.close()

    @property
    def record(self) -> Record:
        """What the client has seen so far (at most some 100 ms old)."""
        with self._changed:
            return self._recorder.record

    @property
    def answers(self) -> list[Stretch]:
        """Who answered, at all addresses, in the order of time."""
        record = self.record
        found = [s for address in self.addresses for s in record.answers(address)]
        return sorted(found, key=lambda stretch: stretch.start)

    def outages(self, since: float = 0.0, minimum: float = MINIMUM) -> list[Outage]:
        """See `Record.outages`."""
        return self.record.outages(since, minimum)

    def answering(self, address: str) -> str | None:
        """The host that answers at the address now, or None. Raises ClientEnded."""
        with self._changed:
            self._require_client()
            return self._stretches[address][-1].host

    def wait_until_answers(self, address: str, host: str | None, timeout: float) -> float:
        """Wait until this host answers at the address, or nobody does (None).

        Returns:
            since when it does (wall clock, seconds).

        Raises:
            TimeoutError: it did not within `timeout` seconds.
            ClientEnded: the client process is gone.
        """
        text = f"still not {host or 'nobody'} at {address}"
        with self._changed:
            self._wait(lambda: self._stretches[address][-1].host == host, timeout, text)
            return self._stretches[address][-1].start

    def _wait(self, reached: Callable[[], bool], timeout: float, text: str) -> None:
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._ended or reached(), timeout)
            self._require_client()
            if not in_time:
                seen = [of[-1] for of in self._stretches.values() if of]
                now = ", ".join(f"{s.host or 'nobody'} at {s.address}" for s in seen)
                raise TimeoutError(f"{text} after {timeout:g} s: {now or 'silence'}")

    def _require_client(self) -> None:
        if self._ended:
            raise ClientEnded(f"{' '.join(self._command)}: ended")

    def _read(self) -> None:
        assert self._process.stdout
        try:
            for line in self._process.stdout:
                with self._changed:
                    self._take(json.loads(line))
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _take(self, line: dict[str, Any]) -> None:
        if "stalled" in line:
            self._recorder.stalled(line["end"], line["stalled"])
        else:
            self._recorder.take(Stretch(**{**line, "errors": tuple(line["errors"])}))
