"""Where boto3 and pyroute2 are, for an interpreter that was started without `site` (-S), as an installed agent is.

What site does at each start, most of all the .pth files of other packages, takes 3 to 10 ms.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any


def load(name: str) -> Any:
    """A module of a package that the distribution or pip has installed. Raises ImportError."""
    from importlib import import_module

    find(name.partition(".")[0])
    return import_module(name)


def find(package: str) -> ModuleSpec:
    """Where a package is. Raises ImportError."""
    import site
    from importlib.machinery import PathFinder

    # It does its work by itself where the interpreter was started with it.
    if sys.flags.no_site:
        directories = site.getsitepackages()
        # In site's order: pip's packages come before the distribution's.
        sys.path[:] = [each for each in sys.path if each not in directories] + directories
    spec = PathFinder.find_spec(package)
    if spec is None and sys.flags.no_site:
        # What site does on top may be needed: for a virtual environment, or a directory that a .pth file names.
        site.main()
        spec = PathFinder.find_spec(package)
    if spec is None:
        raise ImportError(f"No module named '{package}'")
    return spec
