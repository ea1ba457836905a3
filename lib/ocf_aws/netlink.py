"""The only door to the kernel: lean reads over a netlink socket, changes through pyroute2.

Importing pyroute2 takes 0.15 s, several times what a whole monitor may take, so what monitors ask is read here;
rtnetlink(7) and linux/rtnetlink.h give the layouts.
"""

from __future__ import annotations

import os
import socket
import struct

from ocf_aws.status import NotInstalled, SoftError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RTM_GETLINK = 18
RTM_GETADDR = 22
RTM_GETROUTE = 26
RTM_GETRULE = 34

# Size of the fixed part of an answer to each request: ifinfomsg, ifaddrmsg, rtmsg, fib_rule_hdr.
HEADER_SIZES = {RTM_GETLINK: 16, RTM_GETADDR: 8, RTM_GETROUTE: 12, RTM_GETRULE: 12}

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x1
_NLM_F_ACK = 0x4
_NLM_F_DUMP_INTR = 0x10
_NLM_F_DUMP = 0x300
_NLA_TYPE_MASK = 0x3FFF
_DUMP_ATTEMPTS = 5

# RTM_DELADDR, RTM_DELROUTE, RTM_DELRULE, each with its flags: the "del" of pyroute2 before 0.6.10 (RHEL 9 has 0.5.14)
# carries NLM_F_EXCL too, which kernels since 5.19 read as NLM_F_BULK and refuse.
_DELETIONS = {
    table: (number, _NLM_F_REQUEST | _NLM_F_ACK) for table, number in (("addr", 21), ("route", 25), ("rule", 33))
}


def attributes(payload: bytes) -> dict[int, bytes]:
    """The attributes in `payload` by their type; of a repeated one, the last."""
    found = {}
    offset = 0
    while offset + 4 <= len(payload):
        length, kind = struct.unpack_from("=HH", payload, offset)
        if length < 4:
            break
        found[kind & _NLA_TYPE_MASK] = payload[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def dump(request: int, family: int = socket.AF_UNSPEC) -> list[tuple[bytes, dict[int, bytes]]]:
    """All objects of a kind: for each its fixed header and its attributes.

    request: one of the RTM_GET* above. family: AF_INET, AF_INET6 or AF_UNSPEC for all.
    Raises SoftError when the kernel does not answer.
    """
    try:
        for _ in range(_DUMP_ATTEMPTS):
            # The list changed under the dump: parts of it may be missing (NLM_F_DUMP_INTR), so read it again.
            objects, interrupted = _dump_once(request, family)
            if not interrupted:
                return objects
    except OSError as error:
        raise SoftError(f"cannot read from the kernel by netlink: {error}") from error
    raise SoftError("cannot read from the kernel by netlink: the tables change without end")


def _dump_once(request: int, family: int) -> tuple[list[tuple[bytes, dict[int, bytes]]], bool]:
    size = HEADER_SIZES[request]
    objects: list[tuple[bytes, dict[int, bytes]]] = []
    interrupted = False
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as door:
        door.bind((0, 0))
        door.send(
            struct.pack(
                "=IHHII",
                16 + size,
                request,
                _NLM_F_REQUEST | _NLM_F_DUMP,
                1,
                0,
            )
            + bytes([family])
            + bytes(size - 1)
        )
        while True:
            data = door.recv(1 << 18)
            offset = 0
            while offset < len(data):
                length, kind, flags = struct.unpack_from("=IHH", data, offset)
                body = data[offset + 16 : offset + length]
                if kind == _NLMSG_ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    raise OSError(code, os.strerror(code))
                interrupted = interrupted or bool(flags & _NLM_F_DUMP_INTR)
                if kind == _NLMSG_DONE:
                    return objects, interrupted
                objects.append((body[:size], attributes(body[size:])))
                offset += (length + 3) & ~3


def require_pyroute2() -> None:
    """Raises NotInstalled where pyroute2 is missing; does not load it."""
    from importlib.util import find_spec

    if find_spec("pyroute2") is None:
        raise NotInstalled("pyroute2 cannot be loaded on this node: install python3-pyroute2")


class Changes:
    """A series of changes to the kernel's tables: `with Changes() as changes: changes.apply(...)`.

    Raises NotInstalled where pyroute2 is missing.
    """

    def __init__(self) -> None:
        try:
            import pyroute2
        except ImportError as error:
            raise NotInstalled(f"pyroute2 cannot be loaded on this node ({error}): install python3-pyroute2") from error
        self._pyroute2 = pyroute2
        self._route = pyroute2.IPRoute()

    def __enter__(self) -> Changes:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back."""
        self._route.close()

    def apply(
        self,
        what: str,
        table: str,
        command: str,
        /,
        *,
        tolerate: tuple[int, ...] = (),
        **keys: Any,
    ) -> bool:
        """Make one change.

        what: the change in words, for the error. table: `link`, `addr`, `route` or `rule`. command: as pyroute2 has it.
        tolerate: errno values that mean the wanted state is there already.
        Returns whether anything was changed. Raises SoftError with the kernel's words.
        """
        try:
            getattr(self._route, table)(_DELETIONS[table] if command == "del" else command, **keys)
        except self._pyroute2.NetlinkError as error:
            if error.code in tolerate:
                return False
            raise SoftError(f"cannot {what}: {os.strerror(error.code)}") from error
        return True

    def lifetimes(self, preferred: int, valid: int) -> dict[str, Any]:
        """The keys by which this pyroute2 takes the life times of an address, in seconds."""
        times = {"preferred": preferred, "valid": valid}
        # Each way is silently ignored, or refused, by versions that have another: the one came with 0.9's asyncio core,
        # the next with the package of requests in 0.6.10.
        if hasattr(self._pyroute2, "AsyncIPRoute"):
            return times
        if hasattr(self._pyroute2, "requests"):
            return {"cacheinfo": times}
        return {"IFA_CACHEINFO": {"ifa_preferred": preferred, "ifa_valid": valid}}
