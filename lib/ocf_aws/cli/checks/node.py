"""Whether the agent can run on this node at all: user, parameters, Python and the libraries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from ocf_aws.cli.checks.remedies import delete_parameter
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed
from ocf_aws.kernel.netlink import require_pyroute2
from ocf_aws.ocf.errors import NotInstalled

CHECKS = Checks()

OLDEST_PYTHON = (3, 9)
OLDEST_BOTO3 = (1, 26)
OLDEST_PYROUTE2 = (0, 5, 14)


@CHECKS.add("root")
def check_root(facts: Facts) -> Finding:
    """Agents and half of what is checked need root."""
    if os.geteuid() != 0:
        return failed("not root: much cannot be seen", "sudo ocf-aws check")
    return passed("runs as root, as Pacemaker runs the agents")


@CHECKS.add("parameters")
def check_parameters(facts: Facts) -> Iterator[Finding]:
    """Is the definition right in itself?"""
    for text in facts.p.wrong.values():
        yield failed(text, f"crm_resource --show-metadata ocf:aws:{facts.definition.agent}")
    for name in facts.p.unknown:
        yield failed(
            f"{facts.definition.agent} has no parameter '{name}'",
            delete_parameter(facts, name),
        )
    idle = [p.name for p in facts.context.agent.parameters if not p.has_effect and p.name in facts.p.given]
    if not facts.p.wrong and not facts.p.unknown:
        yield passed("all right" + (f"; without effect: {', '.join(idle)}" if idle else ""))


@CHECKS.add("python")
def check_python(facts: Facts) -> Finding:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return failed(f"Python {version} is too old", "install Python 3.9 or newer")
    return passed(f"Python {version}")


@CHECKS.add("boto3")
def check_boto3(facts: Facts) -> Finding:
    """The AWS SDK."""
    install = "apt-get install python3-boto3   # RHEL, Fedora: dnf install python3-boto3; SLES: zypper install python311-boto3"
    failure = facts.failure("ec2")
    if isinstance(failure, NotInstalled):
        return failed(str(failure), install)
    boto3 = sys.modules.get("boto3")
    return _check_version("boto3", getattr(boto3, "__version__", ""), OLDEST_BOTO3, install)


@CHECKS.add("pyroute2")
def check_pyroute2(facts: Facts) -> Finding:
    """The library that encodes the routes and rules of a moved ENI."""
    if not facts.is_eni_move:
        return not_applicable("an overlay IP needs no pyroute2")
    install = "apt-get install python3-pyroute2   # RHEL: dnf install python3-pyroute2 (EPEL); SLES: zypper install python311-pyroute2"
    try:
        require_pyroute2()
    except NotInstalled as error:
        return failed(str(error), install)
    from importlib import metadata

    try:
        version = metadata.version("pyroute2")
    except metadata.PackageNotFoundError:
        version = ""
    return _check_version("pyroute2", version, OLDEST_PYROUTE2, install)


def _check_version(name: str, version: str, oldest: tuple[int, ...], install: str) -> Finding:
    numbers = tuple(int(word) for word in version.split(".")[:3] if word.isdecimal())
    if not numbers:
        return passed(f"{name} is installed; its version is not told")
    if numbers < oldest:
        return failed(f"{name} {version} is older than {'.'.join(map(str, oldest))}", install)
    return passed(f"{name} {version}")
