"""The cluster's own commands: run, and told to a person."""

from __future__ import annotations

import subprocess
from shutil import which

from ocf_aws.ocf.errors import Unknown

_COMMAND_SECONDS = 10.0


def run(*command: str, timeout: float = _COMMAND_SECONDS) -> str:
    """The output of a command of the cluster's. Raises Unknown with its words where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError:
        raise Unknown(f"{command[0]} is not installed: this node is in no cluster") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unknown(f"{command[0]}: {error}") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise Unknown(f"{' '.join(command[:3])}: {words[-1] if words else f'exit status {done.returncode}'}")
    return done.stdout


def cluster_shell() -> str:
    """The tool in which commands are told: pcs or crm, by what is installed; crm_resource where neither is."""
    return next((name for name in ("pcs", "crm") if which(name)), "crm_resource")
