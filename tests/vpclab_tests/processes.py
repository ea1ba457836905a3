"""What runs on this machine."""

from __future__ import annotations

import subprocess


def processes() -> set[str]:
    """Everything that runs here, by its command line."""
    return set(subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True).stdout.splitlines())


def left_behind(before: set[str]) -> set[str]:
    """What a lab has left running. before: what ran before it."""
    return {line for line in processes() - before if "corosync" in line or "vpclab" in line}
