"""The lab for a person: `python -m vpclab demo`, `soak`, `up`, `shell HOST`, `down` (see the Makefile)."""

from __future__ import annotations

import argparse
import sys

from vpclab.demo import background_lab


def main() -> int:
    """Run one command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="vpclab", description="A VPC with a Pacemaker cluster on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("demo", help="watch addresses move, and what a client sees of it")
    show.add_argument("--pictures", default=".", help="directory for the pictures (default: %(default)s)")
    long = commands.add_parser("soak", help="random events for a long time, and a report of the outages")
    long.add_argument("--minutes", type=float, default=60, help="how long (default: %(default)s)")
    long.add_argument("--seed", type=int, help="of an earlier soak, for the same events (default: a random one)")
    long.add_argument("--report", default="build/soak", help="directory for the report (default: %(default)s)")
    up = commands.add_parser("up", help="bring a lab up, and open a shell on a host of it")
    up.add_argument("host", nargs="?", default="node1", help="node1, node2, client or office (default: %(default)s)")
    zones = "1: both nodes in one zone, where an ENI can move too; 2: one node in each zone"
    up.add_argument("--zones", help=zones)
    commands.add_parser("down", help="remove what `up` left up")
    serve = commands.add_parser("serve", help="what `up` runs in the background, in a sandbox")
    serve.add_argument("--zones", type=int, required=True)
    shell = commands.add_parser("shell", help="a shell on a host, from inside the sandbox")
    shell.add_argument("host")
    arguments = parser.parse_args()
    # Each command loads what it needs alone.
    if arguments.command == "demo":
        from vpclab.demo import demo

        return demo.run(arguments.pictures)
    if arguments.command == "soak":
        from vpclab.soak import soak

        return soak.run(arguments.minutes, arguments.seed, arguments.report)
    if arguments.command == "up":
        return background_lab.up(arguments.host, arguments.zones)
    if arguments.command == "down":
        return background_lab.down()
    if arguments.command == "serve":
        return background_lab.serve(arguments.zones)
    return background_lab.shell(arguments.host)


if __name__ == "__main__":
    sys.exit(main())
