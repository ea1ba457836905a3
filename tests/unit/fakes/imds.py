"""The instance metadata service on a loopback address, with the faults that an instance can meet."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ocf_aws.aws.imds import Imds
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import Unknown


class ToldImds(Imds):
    """IMDS for what only asks it for facts: these by their path below /latest/; None where it is silent."""

    def __init__(self, facts: Mapping[str, str] | None):
        super().__init__({}, Deadline.of_action())
        self._facts = facts

    def get(self, path: str) -> str | None:
        """As Imds.get."""
        if self._facts is None:
            raise Unknown("IMDS is silent")
        return self._facts.get(path)

    @property
    def instance_id(self) -> str:
        """As Imds.instance_id, on an instance that has it from IMDS alone."""
        return self.require("meta-data/instance-id")


class FakeImds(ThreadingHTTPServer):
    """Answers version 2 alone, as on an instance that requires tokens.

    facts: texts by their path below /latest/. broken: what comes instead of an answer to a path: status and text.
    statuses: HTTP statuses of the next answers. asked: the paths that were asked for, api/token too.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.facts: dict[str, str] = {}
        self.broken: dict[str, tuple[int, str]] = {}
        self.statuses: list[int] = []
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        self.released = threading.Event()
        self.is_hanging = False
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def environ(self) -> dict[str, str]:
        """The environment that leads to it, with a proxy that must not be used."""
        port = self.server_address[1]
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{port}/", "http_proxy": "http://127.0.0.1:1"}

    def close(self) -> None:
        """End it and whatever hangs in it."""
        self.released.set()
        self.shutdown()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    server: FakeImds

    def do_PUT(self) -> None:
        """A token."""
        if self._is_trouble("api/token"):
            return
        assert self.path == "/latest/api/token" and int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) > 0
        token = f"token-{len(self.server.tokens)}"
        self.server.tokens.add(token)
        self._answer(200, token)

    def do_GET(self) -> None:
        """A fact."""
        path = self.path[len("/latest/") :]
        if self._is_trouble(path):
            return
        if self.headers["X-aws-ec2-metadata-token"] not in self.server.tokens:
            self._answer(401, "")
        elif path in self.server.facts:
            self._answer(200, self.server.facts[path])
        else:
            self._answer(404, "<html>404 - Not Found</html>")

    def _is_trouble(self, path: str) -> bool:
        self.server.asked.append(path)
        if self.server.is_hanging:
            self.server.released.wait(30)
            return True
        if self.server.statuses and (status := self.server.statuses.pop(0)) != 200:
            self._answer(status, "trouble")
            return True
        if path in self.server.broken:
            self._answer(*self.server.broken[path])
            return True
        return False

    def _answer(self, status: int, text: str) -> None:
        body = text.encode("utf-8", "surrogateescape")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
