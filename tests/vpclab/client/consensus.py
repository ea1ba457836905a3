"""Who has an address: one answer from the cluster, the kernels, EC2 and the client, or none yet."""

from __future__ import annotations

import ipaddress

from vpclab.client.watch import Watch
from vpclab.lab import Lab
from vpclab.waiting import wait_until


def wait_served_by(lab: Lab, watch: Watch, node: str, resource: str, ip: str, timeout: float = 90) -> None:
    """Wait until all agree that this node, and no other, has the address of this resource.

    Raises TimeoutError that tells who says what.
    """
    cidr = f"{ip}/{ipaddress.ip_address(ip).max_prefixlen}"
    # Where nodes do not see each other, the one that is to have it is the one to ask.
    cluster = lab.cluster.seen_by(node)

    def views() -> dict[str, object]:
        return {
            "cluster": cluster.resource_runs_on(resource),
            "kernels": {name for name in lab.nodes if has_address(lab, name, cidr)},
            "EC2": _known_to_ec2(lab, cidr),
            "client": {watch.answering(ip)},
        }

    wait_until(
        lambda: all(view == {node} for view in views().values()), timeout, lambda: f"{views()} {cluster.status()}"
    )


def _known_to_ec2(lab: Lab, cidr: str) -> set[str | None]:
    """The hosts to which EC2 sends packets for an address: one that an ENI has, or an overlay IP, by the route tables."""
    for eni in lab.ec2.vpc().enis:
        if cidr.partition("/")[0] in eni.addresses:
            return {lab.eni_holder(eni.id)}
    return set(lab.holders(cidr).values())


def has_address(lab: Lab, node: str, cidr: str) -> bool:
    """Whether the kernel of a node has an address, given with its prefix length."""
    try:
        shown = lab.instances[node].run("ip", "-oneline", "address", "show").stdout
    except RuntimeError:
        return False  # it has no power
    return f" {cidr} " in shown
