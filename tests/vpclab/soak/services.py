"""The two resources of the soak, one for each agent, with the values of the examples but for shorter intervals."""

from __future__ import annotations

from dataclasses import dataclass

from vpclab.lab import Lab

# Short intervals, so that monitors meet every fault.
_OPERATIONS = (
    "op start timeout=180 op stop timeout=180 op monitor interval=5 timeout=60"
    " op monitor interval=11 timeout=60 OCF_CHECK_LEVEL=10"
)
_META = "meta failure-timeout=600 migration-threshold=3"


@dataclass(frozen=True)
class Service:
    """A resource and its address."""

    resource: str
    address: str


OVERLAY_IP = Service("ip", "192.168.10.10")
ENI = Service("eni", "10.0.1.50")
SERVICES = (OVERLAY_IP, ENI)


def create(lab: Lab) -> None:
    """Create both resources in a lab whose nodes are in one zone."""
    lab.ec2.times.attach, lab.ec2.times.detach = 1.0, 1.0
    tables = ",".join(lab.route_tables.values())
    lab.cluster.pcs(*"resource defaults update resource-stickiness=1000".split())
    for service, definition in (
        (OVERLAY_IP, f"ocf:aws:aws-overlay-ip ip={OVERLAY_IP.address} routing_table={tables}"),
        (ENI, f"ocf:aws:aws-eni-move eni_id={lab.create_eni('a', ENI.address)} force_detach=after"),
    ):
        lab.cluster.pcs(*f"resource create {service.resource} {definition} {_OPERATIONS} {_META}".split())
