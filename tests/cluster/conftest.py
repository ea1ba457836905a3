"""A lab, for tests that need a whole cluster: one for all tests of a module, healthy again before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vpclab.lab import Lab
from vpclab.plan import DEFAULT


@pytest.fixture(scope="module")
def lab(in_sandbox: None, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A VPC with a two-node cluster, fenced by fence_aws: across two availability zones, or by the module's PLAN.

    The nodes have the package of this checkout, and the distribution's Python, boto3 and pyroute2.
    """
    with Lab(getattr(request.module, "PLAN", DEFAULT), request.getfixturevalue("deb")) as lab:
        lab.fence()
        yield lab
