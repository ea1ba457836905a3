"""The demonstration: an operator moves addresses, nodes fail, and a client measures the outages."""

from __future__ import annotations

import os
from pathlib import Path

from ocf_aws.cli.outages import picture
from ocf_aws.cli.outages.record import Record
from ocf_aws.cli.outages.timeline import as_text
from vpclab import sandbox
from vpclab.demo.console import Console
from vpclab.demo.scenarios import SCENARIOS, Scenario
from vpclab.lab import Lab


def run(directory: str) -> int:
    """Run all scenarios, write a picture of each into a directory, remove everything else. Returns an exit status."""
    if not sandbox.inside():
        print("The demonstration needs a sandbox: use `make demo`, as root.")
        return 1
    console = Console()
    try:
        for scenario in SCENARIOS:
            record = _run(console, scenario)
            print(f"\nWhat the client saw:\n\n{as_text(record, console.events)}")
            path = Path(directory) / scenario.picture
            _write(path, picture.draw(record, console.events, scenario.title))
            console.status(f"The picture is in {path}")
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left behind.")
        return 130
    return 0


def _run(console: Console, scenario: Scenario) -> Record:
    """Run one scenario in a lab of its own; returns what the client saw."""
    console.begin(scenario.diagram)
    console.status("Bringing up the VPC and its instances; corosync and Pacemaker start on the nodes")
    with Lab(scenario.plan) as lab:
        console.status(f"The cluster is online after {lab.ready_seconds:.1f} s")
        console.status("Setting up fence_aws")
        lab.fence()
        with lab.watch(*scenario.addresses) as watch:
            scenario.run(console, lab, watch)
        console.status("Removing everything")
    return watch.record


def _write(file: Path, text: str) -> None:
    """Write a file that belongs to whoever called sudo."""
    file.write_text(text)
    if "SUDO_UID" in os.environ:
        os.chown(file, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
