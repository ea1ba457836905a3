"""Where packages are, for an interpreter without `site`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ocf_aws
from ocf_aws import site_packages

LIBRARY = Path(ocf_aws.__file__).parents[1]
PROGRAM = """
import sys
sys.path.append(sys.argv[1])
from ocf_aws.site_packages import load
print(load("pytest").__name__, sys.flags.no_site)
"""


def test_an_interpreter_without_site_finds_what_pip_has_installed() -> None:
    command = [sys.executable, "-ISc", PROGRAM, str(LIBRARY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "pytest 1\n", done.stderr


def test_a_package_that_is_nowhere_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="No module named 'nowhere'"):
        site_packages.find("nowhere")


def test_a_package_is_looked_for_on_the_path_of_python_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("value = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert site_packages.load("mine").value == 7
