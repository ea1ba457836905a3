"""`ocf-aws example`: a configuration of packaging/examples, filled in from this cluster and VPC."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import ocf_aws
from ocf_aws.cli.agent_files import OVERLAY_IP
from ocf_aws.cli.cluster.commands import cluster_shell
from ocf_aws.cli.definition import Definition, UsageError, find_cib
from ocf_aws.cli.environment import become_pacemaker
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.output import OK, UNKNOWN, Output, Progress

SUFFIXES = {"pcs": ".pcs.sh", "crm": ".crm"}
_PLACES = ("/usr/share/doc/resource-agents-aws/examples", "/usr/share/doc/packages/resource-agents-aws/examples")


def find_directory() -> Path | None:
    """Where the examples are: in the checkout that the library is part of, else where packages put them."""
    checkout = Path(ocf_aws.__file__).resolve().parents[2] / "packaging/examples"
    return next((path for path in (checkout, *map(Path, _PLACES)) if path.is_dir()), None)


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Print an example, or the list of them. Raises UsageError, NothingKnown."""
    directory = find_directory()
    if directory is None:
        raise UsageError("the examples are not installed: they come with the documents of resource-agents-aws")
    shell = arguments.shell or ("crm" if cluster_shell() == "crm" else "pcs")
    suffix = SUFFIXES[shell]
    names = {path.name[: -len(suffix)]: path for path in sorted(directory.glob(f"*{suffix}"))}
    if arguments.list or arguments.name is None:
        for name, path in names.items():
            output.line(f"{name:<34} {_title(path)}")
        output.results({"name": name, "title": _title(path)} for name, path in names.items())
        return OK
    if arguments.name not in names:
        raise UsageError(f"no example is called '{arguments.name}'; there are: {', '.join(names)}")
    with Progress(output, "asking the cluster and EC2"):
        values = {**known_values(), **_given(arguments.set)}
    text = re.sub("@([A-Z0-9_]+)@", lambda found: values.get(found[1], found[0]), names[arguments.name].read_text())
    left = sorted(set(re.findall("@([A-Z0-9_]+)@", text)))
    output.line(text)
    output.results([{"name": arguments.name, "with": shell, "text": text, "missing": left}])
    if left:
        words = " ".join(f"--set {name}=..." for name in left)
        print(f"ocf-aws: not known here: {words}", file=sys.stderr)
    return UNKNOWN if left else OK


def known_values() -> dict[str, str]:
    """What this cluster and VPC tell, by the word that stands for it in the examples."""
    become_pacemaker(os.environ)
    facts = Facts(
        Definition(OVERLAY_IP, OVERLAY_IP, {"ip": "192.0.2.1", "routing_table": "rtb-00000000"}, None, find_cib())
    )
    facts.gather(has_trials=False)
    found = {"REGION": facts.get("region"), "NODE1_ID": facts.get("instance_id")}
    cluster = facts.get("cluster")
    if cluster:
        found["NODE1"] = cluster.local
    for number, (name, peer) in enumerate((facts.get("peers") or {}).items(), 2):
        found[f"NODE{number}"] = name
        found[f"NODE{number}_ID"] = peer.id if peer else None
    # Every table whose subnets may have clients or nodes.
    tables = [table.id for table in facts.get("tables") or [] if facts.subnets_of(table)]
    found["ROUTE_TABLES"] = ",".join(tables) or None
    return {name: value for name, value in found.items() if value}


def _given(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"'{pair}' is not NAME=VALUE")
        found[name.upper()] = value
    return found


def _title(path: Path) -> str:
    """The first comment of an example."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("# ")]
    return lines[0][2:].partition(", for ")[0] if lines else ""
