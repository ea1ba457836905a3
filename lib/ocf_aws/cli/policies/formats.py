"""A policy as JSON, Terraform and CloudFormation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """A document: what it is for, and the role that it belongs to."""

    name: str
    document: Mapping[str, Any]
    role: str


def as_json(part: Part) -> str:
    """The document itself, as the console and the AWS CLI take it."""
    return json.dumps(part.document, indent=4)


def as_terraform(part: Part) -> str:
    """The document as Terraform's data source, and the role's policy where it is one."""
    name = _plain(part.name, "_")
    lines = [f'data "aws_iam_policy_document" "{name}" {{']
    for statement in part.document["Statement"]:
        lines += ["  statement {", f'    sid     = "{statement["Sid"]}"', f'    effect  = "{statement["Effect"]}"']
        lines.append(f"    actions = {_list(statement['Action'])}")
        if "Principal" in statement:
            lines += [
                "    principals {",
                '      type        = "AWS"',
                f"      identifiers = {_list(statement['Principal']['AWS'])}",
                "    }",
            ]
        else:
            lines.append(f"    resources = {_list(statement['Resource'])}")
        for operator, keys in statement.get("Condition", {}).items():
            for key, value in keys.items():
                lines += [
                    "    condition {",
                    f'      test     = "{operator}"',
                    f'      variable = "{key}"',
                    f"      values   = {_list(value)}",
                    "    }",
                ]
        lines.append("  }")
    lines.append("}")
    if not _is_trust(part):
        lines += [
            "",
            f'resource "aws_iam_role_policy" "{name}" {{',
            f'  name   = "{part.name}"',
            f'  role   = "{part.role}"',
        ]
        lines += [f"  policy = data.aws_iam_policy_document.{name}.json", "}"]
    return "\n".join(lines)


def as_cloudformation(part: Part) -> str:
    """The document as a template: a policy of the role, or the role for a trust."""
    if _is_trust(part):
        properties: dict[str, Any] = {"RoleName": part.role, "AssumeRolePolicyDocument": part.document}
        kind = "AWS::IAM::Role"
    else:
        properties = {"PolicyName": part.name, "Roles": [part.role], "PolicyDocument": part.document}
        kind = "AWS::IAM::Policy"
    resources = {_plain(part.name, "").title() or "Policy": {"Type": kind, "Properties": properties}}
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}, indent=2)


FORMATS = {"json": as_json, "terraform": as_terraform, "cloudformation": as_cloudformation}


def _is_trust(part: Part) -> bool:
    return any("Principal" in statement for statement in part.document["Statement"])


def _list(value: str | list[str]) -> str:
    return json.dumps([value] if isinstance(value, str) else value)


def _plain(text: str, instead: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else instead for c in text)
