"""The effects of faults on calls.

Each effect wraps the execution of a call: it may run it, late or not at all, and may take its answer away.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol

from vpclab.ec2.errors import ApiError
from vpclab.ec2.http_server import Dropped, Response


class Exchange(Protocol):
    """A call between its request and its answer."""

    def execute(self, lag: float = 0) -> Response:
        """Do what the call asks; a describe answers as of `lag` seconds ago."""

    def record(self, outcome: str) -> None:
        """Enter the call in the log; only the first record of a call counts."""


class Effect(Protocol):
    """The effect of a fault on a call."""

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Answer the call, or raise; gives up waiting when `released` is set."""


@dataclass(frozen=True)
class Error:
    """EC2 answers with an error and does nothing; `status` defaults to what EC2 uses."""

    code: str
    status: int | None = None
    message: str = "The lab refuses this call."

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Refuse the call."""
        raise ApiError(self.code, self.message, self.status)


@dataclass(frozen=True)
class Delay:
    """The call is executed, and answered, so many seconds late."""

    seconds: float

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Execute the call after the delay."""
        released.wait(self.seconds)
        return exchange.execute()


@dataclass(frozen=True)
class Hang:
    """Nothing is executed and no answer comes; a reset follows when the fault is removed."""

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Wait for the fault's end."""
        exchange.record("Hang")
        released.wait()
        raise Dropped


@dataclass(frozen=True)
class Reset:
    """Nothing is executed and the connection is reset."""

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Cut the connection."""
        exchange.record("Reset")
        raise Dropped


@dataclass(frozen=True)
class LostAnswer:
    """The call is executed, and then the connection is reset."""

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Execute the call and cut the connection."""
        exchange.execute()
        exchange.record("LostAnswer")
        raise Dropped


@dataclass(frozen=True)
class Truncated:
    """The call is executed, and half of the answer comes; `is_announced`: as if it were all of it."""

    is_announced: bool = True

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Execute the call and halve the answer."""
        answer = exchange.execute()
        exchange.record("Truncated")
        half = len(answer.body) // 2
        return replace(answer, body=answer.body[:half], missing=0 if self.is_announced else len(answer.body) - half)


@dataclass(frozen=True)
class Drip:
    """The call is executed, and the answer comes a byte at a time, so many seconds apart."""

    seconds: float = 1.0

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Execute the call and slow the answer down."""
        answer = exchange.execute()
        exchange.record("Drip")
        return replace(answer, pace=self.seconds)


@dataclass(frozen=True)
class Garbage:
    """Nothing is executed, and the answer is the HTML of some proxy.

    botocore takes a page that is well-formed XML, as the default one is, with status 200 for an answer without content.
    """

    status: int = 502
    body: bytes = b"<html><body><h1>Bad Gateway</h1></body></html>"

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Answer with HTML."""
        exchange.record("Garbage")
        return Response(self.status, self.body, "text/html")


@dataclass(frozen=True)
class Stale:
    """A describe answers as of so many seconds ago; other calls are as always.

    EC2 is eventually consistent: a change may be missing from the next describes. Changes from before the fault was
    added are told at once.
    """

    seconds: float

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Execute the call on an old state."""
        return exchange.execute(lag=self.seconds)


class Quota:
    """A token bucket, of which each call takes a token: without one it is throttled ("Request throttling", EC2 developer guide).

    burst: tokens that it holds. rate: tokens that come a second.
    """

    def __init__(self, burst: float, rate: float):
        self._burst = self._tokens = burst
        self._rate = rate
        self._time = time.monotonic()
        self._lock = threading.Lock()

    def around(self, exchange: Exchange, released: threading.Event) -> Response:
        """Execute the call if there is a token left."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._time) * self._rate)
            self._time = now
            is_throttled = self._tokens < 1
            self._tokens -= not is_throttled
        if is_throttled:
            raise ApiError("RequestLimitExceeded", "Request limit exceeded.", None)
        return exchange.execute()
