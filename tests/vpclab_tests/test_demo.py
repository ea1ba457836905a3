"""The demonstration, as a person runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from vpclab import sandbox
from vpclab.checkout import PYTHONPATH
from vpclab_tests.processes import left_behind, processes

SANDBOXED = [sys.executable, sandbox.__file__, sys.executable, "-m", "vpclab"]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not sandbox.inside(), reason="needs root and a sandbox: run `make test`"
)


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)


def test_the_demo_shows_what_a_client_saw_and_draws_it(tmp_path: Path) -> None:
    before = processes()
    done = subprocess.run(
        [*SANDBOXED, "demo", "--pictures", str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("192.168.10.10  node2 answers, after", "10.0.1.50           node2 answers", "ocf:aws:aws-eni-move"):
        assert said in done.stdout
    assert [done.stdout.count(f"* {event}") for event in ("move to node", "power of node")] == [2, 2]
    for told in done.stdout.split("What the client saw:")[1:]:
        # Between two events of the operator, an address has one node at most.
        for between in re.split(r"^ +[\d.]+ s  \* ", told, flags=re.MULTILINE):
            for address in ("192.168.10.10", "10.0.1.50", "10.0.1.51", "2001:db8:100:1::50"):
                assert len(set(re.findall(rf"  {address} +(node\d) answers", between))) <= 1, told
    for name in ("demo.svg", "demo-eni.svg"):
        assert ET.parse(tmp_path / name).getroot().tag.endswith("svg")
    assert not left_behind(before)


@pytest.mark.parametrize("when", ["Bringing up", "is online"])
def test_a_demo_that_is_interrupted_leaves_nothing(tmp_path: Path, when: str) -> None:
    before = processes()
    with subprocess.Popen(
        # A job that a script runs in the background, as these tests may be, ignores Ctrl-C and hands that on.
        ["/usr/bin/env", "--default-signal=INT", *SANDBOXED, "demo", "--pictures", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        next(line for line in demo.stdout if when in line)
        os.killpg(demo.pid, signal.SIGINT)  # what Ctrl-C does: the terminal tells the whole group
        assert "nothing is left behind" in demo.stdout.read()
    assert demo.returncode == 130
    assert not left_behind(before)
