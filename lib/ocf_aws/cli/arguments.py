"""The command line, declared once: parser, man page ocf-aws(8) and completion are all made of it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from ocf_aws import __version__

DESCRIPTION = "Checks, shows, measures and migrates the resources of the OCF agents aws-overlay-ip and aws-eni-move."

EXIT_STATUS = {
    0: "All is right.",
    1: "Something was found: a check failed or warns, views disagree, a step failed.",
    2: "The command line is wrong.",
    3: "It could not be found out: EC2, IMDS or the cluster did not answer.",
}

TARGET = "RESOURCE is the name of a resource in this cluster. Before there is one, name the agent and its parameters."


@dataclass(frozen=True)
class Subcommand:
    """A subcommand: the module of its name runs it. example: a command line that works."""

    name: str
    summary: str
    description: str
    example: str
    complete: str = "resources"


SUBCOMMANDS = (
    Subcommand(
        "check",
        "check every precondition of a resource on this node",
        "Looks at every precondition of a resource on this node: identity, rights, network, the other nodes, operating system and"
        " cluster. Each that does not hold is told with a remedy to paste. Changes nothing. Without RESOURCE it checks all"
        f" resources of these agents in the cluster. {TARGET}",
        "ocf-aws check aws-overlay-ip ip=172.16.52.1 routing_table=rtb-0123456789abcdef0",
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


_OPTIONS = {"check": _check}
