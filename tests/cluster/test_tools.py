"""What administrators' tools make of the agents as they are installed on a node."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from vpclab.hosts.instance import Instance
from vpclab.lab import Lab
from vpclab.plan import ONE_ZONE

PLAN = ONE_ZONE
"""Of the module's lab."""

CHECKOUT = Path(__file__).parents[2]
INSTALLED = sorted(path.name for path in (CHECKOUT / "agents").iterdir())
DIRECTORY = "/usr/lib/ocf/resource.d/aws"
SCHEMA = "/usr/share/pcs/data/ocf-1.1.rng"


@dataclass(frozen=True)
class Agent:
    """An agent, and what is right and wrong for it on a node of the lab.

    right: all that a definition needs. wrong: a parameter that is wrong in itself, with its reason. unfit: one that is
    wrong on this node or in this VPC, with its reason.
    """

    name: str
    right: Callable[[Lab], dict[str, str]]
    wrong: tuple[dict[str, str], str]
    unfit: tuple[dict[str, str], str]


AGENTS = [
    Agent(
        "aws-overlay-ip",
        lambda lab: {"ip": "192.168.10.10", "routing_table": ",".join(lab.route_tables.values())},
        ({"ip": "192.168.10.999"}, "parameter 'ip': '192.168.10.999' is not an IPv4 or IPv6 address"),
        ({"ip": "10.0.77.7"}, "ip 10.0.77.7 lies inside the VPC (10.0.0.0/16)"),
    ),
    Agent(
        "aws-eni-move",
        functools.cache(lambda lab: {"eni_id": lab.create_eni("a", "10.0.1.50", "10.0.1.51", "2001:db8:100:1::50")}),
        ({"eni_id": "eni-banana"}, "parameter 'eni_id': 'eni-banana' is not the id of an ENI"),
        ({"eni_id": "eni-0123456789abcdef0"}, "parameter 'eni_id': EC2 knows no ENI eni-0123456789abcdef0"),
    ),
]
each_agent = pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)


@pytest.fixture
def node(lab: Lab) -> Instance:
    """A node of the cluster."""
    return lab.nodes["node1"]


def pairs(parameters: dict[str, str]) -> list[str]:
    """Parameters as tools take them."""
    return [f"{name}={value}" for name, value in parameters.items()]


def validate(node: Instance, agent: str, level: int, parameters: dict[str, str]) -> tuple[int, str]:
    """The exit status and the words of `crm_resource --validate`."""
    options = [word for pair in pairs(parameters) for word in ("--option", pair)]
    done = node.run(
        *f"crm_resource --validate={level} --class ocf --provider aws --agent {agent}".split(), *options, check=False
    )
    return done.returncode, done.stdout + done.stderr


# --- what it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["nobody", "hacluster"])
@pytest.mark.parametrize("agent", INSTALLED)
def test_meta_data_is_valid_for_a_user_without_rights(node: Instance, agent: str, user: str) -> None:
    told = node.run(
        "setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups", f"{DIRECTORY}/{agent}", "meta-data"
    )
    checked = node.run("xmllint", "--noout", "--relaxng", SCHEMA, "-", input=told.stdout)
    assert "- validates" in checked.stderr
    assert not told.stderr


@pytest.mark.parametrize("agent", INSTALLED)
def test_pcs_describes_it(node: Instance, agent: str) -> None:
    told = node.run("pcs", "resource", "describe", f"ocf:aws:{agent}")
    assert told.stdout.startswith(f"ocf:aws:{agent} - ") and "Resource options:" in told.stdout
    assert "Warning" not in told.stderr


@pytest.mark.parametrize("agent", INSTALLED)
def test_crm_describes_it(node: Instance, agent: str) -> None:
    told = node.run("crm", "ra", "info", f"ocf:aws:{agent}").stdout
    assert f"ocf:aws:{agent}" in told and "Operations' defaults (advisory minimum):" in told


# --- whether it keeps the contract ------------------------------------------------------------------------------------


@each_agent
def test_ocf_tester_passes(lab: Lab, node: Instance, agent: Agent) -> None:
    options = [word for pair in pairs(agent.right(lab)) for word in ("-o", pair)]
    told = node.run("ocf-tester", "-n", "test", *options, f"{DIRECTORY}/{agent.name}", check=False)
    assert told.stdout.endswith("passed all tests\n"), told.stdout + told.stderr


# --- whether a definition is right ------------------------------------------------------------------------------------


@each_agent
def test_crm_resource_tells_right_from_wrong(lab: Lab, node: Instance, agent: Agent) -> None:
    assert validate(node, agent.name, 0, agent.right(lab))[0] == 0
    assert validate(node, agent.name, 10, agent.right(lab))[0] == 0
    for level in (0, 10):
        status, words = validate(node, agent.name, level, agent.right(lab) | agent.wrong[0])
        assert status == 6 and agent.wrong[1] in words
    assert validate(node, agent.name, 0, agent.right(lab) | agent.unfit[0])[0] == 0
    status, words = validate(node, agent.name, 10, agent.right(lab) | agent.unfit[0])
    assert status == 2 and agent.unfit[1] in words


@each_agent
def test_crm_ra_validate_tells_right_from_wrong(lab: Lab, node: Instance, agent: Agent) -> None:
    node.run("crm", "ra", "validate", f"ocf:aws:{agent.name}", *pairs(agent.right(lab)))
    told = node.run(
        "crm", "ra", "validate", f"ocf:aws:{agent.name}", *pairs(agent.right(lab) | agent.wrong[0]), check=False
    )
    assert told.returncode != 0 and agent.wrong[1] in told.stdout + told.stderr


@each_agent
def test_pcs_creates_what_is_right_and_nothing_else(lab: Lab, node: Instance, agent: Agent) -> None:
    create = ["pcs", "resource", "create", "--agent-validation", "validated", f"ocf:aws:{agent.name}"]
    told = node.run(*create, *pairs(agent.right(lab) | agent.wrong[0]), check=False)
    assert told.returncode != 0 and agent.wrong[1] in told.stderr
    node.run(*create, *pairs(agent.right(lab)))
    try:
        lab.cluster.wait_until(lambda: len(lab.cluster.resource_runs_on("validated")) == 1, 60)
        verified = node.run("crm_verify", "--live-check", "-V", check=False)
        assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
        assert not lab.cluster.failures()
    finally:
        node.run("pcs", "resource", "delete", "validated")
