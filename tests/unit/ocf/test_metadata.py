"""Meta-data: valid by the schema of the OCF API 1.1 and by the DTD that ocf-tester uses."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

from ocf_aws.ocf import metadata
from ocf_aws.ocf.agent import Agent, Parameter

SCHEMA = Path("/usr/share/pcs/data/ocf-1.1.rng")
DTD_DIRECTORY = Path("/usr/share/resource-agents")
needs_xmllint = pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint comes with libxml2-utils")


@pytest.fixture
def document(agent: ModuleType) -> str:
    return metadata.xml(agent.AGENT)


def lint(document: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["xmllint", "--noout", *options, "-"], input=document, capture_output=True, text=True, cwd=DTD_DIRECTORY
    )


@needs_xmllint
@pytest.mark.skipif(not SCHEMA.exists(), reason="the OCF schema comes with the package pcs")
def test_it_is_valid_by_the_schema_of_ocf_1_1(document: str) -> None:
    assert lint(document, "--relaxng", str(SCHEMA)).returncode == 0
    assert lint(document.replace("<version>1.1</version>", ""), "--relaxng", str(SCHEMA)).returncode != 0


@needs_xmllint
@pytest.mark.skipif(not DTD_DIRECTORY.exists(), reason="the DTD comes with the package resource-agents")
def test_it_is_valid_by_the_dtd_that_ocf_tester_uses(document: str) -> None:
    result = lint(document, "--valid")
    assert result.returncode == 0, result.stderr


def test_every_declared_parameter_and_action_is_in_it(agent: ModuleType, document: str) -> None:
    root = ET.fromstring(document)
    assert [p.get("name") for p in root.iter("parameter")] == [p.name for p in agent.AGENT.parameters]
    assert [a.get("name") for a in root.iter("action")] == [a.name for a in agent.AGENT.actions]


def test_a_unique_parameter_is_marked_for_pcs_and_for_crmsh(document: str) -> None:
    first = next(ET.fromstring(document).iter("parameter"))
    assert (first.get("unique"), first.get("unique-group"), first.get("required")) == ("1", first.get("name"), "1")


def test_defaults_are_those_that_the_agent_uses(agent: ModuleType, document: str) -> None:
    values = agent.AGENT.read({})
    for parameter in ET.fromstring(document).iter("parameter"):
        content = parameter.find("content")
        assert content is not None
        if (default := content.get("default")) is not None:
            declared = next(p for p in agent.AGENT.parameters if p.name == parameter.get("name"))
            assert declared.parse(default) == getattr(values, declared.name)


def test_actions_are_told_with_their_times_and_check_levels(document: str) -> None:
    actions = [dict(action.attrib) for action in ET.fromstring(document).iter("action")]
    monitors = [action for action in actions if action["name"] == "monitor"]
    assert [monitor["depth"] for monitor in monitors] == ["0", "10"]
    assert all(monitor["interval"].endswith("s") for monitor in monitors)
    assert all(int(action["timeout"].removesuffix("s")) > 0 for action in actions)
    assert actions[-1] == {"name": "meta-data", "timeout": "5s"}


def test_allowed_words_are_told_in_the_description() -> None:
    parameter = Parameter("p", "s", "long.", options=("a", "b"), default="a")
    assert "Allowed values: a, b." in metadata.xml(Agent("x", "1.0", "s", "l", (parameter,), ()))


def test_text_is_escaped() -> None:
    parameter = Parameter("p", "a < b", 'c & "d"', default='"e" & <f>')
    root = ET.fromstring(metadata.xml(Agent("x", "1.0", "s", "l", (parameter,), ())))
    content = root.find("parameters/parameter/content")
    assert content is not None and content.get("default") == '"e" & <f>'
