"""The agents of a checkout as `make install` leaves them, in a directory of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from vpclab.checkout import CHECKOUT
from vpclab.hosts.single_node import PYTHON


class Installation:
    """What `make install` makes. directory: a fresh one. checkout: this one, or another revision's."""

    def __init__(self, directory: Path, checkout: Path = CHECKOUT):
        self._agents = directory / "agents"
        self.library = directory / "lib"
        places = {
            "AGENTDIR": self._agents,
            "SITELIB": self.library,
            "SBINDIR": directory / "sbin",
            "COMPLETIONDIR": directory / "completions",
            "MANDIR": directory,
            "DOCDIR": directory / "doc",
        }
        words = [f"{name}={path}" for name, path in places.items()]
        subprocess.run(["make", "-C", checkout, "install", f"PYTHON={PYTHON}", *words], check=True, capture_output=True)

    def agent(self, name: str) -> str:
        """The path of an agent."""
        return str(self._agents / name)
