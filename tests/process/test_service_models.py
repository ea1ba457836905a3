"""The parts of botocore's models that an installation has: what is in them, and what happens without them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from ocf_aws.aws.loading import OPERATIONS
from vpclab.checkout import CHECKOUT
from vpclab.hosts.installation import Installation
from vpclab.hosts.single_node import PYTHON, SingleNode

CIDR = "192.168.10.10/32"


def test_they_have_every_call_that_the_library_makes() -> None:
    sources = [path.read_text() for path in (CHECKOUT / "lib/ocf_aws").rglob("*.py")]
    named = {name for source in sources for name in re.findall(r'(?:call|paginate)\(\s*"([a-z_]+)"', source)}
    called = {"".join(word.capitalize() for word in name.split("_")) for name in named}
    assert len(called) > 8
    assert called <= OPERATIONS["ec2"] | OPERATIONS["sts"]


def start(node: SingleNode, installation: Installation, **environ: str) -> set[str]:
    """Start an overlay IP; returns the modules and files that strace saw it open."""
    trace = node.directory / "trace"
    parameters = {"ip": "192.168.10.10", "routing_table": ",".join(node.vpc.route_tables.values())}
    prefix = ["strace", "-f", "-qq", "-e", "trace=open,openat", "-o", str(trace)]
    process = node.begin(
        installation.agent("aws-overlay-ip"), "start", parameters, prefix=prefix, timeout=60, environ=environ
    )
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert {node.holder(name, CIDR) for name in node.vpc.route_tables} == {node.eni}
    return set(re.findall(r'"([^"]*(?:service-2|/ec2)\.json[^"]*)".* = \d', trace.read_text()))


@pytest.fixture(autouse=True)
def source_dest_check_off(single_node: SingleNode) -> None:
    single_node.disable_source_dest_check()


def own(installation: Installation) -> Path:
    return installation.library / "ocf_aws/aws/service_models/ec2.json"


def test_a_start_reads_no_other_model_of_ec2(single_node: SingleNode, breakable: Installation) -> None:
    assert start(single_node, breakable) == {str(own(breakable))}


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"operations": {"ReplaceRoute": {}}}'])
def test_without_one_of_use_botocores_own_serves(
    text: str | None, single_node: SingleNode, breakable: Installation
) -> None:
    own(breakable).unlink() if text is None else own(breakable).write_text(text)
    assert any("service-2" in file for file in start(single_node, breakable))


def test_one_without_a_shape_is_of_no_use_either(single_node: SingleNode, breakable: Installation) -> None:
    model = json.loads(own(breakable).read_text())
    own(breakable).write_text(json.dumps({"operations": model["operations"]}))
    assert any("service-2" in file for file in start(single_node, breakable))


def test_one_of_the_users_own_comes_first(single_node: SingleNode, breakable: Installation) -> None:
    data = subprocess.run(
        [PYTHON, "-c", "import botocore, os; print(os.path.dirname(botocore.__file__))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    models = single_node.directory / "models"
    models.mkdir()
    for name in ("ec2", "sts"):
        os.symlink(f"{data}/data/{name}", models / name)
    opened = start(single_node, breakable, AWS_DATA_PATH=str(models))
    assert any(file.startswith(str(models)) for file in opened)
