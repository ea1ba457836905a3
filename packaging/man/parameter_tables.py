"""The tables of parameters in a page, from the agents' declarations: parameter_tables.py PAGE AGENT...

Rewrites what stands between `<!-- AGENT -->` and `<!-- end -->`. With --check it writes nothing, and fails if the page
differs from what it would write.
"""

from __future__ import annotations

import sys
from pathlib import Path

from manpage import load
from ocf_aws.ocf.agent import Agent, Parameter


def table(agent: Agent) -> str:
    """The parameters of an agent as a Markdown table; those without effect are left to the man page."""
    rows = ["| parameter | default | meaning |", "|---|---|---|"]
    for parameter in agent.parameters:
        if parameter.has_effect:
            rows.append(
                f"| `{parameter.name}` | {_default(parameter)} | {parameter.longdesc.replace('|', chr(92) + '|')} |"
            )
    return "\n".join(rows)


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "(required)"
    return f"`{parameter.default}`" if parameter.default is not None else ""


def rewritten(text: str, agents: list[Agent]) -> str:
    """The page with the tables as the agents declare them now."""
    for agent in agents:
        mark, end = f"<!-- {agent.name} -->\n", "<!-- end -->"
        before, found, after = text.partition(mark)
        if found:
            text = f"{before}{mark}{table(agent)}\n{end}{after.partition(end)[2]}"
    return text


def main(argv: list[str]) -> int:
    """Rewrite or check a page; returns the exit status."""
    check = "--check" in argv
    path, *agents = [word for word in argv if word != "--check"]
    old = Path(path).read_text()
    new = rewritten(old, [load(agent) for agent in agents])
    if check and new != old:
        print(f"{path}: the tables do not match the agents' declarations: run `make format`", file=sys.stderr)
        return 1
    if not check:
        Path(path).write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
