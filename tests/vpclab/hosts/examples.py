"""The configurations in packaging/examples, loaded on a node of a lab as their first lines say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from subprocess import CompletedProcess

from vpclab.checkout import CHECKOUT
from vpclab.lab import Lab

EXAMPLES = CHECKOUT / "packaging/examples"
SUFFIXES = (".pcs.sh", ".crm")

# Crmsh 4 does not know all attributes that Pacemaker 2.1 has. An example may have more nodes than the lab.
_EXPECTED = r"unknown attribute 'critical'|referenced node node\d does not exist"


def fill(lab: Lab, text: str, values: Mapping[str, str]) -> str:
    """An example with the ids and names of the lab, and these values, in the place of its placeholders.

    Raises KeyError with a placeholder that has no value.
    """
    known = {"REGION": lab.plan.region, "ROUTE_TABLES": ",".join(lab.route_tables.values()), **values}
    for number, node in enumerate(lab.nodes.values(), 1):
        known |= {f"NODE{number}": node.name, f"NODE{number}_ID": node.id}
    text = re.sub("@([A-Z0-9_]+)@", lambda found: known[found[1]], text)
    # Older versions of fence_aws do not know it.
    if "skip_os_shutdown" not in lab.cluster.run("fence_aws", "-o", "metadata"):
        text = text.replace("skip_os_shutdown=true ", "")
    return text


def run(lab: Lab, file: str, text: str, check: bool = True) -> CompletedProcess[str]:
    """Load a configuration under the name of its file, whose suffix tells with which tool.

    Raises RuntimeError with what it said if it fails.
    """
    node = lab.nodes["node1"]
    node.write(f"root/{file}", text)
    command = ("sh",) if file.endswith(".sh") else ("crm", "configure", "load", "update")
    return node.run(*command, f"/root/{file}", check=check)


def load(lab: Lab, file: str, values: Mapping[str, str]) -> None:
    """Load an example, filled in; AssertionError where the crm shell says anything."""
    told = run(lab, file, fill(lab, (EXAMPLES / file).read_text(), values))
    if file.endswith(".crm"):
        assert [line for line in (told.stdout + told.stderr).splitlines() if not re.search(_EXPECTED, line)] == []
