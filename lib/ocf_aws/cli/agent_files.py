"""The agents, loaded as modules: their declarations and the functions that they start and check with."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import ocf_aws
from ocf_aws.ocf.agent import Agent
from ocf_aws.ocf.errors import NotInstalled

OVERLAY_IP = "aws-overlay-ip"
ENI_MOVE = "aws-eni-move"
AGENTS = (OVERLAY_IP, ENI_MOVE)


def load_agent(name: str) -> ModuleType:
    """The agent as a module; loading runs no action. Raises NotInstalled."""
    # In a checkout it is an executable; `make install` puts it beside the library as a module.
    executable = Path(ocf_aws.__file__).resolve().parents[2] / "agents" / name
    if executable.is_file():
        return load_file(executable)
    try:
        return import_module(f"ocf_aws.{name.replace('-', '_')}")
    except ImportError as error:
        raise NotInstalled(f"install resource-agents-aws: {name} cannot be loaded ({error})") from error


def load_file(path: Path) -> ModuleType:
    """An executable without a suffix as a module."""
    # Its bytecode would lie beside it, where Pacemaker takes each file for an agent.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader = SourceFileLoader(path.name.replace("-", "_"), str(path))
        spec = spec_from_loader(loader.name, loader)
        assert spec is not None
        module = module_from_spec(spec)
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def declaration(module: ModuleType) -> Agent:
    """The declaration in an agent's module."""
    agent: Agent = module.AGENT
    return agent
