"""What is measured: a program as Pacemaker starts it, with the definition of a resource."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpclab.checkout import CHECKOUT
from vpclab.hosts.installation import Installation
from vpclab.hosts.single_node import PYTHON, SingleNode

HEARTBEAT = Path("/usr/lib/ocf/resource.d/heartbeat")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Run:
    """One run. seconds: of the wall clock. cpu: seconds of all processes, user and system."""

    seconds: float
    cpu: float


@dataclass(frozen=True)
class Cost:
    """What a contender takes for an action: medians of `runs` runs, and counts of one.

    seconds, cpu: as in Run; fastest: of the wall clock. peak: MiB of its largest process. files: opened.
    api, imds: calls.
    """

    runs: int
    seconds: float
    fastest: float
    cpu: float
    peak: float
    files: int
    api: int
    imds: int


class Contender:
    """A program and its environment. Calling it runs an action."""

    def __init__(self, node: SingleNode, bundle: Path, command: Sequence[str], more: dict[str, str], **parameters: str):
        self._node = node
        self._command = list(command)
        self._environ = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(node.directory),
            "OCF_ROOT": "/usr/lib/ocf",
            "OCF_RESOURCE_INSTANCE": "rsc_ip",
            "OCF_RESKEY_CRM_meta_timeout": "180000",
            "OCF_RESKEY_CRM_meta_interval": "10000",
            "HA_LOGFACILITY": "daemon",
            "AWS_CA_BUNDLE": str(bundle),
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
            **more,
        }

    def run(self, action: str, prefix: Sequence[str] = ()) -> Run:
        """Run an action. Raises RuntimeError if it fails."""
        started = time.perf_counter()
        process = subprocess.Popen(
            [*prefix, *self._command, action],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 7):
            raise RuntimeError(f"{self._command} {action}: {process.returncode}: {said.decode()}")
        return Run(seconds, usage.ru_utime + usage.ru_stime)

    def peak(self, action: str) -> float:
        """Peak memory (MiB). GNU time is small: a process's peak begins with that of the one it is forked from."""
        with tempfile.NamedTemporaryFile("r") as file:
            self.run(action, ["/usr/bin/time", "--quiet", "--format=%M", f"--output={file.name}"])
            return int(file.read().split()[-1]) / 1024

    def files(self, action: str) -> int:
        """How many files it opens."""
        with tempfile.NamedTemporaryFile("r") as file:
            self.run(action, ["strace", "-f", "-qq", "-e", "trace=open,openat", "-o", file.name])
            return len(re.findall(r" = \d+$", file.read(), re.MULTILINE))

    def calls(self, action: str) -> tuple[int, int]:
        """How many calls to the API and to IMDS it makes."""
        self._node.ec2.calls.clear()
        self._node.imds.calls.clear()
        self.run(action)
        return len(self._node.ec2.calls), len(self._node.imds.calls)


@dataclass(frozen=True)
class Entry:
    """A contender in a row. before: what makes things so that the action has to be done. share: of the runs."""

    contender: Contender
    action: str
    before: Callable[[], object] = lambda: None
    share: float = 1.0


def measure(entries: dict[str, Entry], runs: int) -> dict[str, Cost]:
    """Run all entries in turn, so that whatever else the machine does meets all of them alike."""
    found: dict[str, list[Run]] = {name: [] for name in entries}
    for number in range(runs):
        for name, entry in entries.items():
            if number < max(1, runs * entry.share):
                entry.before()
                found[name].append(entry.contender.run(entry.action))
    return {name: _cost(entry, found[name]) for name, entry in entries.items()}


def _cost(entry: Entry, runs: list[Run]) -> Cost:
    def once(measure: Callable[[str], Any]) -> Any:
        entry.before()
        return measure(entry.action)

    api, imds = once(entry.contender.calls)
    seconds = [run.seconds for run in runs]
    return Cost(
        len(runs),
        statistics.median(seconds),
        min(seconds),
        statistics.median(run.cpu for run in runs),
        once(entry.contender.peak),
        once(entry.contender.files),
        api,
        imds,
    )


def installed(directory: Path, checkout: Path = CHECKOUT) -> Callable[[str], tuple[list[str], dict[str, str]]]:
    """The agents of a checkout, by name: the command, and what more its environment has."""
    installation = Installation(directory, checkout)

    def agent(name: str) -> tuple[list[str], dict[str, str]]:
        path = installation.agent(name)
        if str(installation.library) in Path(path).read_text():
            return [path], {}
        # It expects the library among the interpreter's own, which -I would leave as the only place.
        return [PYTHON, "-sB", path], {"PYTHONPATH": str(installation.library)}

    return agent
