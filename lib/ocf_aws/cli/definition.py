"""The resources that a subcommand is about: named on the command line, or read from the live CIB."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ocf_aws.cli.agent_files import AGENTS, declaration, load_agent
from ocf_aws.cli.cluster.cib import Cib, Primitive
from ocf_aws.cli.cluster.cib_xml import query_cib
from ocf_aws.ocf.agent import PREFIX, ParameterValues
from ocf_aws.ocf.errors import Failure
from ocf_aws.ocf.log import Log
from ocf_aws.ocf.runtime import Context


class UsageError(Exception):
    """The command line is wrong: one line that says how."""


class ChangeFailed(Exception):
    """A change was refused, or a step of it failed: one line that says why, and what is left to do."""


class NothingKnown(Exception):
    """It could not be found out what to look at: one line that says why."""


@dataclass(frozen=True)
class Definition:
    """A resource. name: in the cluster; that of the agent where there is none yet. primitive: in the CIB, if it is there."""

    agent: str
    name: str
    parameters: dict[str, str]
    primitive: Primitive | None = None
    cib: Cib | None = None

    def values(self, module: ModuleType) -> ParameterValues:
        """The parameters as the agent reads them."""
        return declaration(module).read(self._environ())

    def context(self, module: ModuleType, seconds: float, api_seconds: int, action: str = "validate-all") -> Context:
        """One action of the agent, as Pacemaker would ask for it; what the agent logs is dropped.

        seconds: until its deadline. api_seconds: for one question to EC2, at most.
        """
        environ = {**os.environ, **self._environ(), "OCF_RESKEY_CRM_meta_timeout": str(int(seconds * 1000))}
        agent = declaration(module)
        context = Context.from_environ(agent, action, environ, Log(agent.name, self.name, {}, io.StringIO()))
        values: Any = context.parameters
        values.api_timeout = min(values.api_timeout, api_seconds)
        return context

    def _environ(self) -> dict[str, str]:
        return {
            "OCF_RESOURCE_INSTANCE": self.name,
            **{f"{PREFIX}{name}": value for name, value in self.parameters.items()},
        }


def find_definitions(words: Sequence[str]) -> list[Definition]:
    """What the words of a command line name: nothing for all of ours in the CIB, a resource, or an agent and parameters.

    Raises UsageError, and NothingKnown where the cluster would have to be asked and does not answer.
    """
    if words and words[0] in AGENTS:
        return [Definition(words[0], words[0], _pairs(words[1:]), None, find_cib())]
    if len(words) > 1:
        raise UsageError(f"'{words[0]}' is none of our agents: NAME=VALUE follows only {' or '.join(AGENTS)}")
    if words and "=" in words[0]:
        raise UsageError(f"name the agent before {words[0]}: {' or '.join(AGENTS)}")
    try:
        cib = query_cib()
    except Failure as error:
        raise NothingKnown(
            f"{error}; without a cluster: ocf-aws COMMAND {AGENTS[0]} ip=... routing_table=..."
        ) from error
    found = [each for each in cib.ours if not words or each.id == words[0]]
    if not found and words:
        raise UsageError(_unknown_resource(words[0], cib))
    if not found:
        raise NothingKnown(f"no resource in this cluster is of type ocf:aws:{' or ocf:aws:'.join(AGENTS)}")
    return [Definition(each.type, each.id, each.parameters, each, cib) for each in found]


def find_cib() -> Cib | None:
    """The live configuration, None where no cluster runs on this node."""
    try:
        return query_cib()
    except Failure:
        return None


def load(definition: Definition) -> ModuleType:
    """The agent of a definition. Raises NotInstalled."""
    return load_agent(definition.agent)


def _unknown_resource(name: str, cib: Cib) -> str:
    other = cib.find(name)
    if other and other.type == "aws-vpc-move-ip":
        return f"{name} is of type {other.spec}: ocf-aws migrate {name} makes it ours"
    if other:
        return f"{name} is of type {other.spec}, none of our agents"
    names = ", ".join(each.id for each in cib.ours)
    return f"no resource is called '{name}'" + (f"; of ours there are: {names}" if names else "; there is none of ours")


def _pairs(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"'{word}' is not NAME=VALUE")
        found[name] = value
    return found
