"""`ocf-aws policy`: the least-privilege IAM policy of a resource, with the ids of this account filled in."""

from __future__ import annotations

import argparse
import json
import os
import sys

from ocf_aws.cli.definition import Definition, UsageError, find_definitions
from ocf_aws.cli.environment import become_pacemaker
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.output import OK, UNKNOWN, Output, Progress
from ocf_aws.cli.policies.formats import FORMATS, Part
from ocf_aws.cli.policies.statements import (
    check_statements,
    document,
    eni_move_statements,
    fencing_statements,
    overlay_ip_statements,
    owner_statements,
    owner_trust,
)


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Print the policy of what the command line names. Raises UsageError, NothingKnown, Failure."""
    become_pacemaker(os.environ)
    parts: list[Part] = []
    for definition in find_definitions(arguments.words):
        with Progress(output, f"asking EC2 about {definition.name}"):
            facts = _facts(definition)
        parts += _parts(definition, facts, arguments)
    form = FORMATS[arguments.format]
    if output.is_json:
        output.results({"name": part.name, "role": part.role, "document": part.document} for part in parts)
    for part in parts:
        if len(parts) > 1:
            output.line(f"# {part.name}, for role {part.role}")
        output.line(form(part))
    missing = sorted(
        {
            word
            for part in parts
            for word in json.dumps(part.document).split("@")
            if word.isupper() and word.isidentifier()
        }
    )
    if missing:
        print(
            f"ocf-aws: not known here, replace by hand: {', '.join(f'@{word}@' for word in missing)}", file=sys.stderr
        )
    return UNKNOWN if missing else OK


def _facts(definition: Definition) -> Facts:
    """What is known of it here. Raises UsageError for a definition of which no policy could be right."""
    facts = Facts(definition)
    wrong = [text for name, text in facts.p.wrong.items() if name in facts.p.given]
    if facts.p.unknown:
        wrong.append(facts.p.unknown_text)
    if wrong:
        raise UsageError("; ".join(wrong))
    return facts.gather(has_trials=False)


def _parts(definition: Definition, facts: Facts, arguments: argparse.Namespace) -> list[Part]:
    place, p = facts.place(), facts.p
    if facts.is_eni_move:
        statements = eni_move_statements(place, is_minimal=arguments.minimal)
    else:
        statements = overlay_ip_statements(place, p)
    statements += fencing_statements(place) * arguments.fencing + check_statements() * arguments.with_check
    parts = [Part(definition.name, document(statements), place.role)]
    if place.owner_role:
        owner = place.owner_role.rpartition("/")[2]
        parts.append(Part(f"{definition.name}-owner", document(owner_statements(place, p)), owner))
        parts.append(Part(f"{definition.name}-owner-trust", owner_trust(place), owner))
    return parts
