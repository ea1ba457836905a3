"""An emulated EC2 for each test, with the default plan's VPC in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vpclab.ec2 import Ec2
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
