"""IAM policies, as far as the lab understands them; what it does not is refused, never ignored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vpclab.ec2.resources import Resource
from vpclab.ec2.wildcards import matches

_OPERATORS = ("StringEquals", "StringLike", "ArnEquals", "ArnLike")
_KEYS = (
    "aws:requestedregion",
    "ec2:attribute",
    "ec2:availabilityzone",
    "ec2:instanceid",
    "ec2:instancetype",
    "ec2:networkinterfaceid",
    "ec2:region",
    "ec2:routetableid",
    "ec2:subnet",
    "ec2:vpc",
)
_TAG_KEYS = ("aws:resourcetag/", "ec2:resourcetag/")
_PARTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class _Condition:
    """One operator with one key and its values."""

    operator: str
    key: str
    values: tuple[str, ...]

    def holds(self, resource: Resource) -> bool:
        """Whether the resource has the key with one of the values."""
        present = resource.keys.get(self.key)
        if present is None:
            return False
        if self.operator == "StringEquals":
            return present in self.values
        return any(matches(value, present) for value in self.values)


@dataclass(frozen=True)
class _Statement:
    """One statement of a policy."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[_Condition, ...]

    def applies(self, action: str, resource: Resource) -> bool:
        """Whether it says anything about this."""
        return (
            any(matches(pattern.lower(), action.lower()) for pattern in self.actions)
            and any(matches(pattern, resource.arn) for pattern in self.resources)
            and all(condition.holds(resource) for condition in self.conditions)
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
        return f"User: {caller_arn} is not authorized to perform: {self.action} " f"on resource: {self.resource} {why}"


def _read_statement(statement: Mapping[str, Any]) -> _Statement:
    """A statement, checked."""
    if unknown := set(statement) - _PARTS:
        raise ValueError(f"not supported in a policy: {', '.join(sorted(unknown))}")
    conditions = tuple(
        _read_condition(operator, key, values)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )
    if statement["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"not an effect: {statement['Effect']}")
    return _Statement(
        statement["Effect"] == "Allow",
        _texts(statement["Action"]),
        _texts(statement["Resource"]),
        conditions,
    )


def _read_condition(operator: str, key: str, values: Any) -> _Condition:
    """A condition, checked."""
    known = key.lower() in _KEYS or key.lower().startswith(_TAG_KEYS)
    if operator not in _OPERATORS or not known:
        raise ValueError(f"not supported in a policy: {operator} {key}")
    return _Condition(operator, key.lower(), _texts(values))


def _texts(value: Any) -> tuple[str, ...]:
    """One text or several, without variables."""
    texts = (value,) if isinstance(value, str) else tuple(value)
    for text in texts:
        if "${" in text:
            raise ValueError(f"variables are not supported in a policy: {text}")
    return texts
