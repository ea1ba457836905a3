"""The soak itself: one random event after the other in a lab, until the time is over or something does not recover."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from vpclab import sandbox
from vpclab.client.consensus import find_server
from vpclab.client.watch import Watch
from vpclab.lab import Lab
from vpclab.plan import ONE_ZONE
from vpclab.soak import report, services
from vpclab.soak.events import Events
from vpclab.soak.holders import HolderWatch
from vpclab.soak.result import Event, FailedAction, Result
from vpclab.soak.services import SERVICES
from vpclab.waiting import wait_until

_HEALTHY_SECONDS = 240.0
"""How long everything may take to be healthy again after an event."""

_QUIET_SECONDS = 1.0
"""Between two events, in which nothing may happen."""

PLAN = ONE_ZONE
"""Of a soak's lab: both agents can run there."""


def _print(line: str) -> None:
    print(line, flush=True)


def soak(lab: Lab, minutes: float, seed: int, tell: Callable[[str], None] = _print) -> Result:
    """Soak a lab of the plan above, with fencing and without resources, and return what was found.

    tell: takes a line about each event as it is over.
    """
    addresses = [service.address for service in SERVICES]
    events: list[Event] = []
    failed: list[FailedAction] = []
    trouble = None
    with lab.watch(*addresses) as watch, HolderWatch(lab.nodes, addresses) as holders:
        services.create(lab)
        lab.cluster.pcs(*"resource meta fence failure-timeout=30".split())
        _wait_healthy(lab, watch)
        source = Events(lab, Random(seed))
        began = time.monotonic()
        known = set(lab.cluster.failures())
        while trouble is None and time.monotonic() - began < minutes * 60:
            kind, happen = source.next()
            start = time.time()
            text, interrupts = kind, frozenset(addresses)
            try:
                done = happen()
                source.end_all()
                text, interrupts = done.text, frozenset(service.address for service in done.interrupts)
                _wait_healthy(lab, watch)
            except (TimeoutError, RuntimeError, ValueError) as error:
                trouble = f"{kind}: {error}"
            event = Event(len(events) + 1, kind, text, start, time.time(), interrupts)
            events.append(event)
            tell(f"{event.number:4}  {event.end - event.start:5.1f} s  {event.text}")
            now = set(lab.cluster.failures())
            failed += [FailedAction(failure, kind) for failure in now - known]
            known = now
            time.sleep(_QUIET_SECONDS)
        source.end_all()
        # The last report of the client is a little older.
        time.sleep(0.5)
    return Result(
        seed, SERVICES, watch.record, tuple(events), tuple(failed), holders.looks, tuple(holders.moments), trouble
    )


def run(minutes: float, seed: int | None, directory: str) -> int:
    """Soak a lab of its own, and write the report into a directory. Returns an exit status: 0 if all promises are kept."""
    if not sandbox.inside():
        print("The soak needs a sandbox: use `make soak`, as root.")
        return 1
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    print(f"Soak of {minutes:g} minutes, seed {seed}; bringing up the VPC and its cluster", flush=True)
    with Lab(PLAN) as lab:
        lab.fence()
        result = soak(lab, minutes, seed)
    page = report.write(result, Path(directory))
    print(f"\n{report.promises(result)}\n\nThe report is in {page}")
    return 0 if result.keeps_promises else 1


def _wait_healthy(lab: Lab, watch: Watch) -> None:
    """Wait until both nodes are online, the cluster is idle and each address is served. Raises TimeoutError."""
    lab.cluster.wait_online(_HEALTHY_SECONDS)
    wait_until(
        lambda: all(find_server(lab, watch, service.resource, service.address) for service in SERVICES),
        _HEALTHY_SECONDS,
        lambda: (
            f"not everything is served: {[watch.answering(each.address) for each in SERVICES]} {lab.cluster.status()}"
        ),
        every=0.2,
    )
    lab.cluster.settled(_HEALTHY_SECONDS)
