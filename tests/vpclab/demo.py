"""The demonstration: addresses move as an operator and a disaster make them, and a client tells what it saw."""

from __future__ import annotations

import os
from pathlib import Path

from vpclab import picture, sandbox
from vpclab.acts import ACTS, Act
from vpclab.lab import Lab
from vpclab.record import Record
from vpclab.stage import Stage
from vpclab.timeline import as_text


def run(directory: str) -> int:
    """Show all acts, write a picture of each into a directory, remove everything else. Returns an exit status."""
    if not sandbox.inside():
        print("The demonstration needs a sandbox: use `make demo`, as root.")
        return 1
    stage = Stage()
    try:
        for act in ACTS:
            record = _perform(stage, act)
            print(f"\nWhat the client saw:\n\n{as_text(record, stage.events)}")
            path = Path(directory) / act.picture
            _write(path, picture.draw(record, stage.events, act.title))
            stage.tell(f"The picture is in {path}")
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left behind.")
        return 130
    return 0


def _perform(stage: Stage, act: Act) -> Record:
    """Play one act in a lab of its own; returns what the client saw."""
    stage.open(act.scene)
    stage.tell("Bringing up the VPC and its instances; corosync and Pacemaker start on the nodes")
    with Lab(act.plan) as lab:
        stage.tell(f"The cluster is online after {lab.ready_seconds:.1f} s")
        stage.tell("Letting it fence its nodes with fence_aws")
        lab.fence()
        with lab.watch(*act.addresses) as watch:
            act.play(stage, lab, watch)
        stage.tell("Removing everything")
    return watch.record


def _write(file: Path, text: str) -> None:
    """Write a file that belongs to whoever called sudo."""
    file.write_text(text)
    if "SUDO_UID" in os.environ:
        os.chown(file, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
