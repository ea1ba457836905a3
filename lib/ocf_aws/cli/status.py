"""`ocf-aws status`: who has what, as EC2, the kernel here and Pacemaker see it; where they disagree, it stands out."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import asdict

from ocf_aws.cli.definition import Definition, NothingKnown, UsageError, find_definitions
from ocf_aws.cli.environment import become_pacemaker
from ocf_aws.cli.output import FOUND, OK, UNKNOWN, Output, Progress
from ocf_aws.cli.view import View, look

WATCH_SECONDS = 1.0


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Show what the command line names, once or until interrupted. Raises UsageError, NothingKnown, Failure."""
    if arguments.watch and output.is_json:
        raise UsageError("--watch has no end, and --output json is one document: name one of them")
    become_pacemaker(os.environ)
    if arguments.watch:
        return _watch(arguments, output)
    with Progress(output, "asking the cluster and EC2"):
        views = [look(each) for each in find_definitions(arguments.words)]
    for view in views:
        for line in lines_of(view, output):
            output.line(line)
        output.line()
    output.results(asdict(view) for view in views)
    return max((view.status for view in views), key=[OK, UNKNOWN, FOUND].index, default=OK)


def _watch(arguments: argparse.Namespace, output: Output) -> int:
    """Redrawn once a second on a terminal; elsewhere a line for each thing that changed."""
    before: dict[str, set[str]] = {}
    definitions = find_definitions(arguments.words)
    while True:
        started = time.monotonic()
        views = [look(each) for each in definitions]
        if output.is_terminal:
            output.line("\033[H\033[J" + "\n".join(line for view in views for line in [*lines_of(view, output), ""]))
        else:
            stamp = time.strftime("%H:%M:%S")
            for view in views:
                now = set(_facts_of(view))
                for text in sorted(now - before.get(view.resource, set())):
                    output.line(f"{stamp}  {view.resource}  {text}")
                before[view.resource] = now
        time.sleep(max(0.0, started + WATCH_SECONDS - time.monotonic()))
        definitions = _find_again(arguments.words, definitions)


def _find_again(words: list[str], before: list[Definition]) -> list[Definition]:
    """The resources as they are defined now; as before while the cluster does not run here. Raises UsageError."""
    try:
        return find_definitions(words)
    except NothingKnown:
        return before


def lines_of(view: View, output: Output) -> list[str]:
    """The view as lines."""
    lines = [output.colour(f"{view.resource}  {view.subject}  {view.cluster}", "bold")]
    if view.tables:
        rows = [("table", "subnets", "points to", "state", "")]
        rows += [
            (
                f"{r.id} {r.name}".strip(),
                r.subnets or "-",
                f"{r.holder} {r.eni}".strip() or "-",
                r.state,
                r.disagreement,
            )
            for r in view.tables
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            told = "  ".join(cell.ljust(width) for cell, width in zip(row, widths))
            lines.append(f"  {told}  {output.colour(row[4], 'red') if row[4] else ''}".rstrip())
    for name, text in (("attachment", view.attachment), ("source/dest", view.source_dest), ("kernel", view.kernel)):
        if text:
            lines.append(f"  {name:<15} {text}")
    lines += [f"  {output.colour('unknown', 'blue'):<15} {text}" for text in view.unknown]
    count = len(view.disagreements)
    if count:
        lines.append(output.colour(f"{count} disagreement{'s' * (count > 1)}: {'; '.join(view.disagreements)}", "red"))
        stolen = [row.id for row in view.tables if "leads to" in row.disagreement]
        if stolen:
            lines.append(f"CloudTrail tells who wrote it: event ReplaceRoute, requestParameters {', '.join(stolen)}")
    elif not view.unknown:
        lines.append(output.colour("all agree", "green"))
    return lines


def _facts_of(view: View) -> list[str]:
    """The view as sentences that either hold or do not, so that what changes can be told."""
    found = [f"Pacemaker: {view.cluster}", f"kernel: {view.kernel}"]
    found += [f"source/destination check: {view.source_dest}"] if view.source_dest else []
    found += [f"attachment: {view.attachment}"] if view.attachment else []
    found += [f"{row.id} -> {row.holder or 'nobody'}, {row.state}" for row in view.tables]
    return found + [f"unknown: {text}" for text in view.unknown]
