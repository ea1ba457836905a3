"""A kernel with state in place of this machine's."""

from __future__ import annotations

import pytest

from ocf_aws.kernel import address, link, policy_routing
from unit.fakes.kernel import FakeKernel


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """What the modules that read and change the kernel's tables see."""
    kernel = FakeKernel()
    for module in (address, link, policy_routing):
        monkeypatch.setattr(module, "dump", kernel.dump)
    monkeypatch.setattr(policy_routing, "encode", kernel.encode)
    return kernel
