"""The man page of an agent, from its declaration: manpage.py AGENT >ocf_aws_NAME.7

Prints man(7) with the sections of resource-agents' own pages. The date is that of SOURCE_DATE_EPOCH where it is set.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import textwrap
import time

from ocf_aws import __version__
from ocf_aws.ocf.agent import Action, Agent, Parameter

sys.dont_write_bytecode = True

PROVIDER = "aws"


def load(path: str) -> Agent:
    """The declaration in an agent's executable."""
    loader = importlib.machinery.SourceFileLoader("agent", path)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    agent: Agent = module.AGENT
    return agent


def page(agent: Agent, date: str) -> str:
    """The whole page."""
    name = f"ocf_{PROVIDER}_{agent.name}"
    actions = dict.fromkeys(action.name for action in agent.actions)
    lines = [
        f'.TH {escape(name.upper())} 7 {date} "ocf-aws {__version__}" "OCF resource agents"',
        # A name or an id that is hyphenated cannot be pasted.
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{escape(name)} \\- {escape(agent.shortdesc)}",
        ".SH SYNOPSIS",
        f".B {escape(agent.name)}",
        *text(f"{{{' | '.join(actions)}}}"),
        ".SH DESCRIPTION",
        *paragraphs(agent.longdesc),
        ".SH SUPPORTED PARAMETERS",
    ]
    for parameter in agent.parameters:
        lines += described(parameter)
    lines += [".SH SUPPORTED ACTIONS", "With the timeouts that are advised at least."]
    for action in agent.actions:
        lines += [".TP", f".B {escape(action.name)}", *text(timing(action))]
    lines += [
        ".SH EXAMPLE CRM SHELL",
        *example(f"primitive rsc ocf:{PROVIDER}:{agent.name}", "params", operations(agent, "op {} {}"), agent),
        ".SH EXAMPLE PCS",
        *example(f"pcs resource create rsc ocf:{PROVIDER}:{agent.name}", "", operations(agent, "op {} {}"), agent),
        ".SH SEE ALSO",
        ".BR crm (8),",
        ".BR crm_resource (8),",
        ".BR pcs (8)",
    ]
    return "\n".join(lines) + "\n"


def described(parameter: Parameter) -> list[str]:
    """A parameter with what it means, and what it is when it is not given."""
    traits = ["required" if parameter.required else "optional"]
    if parameter.unique_group:
        traits.append("unique")
    traits.append(parameter.type)
    traits.append("no default" if parameter.default is None else f'default "{parameter.default}"')
    if parameter.reloadable:
        traits.append("can change while the resource runs")
    lines = [".TP", f".B {escape(parameter.name)}", *text(parameter.longdesc)]
    if parameter.options:
        lines += [".br", *text(f"Allowed values: {', '.join(parameter.options)}.")]
    return [*lines, ".br", *text(f"({', '.join(traits)})")]


def timing(action: Action) -> str:
    """How often and how long an action runs."""
    told = f"timeout {action.timeout} s"
    if action.interval is not None:
        told += f", interval {action.interval} s"
    if action.depth:
        told += f", OCF_CHECK_LEVEL={action.depth}"
    return told


def operations(agent: Agent, form: str) -> list[str]:
    """The operations of a definition: how the cluster is to run start, stop and the monitor."""
    found = {}
    for action in agent.actions:
        if action.name in ("start", "stop", "monitor") and not action.depth:
            interval = "" if action.interval is None else f"interval={action.interval}s "
            found[action.name] = form.format(action.name, f"{interval}timeout={action.timeout}s")
    return list(found.values())


def example(command: str, keyword: str, ops: list[str], agent: Agent) -> list[str]:
    """A definition with the required parameters, on lines that a shell and crm put together again."""
    values = " ".join(f"{p.name}={p.name.upper()}" for p in agent.parameters if p.required)
    parts = [command, f"{keyword} {values}".strip(), *ops]
    return [
        ".nf",
        ".RS 4",
        *(" \\\n    ".join(parts).replace("\\", "\\e").replace("-", "\\-").split("\n")),
        ".RE",
        ".fi",
    ]


def paragraphs(prose: str) -> list[str]:
    """Prose whose paragraphs are separated by empty lines."""
    lines: list[str] = []
    for paragraph in prose.strip().split("\n\n"):
        lines += [".PP", *text(paragraph)] if lines else text(paragraph)
    return lines


def text(prose: str) -> list[str]:
    """Prose as lines that man(7) shows as they are meant."""
    wrapped = textwrap.wrap(" ".join(prose.split()), 72, break_long_words=False, break_on_hyphens=False)
    return [escape(line) for line in wrapped]


def escape(line: str) -> str:
    """A line without a meaning to roff; a hyphen stays one that can be pasted (groff_char(7))."""
    for character, escaped in {"\\": "\\e", "-": "\\-", "~": "\\(ti", "^": "\\(ha", "'": "\\(aq", "`": "\\(ga"}.items():
        line = line.replace(character, escaped)
    return f"\\&{line}" if line.startswith(".") else line


def main(path: str) -> None:
    """Print the page of the agent at `path`."""
    now = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    print(page(load(path), time.strftime("%Y-%m-%d", time.gmtime(now))), end="")


if __name__ == "__main__":
    main(sys.argv[1])
