"""What the cluster and EC2 say of a resource while something else goes on: a child that runs `ocf-aws status --watch`.

A process of its own: loading boto3 keeps all threads of a process from running for tenths of a second.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which

import ocf_aws


class ClusterEvents:
    """A context manager; `say` gets each line, without its time."""

    def __init__(self, resource: str, selector: selectors.BaseSelector, say: Callable[[str], None]) -> None:
        # It asks EC2 for ever, so it must not outlive this process, whatever ends that.
        dies_with_us = ["setpriv", "--pdeathsig", "KILL"] if which("setpriv") else []
        self._command = [*dies_with_us, sys.executable, "-s", "-m", "ocf_aws.cli.main", "status", resource, "--watch"]
        self._selector = selector
        self._say = say
        self._rest = b""

    def __enter__(self) -> ClusterEvents:
        self._child = subprocess.Popen(
            self._command,
            env={**os.environ, "PYTHONPATH": str(Path(ocf_aws.__file__).parents[1])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Ctrl-C in a terminal is for the measurement, which then ends this child.
            start_new_session=True,
        )
        assert self._child.stdout
        self._selector.register(self._child.stdout, selectors.EVENT_READ, self._read)
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def _read(self) -> None:
        assert self._child.stdout
        told = os.read(self._child.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + told).split(b"\n")
        for line in lines:
            # "02:13:58  rsc_ip  Pacemaker: Started node1"
            self._say(line.decode(errors="replace").partition("  ")[2])
        if not told:
            self._close()
            self._say("the cluster is not asked any more")

    def _close(self) -> None:
        if self._child.stdout and not self._child.stdout.closed:
            self._selector.unregister(self._child.stdout)
            self._child.stdout.close()
            self._child.kill()
            self._child.wait()
