"""Netlink messages: packed, split, and read from answers of every shape; pyroute2 loaded in part or whole."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest

import ocf_aws
from ocf_aws.kernel import netlink
from ocf_aws.kernel.netlink import RTM_GETADDR, RTM_NEWADDR, Rtnl, dump, encode_attribute, split_attributes
from ocf_aws.ocf.errors import SoftError

DONE, ERROR, INTERRUPTED = 3, 2, 0x10


def message(kind: int, body: bytes, flags: int = 2) -> bytes:
    """A message of the kernel."""
    return pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body + bytes(-len(body) % 4)


def an_address(number: int, flags: int = 2) -> bytes:
    """An answer to RTM_GETADDR about 10.0.0.NUMBER."""
    header = pack("=BBBBI", 2, 32, 0, 0, 1)
    return message(RTM_NEWADDR, header + encode_attribute(2, bytes([10, 0, 0, number])), flags)


THE_END = message(DONE, pack("=i", 0))


class Script:
    """A kernel that answers each request with the datagrams of the next reply, the last reply for ever."""

    def __init__(self, *replies: list[bytes]):
        self.replies = list(replies)
        self.requests: list[bytes] = []
        self.open = 0

    def socket(self, family: int, kind: int, protocol: int) -> ScriptedSocket:
        """In place of _socket.socket."""
        assert (family, protocol) == (socket.AF_NETLINK, socket.NETLINK_ROUTE)
        self.open += 1
        return ScriptedSocket(self)


class ScriptedSocket:
    """One end of a pair of sockets; the script has the other."""

    def __init__(self, script: Script):
        self._script = script
        self._end, self._kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.settimeout, self.recv = self._end.settimeout, self._end.recv

    def bind(self, address: tuple[int, int]) -> None:
        """Any port, no groups."""
        assert address == (0, 0)

    def send(self, request: bytes) -> None:
        """Answer it."""
        self._script.requests.append(request)
        replies = self._script.replies
        for datagram in replies.pop(0) if len(replies) > 1 else replies[0]:
            self._kernel.send(datagram)

    def close(self) -> None:
        """Close both ends."""
        self._script.open -= 1
        self._end.close()
        self._kernel.close()


Answer = Callable[..., Script]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Lets the kernel answer with these replies from now on."""

    def answer(*replies: list[bytes]) -> Script:
        script = Script(*replies)
        monkeypatch.setattr(netlink, "socket", script.socket)
        monkeypatch.setattr(netlink, "_ANSWER_SECONDS", 0.1)
        return script

    return answer


def numbers() -> list[int]:
    """The last bytes of the addresses that a dump tells."""
    return [attributes[2][3] for _, attributes in dump(RTM_GETADDR)]


# --- attributes -------------------------------------------------------------------------------------------------------


def test_attributes_are_aligned_and_read_back() -> None:
    values = [(1, b""), (2, b"a"), (3, b"abcd"), (0x3FFF, b"abcde")]
    packed = b"".join(encode_attribute(kind, value) for kind, value in values)
    assert len(packed) % 4 == 0 and list(split_attributes(packed)) == values


def test_the_marks_of_an_attribute_s_type_are_not_part_of_it() -> None:
    assert list(split_attributes(encode_attribute(0x8000 | 52, b"x"))) == [(52, b"x")]


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0\0\0", b"\3\0\1\0abcd"])
def test_attributes_that_cannot_be_are_the_end(payload: bytes) -> None:
    assert list(split_attributes(payload)) == []


# --- a dump -----------------------------------------------------------------------------------------------------------


def test_an_answer_in_one_part_is_read(answer: Answer) -> None:
    script = answer([an_address(1) + an_address(2) + THE_END])
    assert numbers() == [1, 2]
    assert script.open == 0


def test_an_answer_in_several_parts_is_read_to_its_end(answer: Answer) -> None:
    answer([an_address(1) + an_address(2), an_address(3), an_address(4) + THE_END])
    assert numbers() == [1, 2, 3, 4]


def test_the_end_may_come_alone(answer: Answer) -> None:
    answer([an_address(1), THE_END])
    assert numbers() == [1]


def test_messages_whose_length_is_odd_are_aligned(answer: Answer) -> None:
    odd = message(RTM_NEWADDR, pack("=BBBBI", 2, 32, 0, 0, 1) + b"\x05\0\x03\0x")
    answer([odd + an_address(7) + THE_END])
    assert [attributes for _, attributes in dump(RTM_GETADDR)] == [{3: b"x"}, {2: b"\n\0\0\x07"}]


def test_a_request_names_the_family_in_a_whole_header(answer: Answer) -> None:
    script = answer([THE_END])
    dump(RTM_GETADDR, 10)
    assert script.requests == [pack("=IHHII", 24, RTM_GETADDR, 0x301, 1, 0) + bytes([10, 0, 0, 0, 0, 0, 0, 0])]


@pytest.mark.parametrize(
    "interrupted",
    [[an_address(1, INTERRUPTED), THE_END], [an_address(1), message(DONE, pack("=i", 0), INTERRUPTED)]],
    ids=["in an object", "at the end"],
)
def test_a_dump_that_a_change_interrupted_is_read_again(answer: Answer, interrupted: list[bytes]) -> None:
    script = answer(interrupted, interrupted, [an_address(1) + an_address(2) + THE_END])
    assert numbers() == [1, 2]
    assert len(script.requests) == 3 and script.open == 0


def test_a_dump_that_is_interrupted_again_and_again_is_given_up(answer: Answer) -> None:
    script = answer([an_address(1, INTERRUPTED), THE_END])
    with pytest.raises(SoftError, match="the kernel's tables change faster than they can be read"):
        numbers()
    assert len(script.requests) == 5 and script.open == 0


def test_an_error_is_told_in_the_kernel_s_words(answer: Answer) -> None:
    script = answer([message(ERROR, pack("=i", -errno.EPERM) + bytes(16))])
    with pytest.raises(SoftError, match="the kernel does not answer by netlink: .*not permitted"):
        numbers()
    assert script.open == 0


def test_a_dump_that_breaks_off_is_an_error_and_no_short_table(answer: Answer) -> None:
    answer([an_address(1), message(DONE, pack("=i", -errno.EMSGSIZE))])
    with pytest.raises(SoftError, match="Message too long"):
        numbers()


@pytest.mark.parametrize("parts", [[], [an_address(1)]], ids=["at once", "in the middle"])
def test_silence_is_an_error_within_a_bound(answer: Answer, parts: list[bytes]) -> None:
    script = answer(parts)
    with pytest.raises(SoftError, match="the kernel does not answer by netlink: timed out"):
        numbers()
    assert script.open == 0


# --- a change ---------------------------------------------------------------------------------------------------------


def acknowledge(code: int) -> list[bytes]:
    return [message(ERROR, pack("=i", -code) + bytes(16))]


def test_a_change_that_is_acknowledged_was_made(answer: Answer) -> None:
    script = answer(acknowledge(0))
    with Rtnl() as rtnl:
        assert rtnl.request("add it", RTM_NEWADDR, b"body", flags=netlink.NLM_F_CREATE)
    assert script.requests == [pack("=IHHII", 20, RTM_NEWADDR, 0x405, 1, 0) + b"body"] and script.open == 0


def test_a_change_that_is_there_already_was_not_made(answer: Answer) -> None:
    answer(acknowledge(errno.EEXIST))
    with Rtnl() as rtnl:
        assert not rtnl.request("add it", RTM_NEWADDR, b"body", tolerate=(errno.EEXIST,))


def test_a_change_that_is_refused_is_told_in_the_kernel_s_words(answer: Answer) -> None:
    answer(acknowledge(errno.EACCES), acknowledge(0))
    with Rtnl() as rtnl:
        with pytest.raises(SoftError, match="^cannot add it: Permission denied$"):
            rtnl.request("add it", RTM_NEWADDR, b"body", tolerate=(errno.EEXIST,))
        assert rtnl.request("add more", RTM_NEWADDR, b"body")


def test_a_change_without_an_answer_fails_within_a_bound(answer: Answer) -> None:
    answer([])
    with Rtnl() as rtnl, pytest.raises(SoftError, match="cannot add it: timed out"):
        rtnl.request("add it", RTM_NEWADDR, b"body")


# --- pyroute2 ---------------------------------------------------------------------------------------------------------

ENCODE = """
import site, sys
# The real one may be there.
site.getsitepackages, site.main = list, lambda: None
from ocf_aws.kernel.netlink import encode, require_pyroute2
from ocf_aws.ocf.errors import NotInstalled
try:
    require_pyroute2()
    print(encode("rtmsg", {"family": 2}, [("RTA_DST", "10.0.0.1")]).decode(), hasattr(sys.modules["pyroute2"], "IPRoute"))
except NotInstalled as error:
    print(error)
"""
MESSAGE = """
class rtmsg(dict):
    def encode(self):
        self.data = b"sixteen bytes..." + str(sorted(self.items())).encode()
"""
ENCODED = "[('attrs', [('RTA_DST', '10.0.0.1')]), ('family', 2)]"


def encode_with(directory: Path, files: dict[str, str]) -> str:
    """What the library prints where pyroute2 has these files."""
    for name, text in files.items():
        path = directory / "pyroute2" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-S", "-c", ENCODE],
        env={"PYTHONPATH": f"{directory}:{Path(ocf_aws.__file__).parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LAYOUT = {"netlink/__init__.py": "", "netlink/rtnl/__init__.py": "", "netlink/rtnl/rtmsg.py": MESSAGE}


def test_of_pyroute2_only_the_message_classes_are_loaded(tmp_path: Path) -> None:
    files = {**LAYOUT, "__init__.py": "class IPRoute: pass"}
    assert encode_with(tmp_path, files) == f"{ENCODED} False"


def test_where_pyroute2_is_laid_out_otherwise_all_of_it_is_loaded(tmp_path: Path) -> None:
    files = {
        **LAYOUT,
        "__init__.py": "class IPRoute: pass",
        "netlink/rtnl/__init__.py": "import pyroute2\npyroute2.IPRoute",
    }
    assert encode_with(tmp_path, files) == f"{ENCODED} True"


def test_where_its_package_puts_the_modules_elsewhere_all_of_it_is_loaded(tmp_path: Path) -> None:
    files = {
        "__init__.py": "import sys\nfrom pyroute2 import new\nclass IPRoute: pass\n"
        "for name in ('netlink', 'netlink.rtnl', 'netlink.rtnl.rtmsg'): sys.modules['pyroute2.' + name] = new",
        "new.py": MESSAGE,
    }
    assert encode_with(tmp_path, files) == f"{ENCODED} True"


def test_a_node_without_pyroute2_is_told_which_package_to_install(tmp_path: Path) -> None:
    told = encode_with(tmp_path, {})
    assert told == "install python3-pyroute2: pyroute2 cannot be loaded on this node (No module named 'pyroute2')"


def test_a_pyroute2_that_is_broken_is_told_with_the_reason(tmp_path: Path) -> None:
    told = encode_with(tmp_path, {"__init__.py": "raise ImportError('half removed')", "netlink/__init__.py": ""})
    assert told.startswith("install python3-pyroute2: ") and "half removed" in told
