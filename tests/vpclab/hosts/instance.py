"""An instance: a copy-on-write clone of this machine in namespaces of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import RLock
from typing import IO, Any, Protocol

from vpclab import sandbox
from vpclab.command import CLEAN_ENVIRONMENT
from vpclab.network import iproute

_BOOT = Path(__file__).with_name("boot.sh")

_ANOTHER_MACHINES = ("root/.aws", "etc/environment", "etc/resolv.conf")
"""Files of the machine that runs the lab that must not speak for an instance: credentials
of somebody's account, proxies and name servers that nobody can reach from here."""


class Sockets(Protocol):
    """The sockets on the wall that a host is plugged into: the VPC's, or those of a network on premises."""

    def connect(self, id: str, netns: str) -> None:
        """Plug the links of a host that has power into its network namespace."""

    def disconnect(self, id: str) -> None:
        """Take the links of a host away."""


class Instance:
    """One instance, or a host on premises. Its files survive power-off, except those in /run and /dev/shm."""

    def __init__(self, name: str, id: str, network: Sockets) -> None:
        self.name = name
        self.id = id
        self._network = network
        self._power = RLock()
        self._init: subprocess.Popen[bytes] | None = None
        self._directory = sandbox.STATE / name
        self.root = self._directory / "root"
        upper, work = self._directory / "upper", self._directory / "work"
        for directory in (self.root, upper, work):
            directory.mkdir(parents=True)
        layers = f"lowerdir=/,upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)
        for path in _ANOTHER_MACHINES:
            self.remove(path)

    @property
    def running(self) -> bool:
        """Whether the instance has power and its first process lives."""
        return self._init is not None and self._init.poll() is None

    def boot(self, seconds: float = 0) -> None:
        """Power on; returns when the instance's first process runs, which starts what is enabled after some seconds.

        Raises RuntimeError with the console's text if it does not get that far.
        """
        with self._power:
            self.off()
            iproute.add_namespace(self.name)
            self._network.connect(self.id, self.name)
            told, tell = os.pipe()
            with os.fdopen(told) as answer, self.console.open("ab") as console:
                try:
                    self._init = _start(self, tell, console, seconds)
                finally:
                    os.close(tell)
                pid = answer.readline().strip()
            if not pid:
                self.off()
                raise RuntimeError(f"{self.name}: no boot: {self.console.read_text()}")
            _pid_file(self.name).write_text(pid)

    def off(self) -> None:
        """Cut the power: the kernel kills all processes at once."""
        with self._power:
            if self._init is None:
                return
            pid = _pid_file(self.name)
            if self._init.poll() is None and pid.exists():
                os.kill(int(pid.read_text()), signal.SIGKILL)
            elif not pid.exists():
                self._init.kill()
            # The kernel ends a PID namespace with its first process, whom unshare awaits.
            self._init.wait()
            self._init = None
            pid.unlink(missing_ok=True)
            self._network.disconnect(self.id)
            iproute.delete_namespace(self.name)

    def close(self) -> None:
        """Power off, and delete its files."""
        self.off()
        subprocess.run(["umount", self.root], check=True)
        shutil.rmtree(self._directory)

    @property
    def console(self) -> Path:
        """The output of its first process and its services."""
        return self._directory / "console"

    def run(
        self,
        *command: str,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        input: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the instance and return its output, as text.

        `env` is added to the environment of all commands, which /etc/environment adds to
        a clean one; `timeout` is in seconds. Raises RuntimeError with its output if it
        fails, and subprocess.TimeoutExpired.
        """
        done = subprocess.run(
            enter(self.name, *command),
            env=environment(self.name) | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
            input=input,
        )
        if check and done.returncode != 0:
            raise RuntimeError(
                f"{self.name}: {' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}".rstrip()
            )
        return done

    def popen(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command in the instance; `options` are those of subprocess.Popen.

        A process of its own session, so that Ctrl-C in the lab's terminal is not its.
        """
        return subprocess.Popen(
            enter(self.name, *command),
            env=environment(self.name),
            text=True,
            start_new_session=True,
            **options,
        )

    def write(self, path: str, text: str, mode: int = 0o644, owner: str = "root") -> None:
        """Write a file of the instance, running or not; `owner` is USER or USER:GROUP."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        user, _, group = owner.partition(":")
        shutil.chown(file, user, group or None)

    def remove(self, path: str) -> None:
        """Remove a file or a directory of the instance, if it is there."""
        file = self.root / path.lstrip("/")
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)

    def enable(self, service: str, script: str) -> None:
        """Start a script at each boot, from the next one on."""
        self.write(f"etc/vpclab/boot.d/{service}", script, mode=0o755)


def enter(name: str, *command: str) -> list[str]:
    """The command line that runs a command in an instance, from within the sandbox.

    Raises RuntimeError if no instance of that name is running.
    """
    try:
        pid = _pid_file(name).read_text()
    except FileNotFoundError:
        raise RuntimeError(f"{name} is not running") from None
    namespaces = "--mount --net --pid --ipc --uts".split()
    return ["nsenter", f"--target={pid}", *namespaces, *command]


def environment(name: str) -> dict[str, str]:
    """The environment of the commands in an instance, as a login makes it."""
    file = sandbox.STATE / name / "root/etc/environment"
    lines = file.read_text().splitlines() if file.exists() else []
    return CLEAN_ENVIRONMENT | dict(line.split("=", 1) for line in lines)


def _start(instance: Instance, tell: int, console: IO[bytes], seconds: float) -> subprocess.Popen[bytes]:
    """Start the first process of an instance, which says on a descriptor who it is."""
    return subprocess.Popen(
        ["nsenter", f"--net={sandbox.NETWORK_NAMESPACES / instance.name}"]
        + "unshare --mount --pid --ipc --uts --propagation private".split()
        + "--fork --kill-child".split()
        + ["bash", str(_BOOT), str(instance.root), instance.name, str(tell), str(seconds)],
        env=CLEAN_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=console,
        stderr=console,
        pass_fds=(tell,),
        start_new_session=True,
    )


def _pid_file(name: str) -> Path:
    return sandbox.STATE / name / "pid"
