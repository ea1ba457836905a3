"""A threaded HTTP/1.1 server on sockets that others opened: for the EC2 endpoint and for IMDS.

It keeps connections alive, sends each answer in one segment, and can do what a broken network does:
cut a connection with a reset, or fall silent.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO

_log = logging.getLogger(__name__)

_HANDSHAKE_SECONDS = 10


class Dropped(Exception):
    """The connection ends with a TCP reset instead of an answer."""


class Silent(Exception):
    """No answer ever comes; the connection stays open until the client gives up."""


@dataclass(frozen=True)
class Request:
    """One HTTP request; `peer` is the client's address, `target` the path with its query."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Header names are matched without regard to case."""

    body: bytes
    peer: str


@dataclass(frozen=True)
class Response:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    """Bytes that are announced and never come."""

    pace: float = 0
    """Seconds between two bytes of the answer."""


class Server:
    """Serves requests on any number of sockets, each connection in a daemon thread."""

    def __init__(self, name: str, answer: Callable[[Request], Response]):
        self._name = name
        self._answer = answer
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._closed = False
        self._listeners: set[socket.socket] = set()
        self._open_door = threading.Event()
        self._open_door.set()
        self.speaks_tls = True
        """Whether it answers new connections by TLS where it should; else by what an old proxy says."""

    def refuse(self, is_refusing: bool) -> None:
        """Refuse new connections from now on, as a machine does on which nobody listens; or take them again.

        A listener on a port that the kernel chose comes back on another one.
        """
        with self._lock:
            listeners = list(self._listeners)
        if is_refusing:
            self._open_door.clear()
        for listener in listeners:
            if is_refusing:
                _wake(listener)
            else:
                # Linux lets a listener that was shut down listen again.
                listener.listen()
        if not is_refusing:
            self._open_door.set()

    def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Serve a bound, listening socket until `close`; the socket is the server's from now on."""
        self._start("listen", self._accept, sock, tls)

    def close(self) -> None:
        """Stop listening and cut every connection; returns when the threads have ended."""
        with self._lock:
            self._closed = True
            self._open_door.set()
            sockets = list(self._open)
            threads = list(self._threads)
        for sock in sockets:
            _wake(sock)
        for thread in threads:
            thread.join(timeout=2)

    def _start(
        self,
        what: str,
        serve: Callable[..., None],
        sock: socket.socket,
        tls: ssl.SSLContext | None,
    ) -> None:
        """Serve a socket in a thread that `close` can end."""

        def run() -> None:
            try:
                serve(sock, tls)
            finally:
                sock.close()
                with self._lock:
                    self._open.discard(sock)
                    self._threads.discard(thread)

        thread = threading.Thread(target=run, name=f"{self._name}-{what}", daemon=True)
        with self._lock:
            if self._closed:
                sock.close()
                return
            self._open.add(sock)
            self._threads.add(thread)
        thread.start()

    def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Take connections until the server is closed."""
        with self._lock:
            self._listeners.add(listener)
        while not self._closed:
            try:
                connection, _ = listener.accept()
            except OSError:
                self._open_door.wait()
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start("serve", self._serve, connection, tls)

    def _serve(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Answer the requests of one connection until either side ends it."""
        stream = connection
        try:
            if tls is not None and not self.speaks_tls:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            if tls is not None:
                connection.settimeout(_HANDSHAKE_SECONDS)
                # The plain socket stays open below, for `close` and for a reset.
                stream = tls.wrap_socket(connection.dup(), server_side=True)
                stream.settimeout(None)
            peer = connection.getpeername()[0]
            with stream, stream.makefile("rb") as reader:
                while self._exchange(stream, reader, peer):
                    pass
        except (Dropped, OSError, ValueError, http.client.HTTPException):
            # Cut on purpose, or the client went away: nobody is left to tell.
            return

    def _exchange(self, stream: socket.socket, reader: BinaryIO, peer: str) -> bool:
        """Read one request and answer it; returns whether the connection goes on."""
        line = reader.readline(65536)
        if not line.strip():
            return False
        method, target, version = line.decode("latin-1").split()
        headers: Any = http.client.parse_headers(reader)
        length = int(headers.get("Content-Length", 0))
        request = Request(method, target, headers, reader.read(length), peer)
        try:
            answer = self._answer(request)
        except Silent:
            stream.recv(1)
            return False
        except Dropped:
            _arm_reset(stream)
            raise
        except Exception:
            _log.exception("%s: no answer to %s %s", self._name, method, target)
            answer = Response(500, b"the lab has a bug")
        keep = version != "HTTP/1.0" and headers.get("Connection", "") != "close"
        data = _encode(answer, keep)
        if answer.pace:
            for byte in data:
                stream.sendall(bytes([byte]))
                time.sleep(answer.pace)
        else:
            stream.sendall(data)
        return keep and not answer.missing


def _encode(answer: Response, keep: bool) -> bytes:
    """The answer as it goes over the wire."""
    head = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body) + answer.missing}",
        f"Connection: {'keep-alive' if keep else 'close'}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + answer.body


def _arm_reset(sock: socket.socket) -> None:
    """Make the socket's close a TCP reset (RST) instead of an orderly end (FIN)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _wake(sock: socket.socket) -> None:
    """End a thread's accept or recv on the socket; closing it would not."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Not connected any more, so nobody waits on it.
        return
