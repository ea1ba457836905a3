"""Checks of a resource that a cluster has."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from ocf_aws.cli.cluster.cib import Cib, Primitive
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Verdict, not_applicable


def in_cluster(function: Callable[[Facts, Cib, Primitive], Verdict]) -> Callable[[Facts], Verdict]:
    """A check of a resource that is in the live CIB; not applicable to another."""

    @wraps(function)
    def check(facts: Facts) -> Verdict:
        primitive, cib = facts.definition.primitive, facts.definition.cib
        if primitive is None or cib is None:
            return not_applicable("the resource is in no cluster yet")
        return function(facts, cib, primitive)

    return check
