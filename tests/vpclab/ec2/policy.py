"""IAM policies. The lab rejects the elements that it does not support, and ignores none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vpclab.ec2.resources import Resource
from vpclab.ec2.wildcards import matches

_CONDITION = "StringEquals", "ec2:attribute"
"""The one condition of the policies that the project ships."""

_PARTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class _Statement:
    """One statement of a policy."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    attributes: tuple[str, ...] | None
    """Values of ec2:Attribute, if there is a condition on it."""

    def applies(self, action: str, resource: Resource) -> bool:
        """Whether it says anything about this."""
        return (
            any(matches(pattern.lower(), action.lower()) for pattern in self.actions)
            and any(matches(pattern, resource.arn) for pattern in self.resources)
            and (self.attributes is None or resource.attribute in self.attributes)
        )


class Policy:
    """A parsed IAM policy document; ValueError if there is something in it that the lab does not know."""

    def __init__(self, document: Mapping[str, Any]):
        statements = document["Statement"]
        if isinstance(statements, Mapping):
            statements = [statements]
        self._statements = [_read_statement(statement) for statement in statements]

    def denied(self, action: str, resources: Iterable[Resource]) -> Denial | None:
        """The first resource that the action is not allowed on, or None if it is on all.

        `action` is written as in policies, like ec2:ReplaceRoute.
        """
        for resource in resources:
            said = {s.allows for s in self._statements if s.applies(action, resource)}
            if said != {True}:
                return Denial(action, resource.arn, explicit=False in said)
        return None


@dataclass(frozen=True)
class Denial:
    """Why a call is not allowed."""

    action: str
    resource: str
    explicit: bool
    """Whether a statement denies it, rather than none allowing it."""

    def explain(self, caller_arn: str) -> str:
        """The sentence in which AWS says so."""
        why = (
            f"with an explicit deny in an identity-based policy for {self.action}"
            if self.explicit
            else f"because no identity-based policy allows the {self.action} action"
        )
        return f"User: {caller_arn} is not authorized to perform: {self.action} on resource: {self.resource} {why}"


def _read_statement(statement: Mapping[str, Any]) -> _Statement:
    """A statement, checked."""
    if unknown := set(statement) - _PARTS:
        raise ValueError(f"not supported in a policy: {', '.join(sorted(unknown))}")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"not an effect: {statement['Effect']}")
    return _Statement(
        statement["Effect"] == "Allow",
        _texts(statement["Action"]),
        _texts(statement["Resource"]),
        _read_condition(statement.get("Condition")),
    )


def _read_condition(condition: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The values of ec2:Attribute that a condition allows; None without a condition."""
    if condition is None:
        return None
    for operator, keys in condition.items():
        for key, values in keys.items():
            if len(condition) == len(keys) == 1 and (operator, key.lower()) == _CONDITION:
                return _texts(values)
    raise ValueError(f"not supported in a policy: {condition}")


def _texts(value: Any) -> tuple[str, ...]:
    """One text or several, without variables."""
    texts = (value,) if isinstance(value, str) else tuple(value)
    for text in texts:
        if "${" in text:
            raise ValueError(f"variables are not supported in a policy: {text}")
    return texts
