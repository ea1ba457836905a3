"""Which node has an address, according to the cluster, the kernels, EC2 and the client together."""

from __future__ import annotations

import ipaddress

from vpclab.client.watch import Watch
from vpclab.hosts.cluster import Cluster
from vpclab.lab import Lab
from vpclab.waiting import wait_until


def wait_served_by(lab: Lab, watch: Watch, node: str, resource: str, ip: str, timeout: float = 90) -> None:
    """Wait until all four agree that this node, and no other, has the address of this resource.

    Raises TimeoutError with the view of each.
    """
    # In a partition, only the node that is to have the address knows.
    cluster = lab.cluster.seen_by(node)

    def views() -> dict[str, set[str | None]]:
        return _views(lab, watch, cluster, resource, ip)

    wait_until(
        lambda: all(view == {node} for view in views().values()), timeout, lambda: f"{views()} {cluster.status()}"
    )


def find_server(lab: Lab, watch: Watch, resource: str, ip: str) -> str | None:
    """The node that has the address of this resource if all four agree on one; None where they do not."""
    views = list(_views(lab, watch, lab.cluster, resource, ip).values())
    return views[0].pop() if len(views[0]) == 1 and all(view == views[0] for view in views) else None


def _views(lab: Lab, watch: Watch, cluster: Cluster, resource: str, ip: str) -> dict[str, set[str | None]]:
    """The hosts that have the address, as each of the four sees it."""
    cidr = f"{ip}/{ipaddress.ip_address(ip).max_prefixlen}"
    return {
        "cluster": set(cluster.resource_runs_on(resource)),
        "kernels": {name for name in lab.nodes if has_address(lab, name, cidr)},
        "EC2": _known_to_ec2(lab, cidr),
        "client": {watch.answering(ip)},
    }


def _known_to_ec2(lab: Lab, cidr: str) -> set[str | None]:
    """The hosts to which EC2 sends an address: by the ENI that has it, or by the route tables."""
    for eni in lab.ec2.vpc().enis:
        if cidr.partition("/")[0] in eni.addresses:
            return {lab.eni_holder(eni.id)}
    return set(lab.holders(cidr).values())


def has_address(lab: Lab, node: str, cidr: str) -> bool:
    """Whether the kernel of a node has an address, given with its prefix length."""
    try:
        shown = lab.instances[node].run("ip", "-oneline", "address", "show").stdout
    except RuntimeError:
        return False  # the node has no power
    return f" {cidr} " in shown
