"""The lab's way to ask: every answer has the name of its host. Usage: probe.py [--interval SECONDS] ADDRESS...

`ocf-aws watch` knows who answers by a greeting, a round trip later, or not at all; a test asks which node has the address
now. All else is the command's: this program writes each stretch as a line of JSON as soon as it changes, and every open one
ten times a second. It ends when its standard input does, so that it never outlives the one who reads it.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import selectors
import signal
import sys
from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import Any

from ocf_aws.cli.outages.echo import PACKET, Echo
from ocf_aws.cli.outages.loop import ask_until
from ocf_aws.cli.outages.record import Stretch
from ocf_aws.cli.outages.target import INTERVAL, Target
from vpclab.client.responder import PORT, udp_socket


class UdpAsker(Echo):
    """Asks the responder at an address."""

    def __init__(self, address: str, port: int = PORT) -> None:
        destination = ip_address(address)
        super().__init__(udp_socket(AF_INET if destination.version == 4 else AF_INET6), (str(destination), port))

    def answering_host(self, datagram: bytes, start: int) -> str | None:
        """See Echo: the name follows the packet."""
        return datagram[start + PACKET.size :].decode(errors="replace") or None


def watch(addresses: list[str], port: int, interval: float) -> None:
    """Ask at the addresses every `interval` seconds until the standard input ends."""
    is_over = False

    def read_input() -> None:
        nonlocal is_over
        is_over = not os.read(sys.stdin.fileno(), 512)

    def report(stretch: Stretch) -> None:
        write(**dataclasses.asdict(stretch))

    targets = [Target(address, UdpAsker(address, port), report, interval) for address in addresses]
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ, read_input)
        for target in targets:
            target.open(selector)
        ask_until(lambda: is_over, targets, selector, interval, stalled=lambda end, late: write(stalled=late, end=end))


def write(**line: Any) -> None:
    """Write one line of JSON at once."""
    os.write(sys.stdout.fileno(), json.dumps(line).encode() + b"\n")


def main() -> None:
    """The command line; see the text of this module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--interval", type=float, default=INTERVAL, metavar="SECONDS")
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS")
    arguments = parser.parse_args()
    # A cluster starting on the same processors must not look like an outage.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        watch(arguments.addresses, arguments.port, arguments.interval)


if __name__ == "__main__":
    main()
