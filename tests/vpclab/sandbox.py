"""The sandbox: namespaces for one lab. When its command ends, they end with everything in them.

    python3 sandbox.py COMMAND [ARGUMENT...]         runs a command in a new sandbox
    python3 sandbox.py --join COMMAND [ARGUMENT...]  runs it in the one that is running

Whatever ends the command, an exit, Ctrl-C or SIGKILL, the kernel ends every process of the
sandbox with it, and then drops its namespaces and mounts. Two labs never meet.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import NoReturn

STATE = Path("/run/vpclab")
"""Where a lab keeps its files: on a tmpfs of the sandbox, so it exists nowhere else."""

NETWORK_NAMESPACES = Path("/run/netns")

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def inside() -> bool:
    """Whether this process runs in a sandbox."""
    return STATE.is_dir()


def enter(argv: list[str]) -> NoReturn:
    """Replace this process with a new sandbox that runs a command."""
    os.execv(sys.executable, [sys.executable, __file__, *argv])


def join(argv: list[str]) -> NoReturn:
    """Replace this process with a command in the sandbox that is running.

    Raises LookupError if there is none, or more than one.
    """
    found = running()
    if len(found) != 1:
        raise LookupError(f"{len(found)} labs are running, not one")
    os.execvp(
        "nsenter",
        ["nsenter", f"--target={found[0]}", *"--mount --net --pid".split()] + ["--ipc", "--uts", *argv],
    )


def running() -> list[int]:
    """The processes, as seen from here, that are the first of a sandbox."""
    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if _is_first_in_a_sandbox(process)]


def open_in(netns: str, make: Callable[[], socket.socket]) -> socket.socket:
    """A socket that is made in another network namespace.

    Raises OSError if there is no such namespace, or as `make` does.
    """

    def made() -> socket.socket:
        with open(NETWORK_NAMESPACES / netns) as namespace:
            _check(_libc.setns(namespace.fileno(), _CLONE_NEWNET))
        return make()

    # setns moves one thread, and a socket stays where it was opened: a thread that
    # ends at once never has to find its way back.
    with ThreadPoolExecutor(max_workers=1) as elsewhere:
        return elsewhere.submit(made).result()


def listen(netns: str, address: str, port: int) -> socket.socket:
    """A bound, listening TCP socket in another network namespace; raises as `open_in`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return open_in(netns, lambda: socket.create_server((address, port), family=family, backlog=128))


def main(argv: list[str]) -> int:
    """Run a command in a new sandbox; returns its exit status (128 + n for signal n)."""
    if argv[:1] == ["--join"]:
        join(argv[1:])
    if not argv:
        print(__doc__, file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("This needs root, because it makes namespaces and mounts: use sudo", file=sys.stderr)
        return 77
    _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID | _CLONE_NEWNET))
    first = os.fork()
    if first == 0:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os._exit(_run_as_first_process(argv))
    return _outlive(first)


def _run_as_first_process(argv: list[str]) -> int:
    """Be the sandbox's PID 1: prepare it, run the command, reap what is left over."""
    try:
        _prepare()
        command = os.spawnvp(os.P_NOWAIT, argv[0], argv)
        return _outlive(command)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no sandbox: {error}", file=sys.stderr)
        return 77


def _prepare() -> None:
    """Give the sandbox mounts of its own, and a loopback link that is up."""
    for command in (
        "mount --make-rprivate /",
        "mount -t proc proc /proc",
        "mount -t tmpfs -o mode=755 tmpfs /run",
        "ip link set lo up",
    ):
        subprocess.run(command.split(), check=True)
    STATE.mkdir()
    NETWORK_NAMESPACES.mkdir()


def _outlive(child: int) -> int:
    """Wait for a child, reaping all others, and pass SIGTERM and SIGHUP on to it."""

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGHUP, forward)
    # The terminal sends Ctrl-C to the whole foreground group, so the command has it
    # already; a handler, unlike SIG_IGN, is not inherited by what is executed.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _is_first_in_a_sandbox(process: Path) -> bool:
    try:
        status = (process / "status").read_text()
        return (process / "root" / STATE.relative_to("/")).is_dir() and any(
            line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines()
        )
    except OSError:
        return False


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
