"""ip(8) in a network namespace, many commands at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable


def ip(netns: str, commands: Iterable[str], *, ipv6: bool = False) -> None:
    """Run commands such as `link set lo up` in one process, until one fails.

    `ipv6`: the family of those whose arguments do not tell it.
    Raises RuntimeError with the command and what ip said of it.
    """
    lines = list(commands)
    if not lines:
        return
    family = ["-6"] if ipv6 else []
    done = subprocess.run(
        ["ip", "-netns", netns, *family, "-batch", "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = done.stderr.strip()
        number = said.rpartition(":")[2]
        failed = lines[int(number) - 1] if number.isdigit() else "; ".join(lines)
        raise RuntimeError(f"{netns}: ip {failed}: {said}")


def add_namespace(name: str) -> None:
    """Make a network namespace with a loopback link that is up."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    ip(name, ["link set lo up"])


def delete_namespace(name: str) -> None:
    """Take the name of a network namespace away; it ends with its last process."""
    subprocess.run(["ip", "netns", "delete", name], check=True)


def sysctl(netns: str, settings: Iterable[str]) -> None:
    """Apply settings such as `net.ipv4.ip_forward=1` in a network namespace."""
    subprocess.run(["ip", "netns", "exec", netns, "sysctl", "-q", "-w", *settings], check=True)
