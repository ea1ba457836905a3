"""Write packaging/docs/performance.md and its charts from what actions.py and outages.py measured.

Usage: page.py ACTIONS.json [OUTAGES.json]
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import charts
from vpclab.checkout import CHECKOUT

DOCUMENTS = CHECKOUT / "packaging/docs"
PICTURES = CHECKOUT / "packaging/pictures"
NAMES = {
    "ours": "this agent",
    "before": "revision compared",
    "boto3": "a boto3 script",
    "by hand": "no SDK at all",
}
ORDER = ("ours", "before", "IPaddr2", "aws-vpc-move-ip", "boto3", "by hand", "python3 -IS")

HEAD = """# Performance

Times are milliseconds, medians of whole processes, as Pacemaker starts them. All columns of a row are measured in turn, in
one run, on one machine: compare them with each other, not with another machine's.

`make bench` measures all of it again and writes this page; `make bench AGAINST=REVISION` adds a column. Machine: {machine}.
"""

METHOD = """## How each row is measured

- EC2 and IMDS are emulated on the same machine. They answer by TLS and HTTP at their real names and addresses; an EC2 call
  takes the latency of the row on top of the emulator's own time.
- The CA bundle is the distribution's with one more authority, because to read it is a part of each action.
- *Start*: the address is not on the node, and all route tables lead to another node. *Stop*: the address is on the node.
  *Monitor*: all is right. Whatever makes it so comes before the clock starts.
- *A boto3 script* makes the calls of a monitor or of a start with no options, retries or checks. *No SDK at all* signs and
  parses the same calls by hand, and knows no error. They are floors, not ways to write an agent.
- `aws-vpc-move-ip` and `IPaddr2` are those of the distribution's resource-agents. The first runs a fifth of the times.
- CPU is user and system time of all processes. Peak memory is the largest process's. Files are those opened, by strace.
  API and IMDS are requests.
"""


def main() -> None:
    """Write page and charts."""
    rows = json.loads(Path(sys.argv[1]).read_text())
    outages = json.loads(Path(sys.argv[2]).read_text()) if len(sys.argv) > 2 else {}
    text = [
        HEAD.format(machine=machine()),
        "## Actions\n",
        *table(rows),
        "",
        "## What an action costs besides\n",
        *costs(rows),
    ]
    text += ["", *pictures(rows)]
    if outages:
        text += ["", "## Outages\n", *outage_table(outages), "", *timelines(outages)]
    text += ["", METHOD.rstrip()]
    (DOCUMENTS / "performance.md").write_text("\n".join(text) + "\n")


def machine() -> str:
    """The machine in a few words."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    count = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return f"{count} cores of {model[1] if model else platform.machine()}, {system[1] if system else platform.system()}"


def shown(rows: list[dict[str, Any]]) -> list[str]:
    """The contenders that there are."""
    present = {who for row in rows for who in row["costs"]}
    return [who for who in ORDER if who in present]


def title(row: dict[str, Any]) -> str:
    """A row in words."""
    if not row["tables"]:
        return str(row["work"])
    many = f"{row['tables']} table{'s' * (row['tables'] > 1)}"
    return f"{row['work']}, {many}, {row['latency']} ms a call"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Times by contender."""
    names = shown(rows)
    lines = [f"| work | {' | '.join(NAMES.get(name, name) for name in names)} |", "|---|" + "--:|" * len(names)]
    for row in rows:
        found = [row["costs"].get(name) for name in names]
        cells = [f"{cost['seconds'] * 1000:.0f}" if cost else "" for cost in found]
        lines.append(f"| {title(row)} | {' | '.join(cells)} |")
    return lines


def costs(rows: list[dict[str, Any]]) -> list[str]:
    """What else an action of this agent takes."""
    lines = ["| work | CPU, ms | peak memory, MiB | files | API | IMDS |", "|---|--:|--:|--:|--:|--:|"]
    for row in rows:
        cost = row["costs"]["ours"]
        if row["latency"]:
            continue
        counts = f"{cost['files']} | {cost['api']} | {cost['imds']}"
        lines.append(f"| {title(row)} | {cost['cpu'] * 1000:.0f} | {cost['peak']:.1f} | {counts} |")
    return lines


def pictures(rows: list[dict[str, Any]]) -> list[str]:
    """Draw the charts; returns the lines that show them."""
    lines = []
    for work, name in (("start", "start"), ("monitor with the route tables", "monitor")):
        for across, key, other in (("route tables", "tables", "latency"), ("milliseconds a call", "latency", "tables")):
            fixed = 0 if other == "latency" else 1
            chosen = [row for row in rows if row["work"] == work and row[other] == fixed and row["tables"]]
            series = {
                NAMES.get(who, who): [
                    (row[key], row["costs"][who]["seconds"] * 1000) for row in chosen if who in row["costs"]
                ]
                for who in shown(chosen)
            }
            file = f"{name}-by-{key}.svg"
            told = f"{work.capitalize()}, by {across}"
            (PICTURES / file).write_text(charts.lines(told, across, series))
            lines.append(f"![{told}](../pictures/{file})\n")
    return lines


def outage_table(outages: dict[str, Any]) -> list[str]:
    """How long a client got no answer."""
    lines = [f"Times are milliseconds, medians of so many runs: {outages['times']}.", ""]
    lines += ["| what a client of three route tables sees | aws-vpc-move-ip | this agent |", "|---|--:|--:|"]
    for row in outages["table"]:
        cells = [f"{row[who] * 1000:.0f}" if who in row else "" for who in ("today", "ours")]
        lines.append(f"| {row['what']} | {' | '.join(cells)} |")
    return lines


def timelines(outages: dict[str, Any]) -> list[str]:
    """Draw the timelines; returns the lines that show them."""
    lines = []
    for each in outages["timelines"]:
        file = f"timeline-{each['name'].replace(' ', '-')}.svg"
        told = f"One {each['name']}, to the millisecond"
        (PICTURES / file).write_text(charts.timeline(told, [tuple(span) for span in each["spans"]]))
        lines.append(f"![{told}](../pictures/{file})\n")
    return lines


if __name__ == "__main__":
    main()
