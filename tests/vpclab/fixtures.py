"""Fixtures of the lab, for a conftest.py to import: an emulated EC2 for each test, and a single node.

They load moto, so tests that need nothing but Python do not import them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vpclab.ec2 import Ec2
from vpclab.hosts.single_node import SingleNode
from vpclab.plan import DEFAULT, ONE_ZONE, BuiltVpc, build_vpc, run_hosts


@pytest.fixture
def region() -> Iterator[Ec2]:
    """An emulated region with nothing in it."""
    ec2 = Ec2(DEFAULT.region)
    yield ec2
    ec2.close()


@pytest.fixture
def vpc(region: Ec2) -> BuiltVpc:
    """The ids of the default plan's VPC, which is in `ec2`."""
    return build_vpc(region, DEFAULT)


@pytest.fixture
def ec2(region: Ec2, vpc: BuiltVpc) -> Ec2:
    """The emulated region with the default plan's VPC, subnets and route tables."""
    region.calls.clear()
    return region


@pytest.fixture
def hosts(ec2: Ec2, vpc: BuiltVpc) -> dict[str, str]:
    """The default plan's instances, by name."""
    return run_hosts(ec2, DEFAULT, vpc)


@pytest.fixture
def neighbours(ec2: Ec2, vpc: BuiltVpc) -> dict[str, str]:
    """Instances by name, with both nodes in one zone."""
    return run_hosts(ec2, ONE_ZONE, vpc)


@pytest.fixture
def single_node(in_sandbox: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SingleNode]:
    """This sandbox as one instance of a VPC, by the plan that the test is parametrized with, if any."""
    with SingleNode(tmp_path, getattr(request, "param", DEFAULT)) as node:
        yield node
