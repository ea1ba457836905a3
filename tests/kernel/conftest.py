"""A network namespace for each test, and each interpreter that has pyroute2."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from kernel.namespaces import INTERPRETERS, Namespace


@pytest.fixture
def namespace(in_sandbox: None) -> Iterator[Namespace]:
    """A node with nothing but lo."""
    namespace = Namespace()
    yield namespace
    namespace.close()


@pytest.fixture(params=INTERPRETERS)
def python(request: pytest.FixtureRequest) -> str:
    interpreter = INTERPRETERS[request.param]
    if subprocess.run([interpreter, "-c", "import pyroute2"], capture_output=True).returncode != 0:
        pytest.skip(f"{interpreter} has no pyroute2")
    return interpreter
