"""The agents' executables, loaded as modules: their declarations and the functions that they start and check with."""

from __future__ import annotations

import os
import sys
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


def agent_path(name: str) -> Path:
    """Where the agent is: in the checkout that the library is part of, else where Pacemaker looks for it."""
    checkout = Path(ocf_aws.__file__).resolve().parents[2] / "agents" / name
    if checkout.is_file():
        return checkout
    return Path(os.environ.get("OCF_ROOT") or "/usr/lib/ocf", "resource.d/aws", name)


def load_agent(name: str) -> ModuleType:
    """The agent as a module; loading runs no action. Raises NotInstalled."""
    path = agent_path(name)
    if not path.is_file():
        raise NotInstalled(f"install resource-agents-aws: {path} is missing")
    return load_file(path)


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
