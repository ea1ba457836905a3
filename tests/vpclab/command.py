"""Commands on the machine that runs the lab, in an environment that no user's settings reach."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


def run(*command: str | os.PathLike[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command in a clean environment, to which `env` is added. Returns its output, standard error included.

    Raises RuntimeError with the output if the command fails.
    """
    done = subprocess.run(
        command,
        env=CLEAN_ENVIRONMENT | dict(env or {}),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}".rstrip())
    return done.stdout
