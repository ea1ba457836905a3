"""The command line, declared once: parser, man page ocf-aws(8) and completion are all made of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ocf_aws import __version__
from ocf_aws.cli.outages.target import INTERVAL

DESCRIPTION = "Checks, shows, measures and migrates the resources of the OCF agents aws-overlay-ip and aws-eni-move."

EXIT_STATUS = {
    0: "All is right.",
    1: "Something was found: a check failed or warns, views disagree, there was an outage; or migrate refused, or a step of"
    " it failed.",
    2: "The command line is wrong.",
    3: "It could not be found out: EC2, IMDS, the cluster or the watched address did not answer.",
}

TARGET = "RESOURCE is the name of a resource in this cluster. Before there is one, name the agent and its parameters."


@dataclass(frozen=True)
class Subcommand:
    """A subcommand: the module of its name runs it. example: a command line that works."""

    name: str
    summary: str
    description: str
    example: str


SUBCOMMANDS = (
    Subcommand(
        "check",
        "check every precondition of a resource on this node",
        "Looks at every precondition of a resource on this node: identity, rights, network, the other nodes, operating system and"
        " cluster. Each that does not hold is told with a remedy to paste. Changes nothing. Without RESOURCE it checks all"
        f" resources of these agents in the cluster. {TARGET}",
        "ocf-aws check aws-overlay-ip ip=172.16.52.1 routing_table=rtb-0123456789abcdef0",
    ),
    Subcommand(
        "status",
        "show who has what, and where views disagree",
        "Shows what each route table says of the address, or who has the ENI, beside what the kernel of this node has and what"
        " Pacemaker thinks. Where they disagree it says so, and the exit status is 1. Without RESOURCE it shows all resources of"
        f" these agents in the cluster. {TARGET}",
        "ocf-aws status --watch",
    ),
    Subcommand(
        "policy",
        "print the least-privilege IAM policy of a resource",
        "Prints the IAM policy that the nodes need for a resource and nothing more, with the ids of this account, VPC and cluster"
        " filled in. With routing_table_role it prints both halves of a shared VPC, and the trust between them. What is not known"
        f" here stands as a word between two @, and the exit status is 3. {TARGET}",
        "ocf-aws policy rsc_ip --fencing --format terraform",
    ),
    Subcommand(
        "migrate",
        "turn a running aws-vpc-move-ip resource into aws-overlay-ip",
        "Shows the steps that change the type of a running resource from ocf:heartbeat:aws-vpc-move-ip to"
        " ocf:aws:aws-overlay-ip, and does them with --apply. The address stays where it is. Each step is verified; when one"
        " fails, for want of an answer too, it goes back, and the exit status is 1. A run that was interrupted is repeated, and"
        " goes on. It refuses where ocf-aws check fails.",
        "ocf-aws migrate rsc_ip --apply",
    ),
    Subcommand(
        "example",
        "print a configuration, filled in from this cluster and VPC",
        "Prints a complete configuration for a two-node cluster, for pcs or crm, with the names, ids and route tables of this"
        " cluster and VPC filled in. What is not known here stands as a word between two @, and the exit status is 3; --set"
        " gives it. Without NAME it lists the examples.",
        "ocf-aws example postgresql --with pcs --set OVERLAY_IP=172.16.52.1",
    ),
    Subcommand(
        "watch",
        "measure for how long nobody answers at an address",
        "Asks an address a hundred times a second, and prints each outage when it begins and when it ends; Ctrl-C ends it with a"
        " summary. Runs on any host, with Python alone. Without a port it asks by ICMP, else by opening a TCP connection, which"
        " it resets at once; --interval spares a service that minds. Who answers it tells by the first line that the service"
        " sends, else by the MAC where the address is on link. A service that greets its first connections has to greet all:"
        " without a greeting it counts as silent."
        "\n\n"
        "A probe counts at the time at which it was sent, and is lost after 0.5 s. Less than two lost probes, or less than 0.05 s,"
        " are no outage. The exit status is 1 after an outage, else 3 if there was no answer at all or the picture could not be"
        " written. With RESOURCE, on a node of the cluster, it asks the addresses of that resource, and prints what Pacemaker,"
        " the kernel and EC2 say meanwhile.",
        "ocf-aws watch 172.16.52.1:5432 --picture failover.svg",
    ),
)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(
        "ocf-aws",
        description=DESCRIPTION,
        epilog="Exit status: " + " ".join(f"{status}: {text}" for status, text in EXIT_STATUS.items()),
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"ocf-aws {__version__}")
    chosen = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for subcommand in SUBCOMMANDS:
        one = chosen.add_parser(
            subcommand.name,
            help=subcommand.summary,
            description=subcommand.description,
            epilog=f"Example: {subcommand.example}",
            allow_abbrev=False,
        )
        _OPTIONS[subcommand.name](one)
        one.add_argument(
            "--output",
            choices=("text", "json"),
            default="text",
            help="text for people, json for scripts (default: text)",
        )
    return top


def _add_target(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "words",
        nargs="*",
        metavar="RESOURCE",
        help="name of a resource, or aws-overlay-ip or aws-eni-move and NAME=VALUE for each parameter",
    )


def _check(one: argparse.ArgumentParser) -> None:
    _add_target(one)
    one.add_argument("--all", action="store_true", help="a line for each precondition, those that hold too")


def _status(one: argparse.ArgumentParser) -> None:
    _add_target(one)
    one.add_argument(
        "--watch",
        action="store_true",
        help="follow a move: redrawn once a second on a terminal, elsewhere a line for each change; until interrupted;"
        " not with --output json",
    )


def _policy(one: argparse.ArgumentParser) -> None:
    _add_target(one)
    one.add_argument("--format", choices=("json", "terraform", "cloudformation"), default="json", help="default: json")
    one.add_argument("--fencing", action="store_true", help="with what fence_aws needs")
    one.add_argument("--with-check", action="store_true", help="with what ocf-aws check and status read")
    one.add_argument("--minimal", action="store_true", help="for an ENI: without what only makes a move safer")


def _migrate(one: argparse.ArgumentParser) -> None:
    one.add_argument("resource", metavar="RESOURCE", help="name of the resource")
    one.add_argument("--apply", action="store_true", help="do the steps; without it they are only shown")
    one.add_argument("--revert", action="store_true", help="the way back, to aws-vpc-move-ip")
    one.add_argument("--force", action="store_true", help="also where ocf-aws check fails")


def _example(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", nargs="?", metavar="NAME", help="name of the example")
    one.add_argument("--list", action="store_true", help="list the examples")
    one.add_argument("--with", dest="shell", choices=("pcs", "crm"), help="default: what is installed")
    one.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a value for a word between two @"
    )


def _watch(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "words",
        nargs="+",
        metavar="ADDRESS[:PORT]",
        help="IPv4 or IPv6 address, [IPV6]:PORT with a port; or the name of a resource",
    )
    one.add_argument("--port", type=_port, metavar="PORT", help="TCP port of all that have none")
    one.add_argument("--seconds", type=_seconds(0.1, 10**9), metavar="N", help="end after N seconds")
    one.add_argument(
        "--interval",
        type=_seconds(0.002, 60.0),
        default=INTERVAL,
        metavar="N",
        help=f"seconds between two probes of an address (default: {INTERVAL})",
    )
    one.add_argument("--picture", type=Path, metavar="FILE.svg", help="write a picture of what was seen")


def _port(text: str) -> int:
    from ocf_aws.cli.outages.destination import parse_port

    try:
        return parse_port(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds") from None
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not within {least:g} and {most:g} seconds")
        return number

    return parse


_OPTIONS = {
    "check": _check,
    "status": _status,
    "policy": _policy,
    "migrate": _migrate,
    "example": _example,
    "watch": _watch,
}
