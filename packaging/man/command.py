"""The man page and the bash completion of ocf-aws, from its declaration: command.py page|completion

The page is man(7), of section 8. Its date is that of SOURCE_DATE_EPOCH where it is set.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

from manpage import escape, paragraphs, text
from ocf_aws import __version__
from ocf_aws.cli.arguments import DESCRIPTION, EXIT_STATUS, SUBCOMMANDS, parser

JSON = (
    'With --output json a subcommand prints one document: {"version": 1, "command": NAME, "results": [...]}. Members may be'
    " added; none goes or changes its meaning within a version. Each result of check has resource, name, status (passed, failed,"
    " warning, unknown, not applicable), detail and remedy. Each result of watch is an address with its outages: start, end and"
    " seconds of each, who answered before and after (null where nothing tells it), and what the network said."
)
ENVIRONMENT = {
    "NO_COLOR": "If it is set and not empty, there are no colours.",
    "OCF_ROOT": "Where the agents are: OCF_ROOT/resource.d/aws. Default: /usr/lib/ocf.",
    "OCF_AWS_DEBUG": "If it is set, an unexpected error shows where it comes from.",
}
FILES = {
    "/etc/sysconfig/pacemaker, /etc/default/pacemaker": "Proxies and AWS_* variables for the agents. The command uses these,"
    " and not those of the shell, so that it sees what the agents see.",
}


def subparsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each subcommand, by its name."""
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise LookupError("the command has no subcommands")


def options(one: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options of a subcommand, but for --help."""
    return (action for action in one._actions if action.option_strings and action.dest != "help")


def _takes_agent(one: argparse.ArgumentParser) -> bool:
    return any(action.metavar == "RESOURCE" and action.nargs == "*" for action in one._actions)


def page(date: str) -> str:
    """The whole man page."""
    lines = [
        f'.TH OCF\\-AWS 8 {date} "ocf-aws {__version__}" "OCF resource agents"',
        ".nh",
        ".ad l",
        ".SH NAME",
        "ocf\\-aws \\- check and show Pacemaker resources that move addresses on EC2",
        ".SH SYNOPSIS",
    ]
    for name, one in subparsers().items():
        words = one.format_usage().split(None, 1)[1].split()
        lines += [f".B ocf\\-aws {escape(name)}", *text(" ".join(words[2:])), ".br"]
    lines[-1:] = [".SH DESCRIPTION", *text(DESCRIPTION), ".SH COMMANDS"]
    for subcommand in SUBCOMMANDS:
        lines += [f".SS {escape(subcommand.name)}", *paragraphs(subcommand.description)]
        for action in options(subparsers()[subcommand.name]):
            value = f" {'|'.join(action.choices)}" if action.choices else f" {action.metavar}" if action.metavar else ""
            lines += [".TP", f".B {escape(', '.join(action.option_strings) + value)}", *text(str(action.help))]
        lines += [".PP", "Example:", ".PP", ".RS 4", ".nf", escape(subcommand.example), ".fi", ".RE"]
    lines += [".SH OUTPUT", *paragraphs(JSON), ".SH EXIT STATUS"]
    for status, told in EXIT_STATUS.items():
        lines += [".TP", f".B {status}", *text(told)]
    for title, entries in (("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines.append(f".SH {title}")
        for name, told in entries.items():
            lines += [".TP", f".B {escape(name)}", *text(told)]
    lines += [
        ".SH SEE ALSO",
        ".BR ocf_aws_aws\\-eni\\-move (7),",
        ".BR ocf_aws_aws\\-overlay\\-ip (7),",
        ".BR crm_resource (8)",
    ]
    return "\n".join(lines) + "\n"


def completion() -> str:
    """The completion for bash."""
    cases = []
    for name, one in subparsers().items():
        words = [word for action in options(one) for word in action.option_strings]
        # Only these take an agent in place of a resource.
        agents = " agents='aws-overlay-ip aws-eni-move'" if _takes_agent(one) else ""
        cases.append(f"        {name}) options='{' '.join(words)} --help'{agents} ;;")
    values = {}
    for one in subparsers().values():
        for action in options(one):
            if action.choices:
                values[action.option_strings[0]] = " ".join(map(str, action.choices))
    choices = [
        f"        {option}) mapfile -t COMPREPLY < <(compgen -W '{words}' -- \"$word\"); return ;;"
        for option, words in values.items()
    ]
    return "\n".join(
        [
            "# Completion of ocf-aws for bash. Made from the declaration of its command line.",
            "_ocf_aws() {",
            '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" options= agents=',
            "    COMPREPLY=()",
            '    if [ "$COMP_CWORD" -eq 1 ]; then',
            f"        mapfile -t COMPREPLY < <(compgen -W '{' '.join(subparsers())} --help --version' -- \"$word\")",
            "        return",
            "    fi",
            '    case "$before" in',
            *choices,
            "    esac",
            '    case "${COMP_WORDS[1]}" in',
            *cases,
            "    esac",
            '    case "$word" in',
            "        -*) ;;",
            '        *) options="$agents $(crm_resource --list-raw 2>/dev/null)" ;;',
            "    esac",
            '    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")',
            "}",
            "complete -F _ocf_aws ocf-aws",
            "",
        ]
    )


def main(what: str) -> None:
    """Print the page or the completion."""
    now = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    print(page(time.strftime("%Y-%m-%d", time.gmtime(now))) if what == "page" else completion(), end="")


if __name__ == "__main__":
    main(sys.argv[1])
