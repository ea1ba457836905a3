"""A lab, for tests that need a whole cluster: one for all tests of a module, healthy again before each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from vpclab import sandbox
from vpclab.lab import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A VPC with a two-node cluster across two availability zones, fenced by fence_aws."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a lab is made of namespaces")
    if not sandbox.inside():
        pytest.skip("needs a sandbox: run `make test`, or python3 tests/vpclab/sandbox.py pytest ...")
    with Lab() as lab:
        lab.fence()
        yield lab
