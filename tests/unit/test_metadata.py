"""Meta-data: valid by the schema of the OCF API 1.1 and by the DTD that ocf-tester uses."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

from ocf_aws import metadata

SCHEMA = Path("/usr/share/pcs/data/ocf-1.1.rng")
DTD_DIRECTORY = Path("/usr/share/resource-agents")


@pytest.fixture
def document(overlay_ip: ModuleType) -> str:
    return metadata.xml(overlay_ip.AGENT)


def lint(document: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["xmllint", "--noout", *options, "-"], input=document, capture_output=True, text=True, cwd=DTD_DIRECTORY
    )


@pytest.mark.skipif(not SCHEMA.exists(), reason="the OCF schema comes with the package pcs")
def test_it_is_valid_by_the_schema_of_ocf_1_1(document: str) -> None:
    assert lint(document, "--relaxng", str(SCHEMA)).returncode == 0
    assert lint(document.replace("<version>1.1</version>", ""), "--relaxng", str(SCHEMA)).returncode != 0


@pytest.mark.skipif(not DTD_DIRECTORY.exists(), reason="the DTD comes with the package resource-agents")
def test_it_is_valid_by_the_dtd_that_ocf_tester_uses(document: str) -> None:
    result = lint(document, "--valid")
    assert result.returncode == 0, result.stderr


def test_every_declared_parameter_and_action_is_in_it(overlay_ip: ModuleType, document: str) -> None:
    root = ET.fromstring(document)
    assert [p.get("name") for p in root.iter("parameter")] == [p.name for p in overlay_ip.AGENT.parameters]
    assert [a.get("name") for a in root.iter("action")] == [a.name for a in overlay_ip.AGENT.actions]


def test_a_unique_parameter_is_marked_for_pcs_and_for_crmsh(document: str) -> None:
    ip = next(p for p in ET.fromstring(document).iter("parameter") if p.get("name") == "ip")
    assert (ip.get("unique"), ip.get("unique-group"), ip.get("required")) == ("1", "ip", "1")


def test_defaults_are_those_that_the_agent_uses(overlay_ip: ModuleType, document: str) -> None:
    values = overlay_ip.AGENT.read({})
    for parameter in ET.fromstring(document).iter("parameter"):
        content = parameter.find("content")
        assert content is not None
        if (default := content.get("default")) is not None:
            declared = next(p for p in overlay_ip.AGENT.parameters if p.name == parameter.get("name"))
            assert declared.parse(default) == getattr(values, declared.name)


def test_text_is_escaped() -> None:
    from ocf_aws.declare import Agent, Parameter

    parameter = Parameter("p", "a < b", 'c & "d"', default='"e" & <f>')
    root = ET.fromstring(metadata.xml(Agent("x", "s", "l", (parameter,), ())))
    content = root.find("parameters/parameter/content")
    assert content is not None and content.get("default") == '"e" & <f>'
