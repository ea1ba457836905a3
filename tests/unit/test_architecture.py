"""What the folders promise: who imports whom, one test file a module, and no parameter that is not declared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import CHECKOUT, load_agent
from ocf_aws.ocf.agent import Agent, ParameterValues

LIBRARY = CHECKOUT / "lib" / "ocf_aws"
AGENTS = sorted((CHECKOUT / "agents").iterdir())
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path.name != "__init__.py")

VALUES = {"ip", "record"}
EVERYTHING = {
    "aws",
    "kernel",
    "eni_state",
    "parameters",
    "threads",
    "child_process",
    "network_tools",
    "site_packages",
    "ocf",
    "cli",
} | VALUES
MAY_IMPORT = {
    "agents": EVERYTHING - {"cli"},
    "cli": EVERYTHING,
    "aws": {"aws", "parameters", "threads", "site_packages", "ocf"} | VALUES,
    "kernel": {"kernel", "site_packages", "ocf"} | VALUES,
    "eni_state": {"ocf"} | VALUES,
    "parameters": {"ocf"} | VALUES,
    "threads": {"ocf"},
    "child_process": {"ocf"},
    "network_tools": set(),
    "site_packages": set(),
    "ocf": {"ocf", "record"},
    "ip": {"record"},
    "record": set(),
}
"""The parts of the library that each part may know."""

DOORS = {
    "boto3": {"aws/session.py", "aws/loading.py"},
    "botocore": {"aws/session.py", "aws/loading.py"},
    "pyroute2": {"kernel/netlink.py"},
}
"""The modules that may import each library: session calls it, loading leaves out what nobody needs of it."""


def imports(source: str) -> Iterator[str]:
    """The dotted names of all that a source imports, those for type checking and inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(path: Path) -> str:
    if path.parent.name == "agents":
        return "agents"
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [*MODULES, *AGENTS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imports_run_downwards_only(path: Path) -> None:
    names = [name.split(".")[1] for name in imports(path.read_text()) if name.startswith("ocf_aws.")]
    assert set(names) - {"__version__"} <= MAY_IMPORT[part_of(path)]


@pytest.mark.parametrize("path", [*MODULES, *AGENTS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_each_library_of_others_has_one_door(path: Path) -> None:
    for name in imports(path.read_text()):
        door = DOORS.get(name.split(".")[0])
        assert door is None or str(path.relative_to(LIBRARY)) in door, f"{path.name} imports {name}"


def test_imports_inside_functions_are_seen_too() -> None:
    assert list(imports("def f():\n  if x:\n    from ocf_aws.kernel import link\nimport boto3")) == [
        "boto3",
        "ocf_aws.kernel.link",
    ]


# The command is tested as a process, in tests/cli.
@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) != "cli"], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_every_module_has_a_test_file_of_its_name(path: Path) -> None:
    inside = path.relative_to(LIBRARY)
    assert (CHECKOUT / "tests" / "unit" / inside.with_name(f"test_{inside.name}")).is_file()


def parameter_names(source: str) -> set[str]:
    """The attributes that a source reads of the parameters of a resource: `context.parameters.x`, and `p.x` after it."""
    found = set()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        nodes = list(ast.walk(function))
        short = {
            ast.unparse(node.targets[0])
            for node in nodes
            if isinstance(node, ast.Assign) and ast.unparse(node.value) == "context.parameters"
        }
        found |= {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"context.parameters", *short}
        }
    return found


def declared_names(agent: Agent) -> set[str]:
    """The parameters of an agent, and what all ParameterValues have."""
    return {p.name for p in agent.parameters} | set(dir(ParameterValues())) | set(vars(ParameterValues()))


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.name)
def test_an_agent_reads_only_parameters_that_it_declares(path: Path) -> None:
    agent = load_agent(path.name).AGENT
    assert len(parameter_names(path.read_text())) > 8
    assert parameter_names(path.read_text()) <= declared_names(agent)
    assert {name for action in agent.actions for name in action.needs} <= {p.name for p in agent.parameters}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_library_reads_only_parameters_that_both_agents_declare(path: Path) -> None:
    for agent in AGENTS:
        assert parameter_names(path.read_text()) <= declared_names(load_agent(agent.name).AGENT)


def test_a_misspelt_parameter_is_seen() -> None:
    source = "def stop(context):\n  p = context.parameters\n  if p.detach_on_stpo: print(context.parameters.eni)"
    assert parameter_names(source) == {"detach_on_stpo", "eni"}
    assert parameter_names((LIBRARY / "aws" / "client.py").read_text()) == {
        "region",
        "profile",
        "endpoint_url",
        "proxy",
        "api_timeout",
    }
