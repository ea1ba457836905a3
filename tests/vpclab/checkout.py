"""This checkout: where it is, and packages of it as it is, committed or not."""

from __future__ import annotations

import fcntl
import re
import shutil
from pathlib import Path

from vpclab.command import run

CHECKOUT = Path(__file__).parents[2]
PYTHONPATH = f"{CHECKOUT}/lib:{CHECKOUT}/tests"
"""For a program that needs the library and the lab."""


def build(directory: Path, version: str, *targets: str) -> Path:
    """Build targets of the Makefile, as that version; returns the directory of what came of it.

    What `make` said is in `make.log` beside that directory. Whoever asks for the same directory at the same time waits, and gets what the first one built.
    """
    directory.mkdir(exist_ok=True)
    with open(f"{directory}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "dist").exists():
            _copy(directory, version)
            (directory / "make.log").write_text(run("make", *targets, cwd=directory))
    return directory / "dist"


def _copy(directory: Path, version: str) -> None:
    """The checkout as a repository with one commit: what is not committed is not built."""
    listed = run("git", "-C", CHECKOUT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        if (CHECKOUT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, directory / name)
    init = directory / "lib/ocf_aws/__init__.py"
    init.write_text(re.sub('__version__ = ".*"', f'__version__ = "{version}"', init.read_text()))
    run("git", "init", "--quiet", cwd=directory)
    run("git", "add", "--all", cwd=directory)
    run(*"git -c user.name=test -c user.email=test@localhost commit --quiet -m all".split(), cwd=directory)
