"""What the cluster does now: what `crm_mon` answers, as values."""

from __future__ import annotations

from dataclasses import dataclass
from socket import gethostname
from xml.etree import ElementTree

from ocf_aws.cli.cluster.commands import run
from ocf_aws.ocf.errors import Unknown


@dataclass(frozen=True)
class ResourceStatus:
    """What Pacemaker thinks of a resource: its role, the nodes that it runs on, and the reasons of failures."""

    role: str
    nodes: tuple[str, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class ClusterStatus:
    """What crm_mon tells. local: the name of this node. online: nodes. resources: by name."""

    local: str
    online: frozenset[str]
    unclean: frozenset[str]
    has_quorum: bool
    resources: dict[str, ResourceStatus]


def query_status() -> ClusterStatus:
    """The status now. Raises Unknown."""
    root = ElementTree.fromstring(run("crm_mon", "-1", "-r", "--output-as=xml"))
    try:
        local = run("crm_node", "--name").strip()
    except Unknown:
        # What a node is called where nobody says otherwise ("Node names", Pacemaker Explained).
        local = gethostname()
    nodes = root.findall("nodes/node")
    failures: dict[str, list[str]] = {}
    for failure in root.iterfind("failures/failure"):
        resource, task = failure.get("op_key", "").rsplit("_", 2)[0], failure.get("task", "")
        reason = failure.get("exitreason") or failure.get("exitstatus", "")
        failures.setdefault(resource, []).append(f"{task} on {failure.get('node', '')}: {reason}")
    resources: dict[str, ResourceStatus] = {}
    for found in root.iter("resource"):
        name = found.get("id", "").partition(":")[0]
        before = resources.get(name)
        names = tuple(node.get("name", "") for node in found.iterfind("node")) if found.get("active") == "true" else ()
        role = "Failed" if found.get("failed") == "true" else found.get("role", "Unknown")
        resources[name] = ResourceStatus(
            role if not before or names else before.role,
            (before.nodes if before else ()) + names,
            tuple(failures.get(name, ())),
        )
    dc = root.find("summary/current_dc")
    return ClusterStatus(
        local,
        frozenset(n.get("name", "") for n in nodes if n.get("online") == "true"),
        frozenset(n.get("name", "") for n in nodes if n.get("unclean") == "true"),
        dc is not None and dc.get("with_quorum") == "true",
        resources,
    )
