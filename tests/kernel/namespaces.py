"""Network namespaces of the tests' own, and the library run in them by the interpreters that matter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIB = Path(__file__).parents[2] / "lib"
INTERPRETERS = {"distribution": "/usr/bin/python3", "today": sys.executable}


class Namespace:
    """A network namespace that lives as long as its first process, at most as long as this one."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            "setpriv --pdeathsig KILL unshare --net sh -c".split() + ["echo made; exec sleep infinity"],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout
        self._holder.stdout.readline()
        self.pid = self._holder.pid
        self.ip("link set lo up")
        # IPv6 addresses of the test's own making need no detection of duplicates.
        self.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")

    def run(self, *command: str, check: bool = True) -> str:
        inside = ["nsenter", f"--target={self.pid}", "--net", *command]
        return subprocess.run(inside, check=check, capture_output=True, text=True).stdout

    def ip(self, command: str) -> str:
        return self.run("ip", *command.split())

    def sysctl(self, *settings: str) -> None:
        self.run("sysctl", "-qw", *settings)

    def snapshot(self) -> str:
        """Everything that the agent could have left behind."""
        looks = "-oneline address", "rule", "-6 rule", "route show table all", "-6 route show table all"
        lines = "\n".join(self.ip(look) for look in looks).splitlines()
        # Those come as late.
        return "\n".join(line for line in lines if not line.startswith("multicast"))

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()

    def python(self, interpreter: str, code: str) -> list[str]:
        """Run code that stands on the library, and return the lines that it printed."""
        command = [interpreter, "-B", "-c", f"import sys; sys.path.insert(0, {str(LIB)!r})\n{code}"]
        inside = ["nsenter", f"--target={self.pid}", "--net", *command]
        done = subprocess.run(inside, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[:-1] if done.stdout.strip() else []
