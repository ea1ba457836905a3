"""The only door to the kernel's tables, and to pyroute2: netlink messages out, answers in.

Requests that read, and those on links and addresses, are packed by struct; pyroute2's message classes encode routes and rules.
Layouts: rtnetlink(7) and linux/rtnetlink.h.
"""

from __future__ import annotations

import errno
import sys

# `socket` adds to this built-in part a class and enumerations that take 6 ms to load.
from _socket import AF_NETLINK, AF_UNSPEC, NETLINK_ROUTE, SOCK_CLOEXEC, SOCK_RAW, socket

# `os` adds to this built-in part what takes a tenth of a local monitor to load.
from posix import strerror
from struct import pack, unpack_from
from time import sleep

from ocf_aws.ocf.errors import NotInstalled, SoftError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

RTM_NEWLINK = 16
RTM_GETLINK = 18
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26
RTM_GETNEIGH = 30
RTM_NEWRULE = 32
RTM_DELRULE = 33
RTM_GETRULE = 34

# Size of the fixed part of an answer to each request: ifinfomsg, ifaddrmsg, rtmsg, ndmsg, fib_rule_hdr.
HEADER_SIZES = {RTM_GETLINK: 16, RTM_GETADDR: 8, RTM_GETROUTE: 12, RTM_GETNEIGH: 12, RTM_GETRULE: 12}

NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x1
_NLM_F_ACK = 0x4
_NLM_F_DUMP_INTR = 0x10
_NLM_F_DUMP = 0x300
_NLA_TYPE_MASK = 0x3FFF
_DUMP_ATTEMPTS = 5
_ANSWER_SECONDS = 5.0

# What the kernel says in passing, being short of memory: netlink(7), "BUGS".
_PASSING = frozenset((errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINTR))
_PAUSES = (0.02, 0.1, 0.3, 0.6)


class KernelUnavailable(SoftError):
    """The kernel does not answer now; a start asks again."""

    certain_after = float("inf")


def split_attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in `payload`: type and value of each, in their order."""
    offset = 0
    while offset + 4 <= len(payload):
        length, kind = unpack_from("=HH", payload, offset)
        if length < 4:
            return
        yield kind & _NLA_TYPE_MASK, payload[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def encode_attribute(kind: int, value: bytes) -> bytes:
    """An attribute as the kernel reads it."""
    return pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def dump(request: int, family: int = AF_UNSPEC) -> list[tuple[bytes, dict[int, bytes]]]:
    """All objects of a kind: for each its fixed header and its attributes by their type.

    request: one of the RTM_GET* above. family: AF_INET, AF_INET6 or AF_UNSPEC for all.
    Raises KernelUnavailable when the kernel does not answer.
    """
    try:
        for _ in range(_DUMP_ATTEMPTS):
            # The table changed under the dump: parts of it may be missing (NLM_F_DUMP_INTR), so read it again.
            objects: list[tuple[bytes, dict[int, bytes]]]
            objects, is_interrupted = _insist(lambda: _dump_once(request, family))
            if not is_interrupted:
                return objects
    except OSError as error:
        raise KernelUnavailable(f"the kernel does not answer by netlink: {error}") from error
    raise KernelUnavailable("the kernel's tables change faster than they can be read")


def _insist(ask: Callable[[], Any]) -> Any:
    """What `ask` returns, asked again while the kernel refuses in passing. Raises OSError."""
    for pause in _PAUSES:
        try:
            return ask()
        except OSError as error:
            if error.errno not in _PASSING:
                raise
        sleep(pause)
    return ask()


def _dump_once(request: int, family: int) -> tuple[list[tuple[bytes, dict[int, bytes]]], bool]:
    size = HEADER_SIZES[request]
    objects: list[tuple[bytes, dict[int, bytes]]] = []
    is_interrupted = False
    with _Connection() as connection:
        connection.send(request, _NLM_F_DUMP, bytes([family]) + bytes(size - 1))
        for kind, flags, body in connection.answers():
            is_interrupted = is_interrupted or bool(flags & _NLM_F_DUMP_INTR)
            if kind == _NLMSG_DONE:
                break
            objects.append((body[:size], dict(split_attributes(body[size:]))))
    return objects, is_interrupted


class _Connection:
    """A netlink socket for one request at a time."""

    def __init__(self) -> None:
        self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.settimeout(_ANSWER_SECONDS)
        self._socket.bind((0, 0))

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def send(self, request: int, flags: int, body: bytes) -> None:
        """Raises OSError."""
        self._socket.send(pack("=IHHII", 16 + len(body), request, _NLM_F_REQUEST | flags, 1, 0) + body)

    def answers(self) -> Iterator[tuple[int, int, bytes]]:
        """Type, flags and body of each message of the answer. Raises OSError with the kernel's error, or silence."""
        while True:
            data = self._socket.recv(1 << 18)
            offset = 0
            while offset < len(data):
                length, kind, flags = unpack_from("=IHH", data, offset)
                body = data[offset + 16 : offset + length]
                # A dump that breaks off ends with its error in the last message (netlink_dump_done() in af_netlink.c).
                if kind in (_NLMSG_ERROR, _NLMSG_DONE) and len(body) >= 4:
                    code = -unpack_from("=i", body)[0]
                    if code > 0:
                        raise OSError(code, strerror(code))
                yield kind, flags, body
                offset += (length + 3) & ~3


class Rtnl:
    """Changes to the kernel's tables: `with Rtnl() as rtnl: rtnl.request(...)`."""

    def __init__(self) -> None:
        self._connection = _Connection()

    def __enter__(self) -> Rtnl:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.__exit__()

    def request(self, what: str, request: int, body: bytes, *, flags: int = 0, tolerate: tuple[int, ...] = ()) -> bool:
        """Make one change.

        what: the change in words, for the error. request: RTM_NEW... or RTM_DEL.... body: as `encode` gives it.
        flags: NLM_F_... beyond those of every request. tolerate: errno values that mean the wanted state is there already.
        Returns whether anything was changed. Raises SoftError with the kernel's words.
        """
        try:
            _insist(lambda: self._request_once(request, _NLM_F_ACK | flags, body))
        except OSError as error:
            if error.errno in tolerate:
                return False
            is_passing = error.errno in _PASSING or isinstance(error, TimeoutError)
            kind = KernelUnavailable if is_passing else SoftError
            raise kind(f"cannot {what}: {error.strerror or error}") from error
        return True

    def _request_once(self, request: int, flags: int, body: bytes) -> None:
        try:
            self._connection.send(request, flags, body)
            next(self._connection.answers())
        except OSError:
            # A late answer must not be taken for that to the next request.
            self._connection.__exit__()
            self._connection = _Connection()
            raise


def encode(message: str, header: Mapping[str, int], attributes: list[tuple[str, Any]]) -> bytes:
    """The body of a request, encoded by pyroute2.

    message: `rtmsg` or `fibmsg`. header: fields of the fixed part; the others are 0.
    attributes: by the kernel's names (RTA_..., FRA_...); one that this pyroute2 does not know is left out.
    Raises NotInstalled without pyroute2.
    """
    encoded = _message_class(message)()
    for name, value in header.items():
        encoded[name] = value
    encoded["attrs"] = attributes
    encoded.encode()
    return bytes(encoded.data[16:])


def require_pyroute2() -> None:
    """Raises NotInstalled where pyroute2 is missing."""
    _message_class("rtmsg")


def _message_class(name: str) -> Any:
    try:
        return getattr(_import(f"pyroute2.netlink.rtnl.{name}"), name)
    except ImportError as error:
        raise NotInstalled(
            f"install python3-pyroute2: pyroute2 cannot be loaded on this node ({error})", str(error)
        ) from error


def _import(name: str) -> Any:
    """A module of pyroute2, without running the package's own __init__, which loads all of it (0.15 s)."""
    from ocf_aws.site_packages import find, load

    if "pyroute2" in sys.modules:
        return load(name)
    # `types`, which names this class, takes 1 ms to load.
    package = type(sys)("pyroute2")
    package.__spec__ = find("pyroute2")
    package.__path__ = package.__spec__.submodule_search_locations or []
    sys.modules["pyroute2"] = package
    try:
        return load(name)
    except (ImportError, AttributeError):
        # This version is laid out otherwise: take all of it.
        for loaded in [each for each in sys.modules if each.partition(".")[0] == "pyroute2"]:
            del sys.modules[loaded]
        load("pyroute2")
        return load(name)
