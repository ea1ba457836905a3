"""`ocf-aws watch`: asks an address a hundred times a second, and tells for how long nobody answers."""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ocf_aws.cli.cluster.events import ClusterEvents
from ocf_aws.cli.definition import NothingKnown, UsageError, find_definitions
from ocf_aws.cli.outages.destination import Destination, is_literal, parse_destination
from ocf_aws.cli.outages.loop import ask_until
from ocf_aws.cli.outages.picture import draw
from ocf_aws.cli.outages.record import MINIMUM, Recorder
from ocf_aws.cli.outages.summary import as_dict, as_line
from ocf_aws.cli.outages.target import Target, silence_of
from ocf_aws.cli.outages.teller import Teller
from ocf_aws.cli.outages.timeline import Event
from ocf_aws.cli.output import FOUND, OK, UNKNOWN, Output


@dataclass
class Measurement:
    """What was measured. minimum: seconds; a shorter time without an answer is no outage."""

    destinations: list[Destination]
    minimum: float
    recorder: Recorder
    events: list[Event] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status."""
        record = self.recorder.record
        if record.outages(minimum=self.minimum):
            return FOUND
        return OK if all(record.observed(each.name) for each in self.destinations) else UNKNOWN


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Measure until interrupted, or for so many seconds. Raises UsageError, NothingKnown, Failure."""
    destinations, resources = _find_destinations(arguments.words, arguments.port)
    if arguments.picture:
        _check_writable(arguments.picture)
    measured = _measure(destinations, resources, arguments, output)
    record = measured.recorder.record
    for destination in destinations:
        output.line(f"{destination.name}: {as_line(record, destination.name, measured.minimum)}")
    output.results(as_dict(record, destination, measured.minimum, measured.events) for destination in destinations)
    status = measured.status
    if arguments.picture:
        title = f"Who answers at {', '.join(each.name for each in destinations)}"
        if _write(arguments.picture, draw(record, measured.events, title, measured.minimum)):
            output.line(f"The picture is in {arguments.picture}")
        else:
            status = status or UNKNOWN
    return status


def _find_destinations(words: list[str], port: int | None) -> tuple[list[Destination], list[str]]:
    """What the words name, and which of them are resources. Raises UsageError, NothingKnown, Failure."""
    found: dict[str, Destination] = {}
    resources = []
    for word in words:
        addresses = [word]
        if not is_literal(word):
            resources.append(word)
            addresses = _addresses_of(word)
        for address in addresses:
            try:
                destination = parse_destination(address, port)
            except ValueError as error:
                raise UsageError(str(error)) from error
            found[destination.name] = destination
    return list(found.values()), resources


def _addresses_of(resource: str) -> list[str]:
    """The addresses of a resource in this node's cluster: an ENI's are those of the definition, else all that EC2 knows."""
    # Loads the agent's side of the library, which a client without a cluster may lack.
    from ocf_aws.cli.environment import become_pacemaker
    from ocf_aws.cli.facts import Facts

    try:
        definition = find_definitions([resource])[0]
    except NothingKnown as error:
        raise NothingKnown(
            f"'{resource}' is no address, and no cluster here knows it as a resource: {error.__cause__ or error}"
        ) from error
    become_pacemaker(os.environ)
    facts = Facts(definition)
    for text in facts.p.wrong.values():
        raise NothingKnown(f"{resource}: {text}")
    if facts.is_overlay_ip:
        return [str(facts.p.ip)]
    if facts.p.addresses:
        return [str(address) for address in facts.p.addresses]
    eni = facts.gather(has_trials=False)["moved_eni"]
    if eni is None:
        raise NothingKnown(f"EC2 knows no ENI {facts.p.eni_id}")
    return [str(address) for address in eni.addresses]


def _measure(
    destinations: list[Destination], resources: list[str], arguments: argparse.Namespace, output: Output
) -> Measurement:
    interval = arguments.interval
    recorder = Recorder(destination.name for destination in destinations)
    measured = Measurement(destinations, max(MINIMUM, silence_of(interval)), recorder)

    def say(at: float, address: str, text: str) -> None:
        output.line(f"{_clock(at)}  {f'{address}  ' if address else ''}{text}")

    def take_event(text: str) -> None:
        measured.events.append(Event(time.time(), text))
        say(measured.events[-1].time, "", text)

    teller = Teller(recorder, measured.minimum, say)
    is_over = _interruption(arguments.seconds)
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        targets = [Target(each.name, _asker(each), recorder.take, interval) for each in destinations]
        for target in targets:
            target.open(selector)
            stack.callback(target.close)
        for resource in resources:
            stack.enter_context(ClusterEvents(resource, selector, take_event))
        named = ", ".join(f"{each.name} by {each.protocol}" for each in destinations)
        output.line(f"{_clock(time.time())}  asking {named}, every {interval * 1000:g} ms; Ctrl-C ends it")
        ask_until(is_over, targets, selector, interval, stalled=recorder.stalled, reported=teller.tell)
    return measured


def _asker(destination: Destination) -> Any:
    try:
        return destination.asker()
    except PermissionError as error:
        raise NothingKnown(
            f"this user may not send ICMP: name a port ({destination.address}:PORT), or be root, or run as root:"
            " sysctl -w net.ipv4.ping_group_range='0 2147483647'"
        ) from error
    except OSError as error:
        raise NothingKnown(f"{destination.name} cannot be asked from here: {error.strerror}") from error


def _interruption(seconds: float | None) -> Any:
    """Whether it is over: after so many seconds, or by Ctrl-C or SIGTERM. A second Ctrl-C ends the process at once."""
    end = None if seconds is None else time.monotonic() + seconds
    received: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    return lambda: bool(received) or end is not None and time.monotonic() >= end


def _check_writable(path: Path) -> None:
    """Raises UsageError now and not after an hour of measuring."""
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--picture: '{path}' cannot be a file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"--picture: '{path}' may not be written by this user")


def _write(path: Path, text: str) -> bool:
    """Whether it could be written. What was measured is told already, and stays true where it could not."""
    try:
        path.write_text(text)
    except OSError as error:
        print(f"ocf-aws: --picture: {path}: {error.strerror}", file=sys.stderr)
        return False
    return True


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).isoformat(" ", "milliseconds")
