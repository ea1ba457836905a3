"""How long a client gets no answer when an address moves.

An overlay IP: with our agent, and with aws-vpc-move-ip, in one lab. An ENI: beyond the time that EC2 itself takes.
"""

from __future__ import annotations

import statistics
import sys
from xml.etree import ElementTree

from vpclab.client.watch import Watch
from vpclab.lab import Lab
from vpclab.plan import ONE_ZONE
from vpclab.waiting import wait_until

AGENTS = {"today": "ocf:heartbeat:aws-vpc-move-ip", "ours": "ocf:aws:aws-overlay-ip"}
ADDRESSES = {"today": "192.168.10.20", "ours": "192.168.10.10"}
ENI_ADDRESS = "10.0.1.50"
WHAT = ("planned move", "node loss", "of it the start of the agent")


def main() -> None:
    """Measure, and print it all."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    compare_overlay_ip(times)
    beyond = statistics.median(measure_eni(times))
    print(f"{'ENI move, beyond its detach and attach':44} {'-':>12} {beyond:8.3f} s")


def compare_overlay_ip(times: int) -> None:
    """Measure an overlay IP with both agents, and print the table."""
    found: dict[tuple[str, str], list[float]] = {}
    with Lab() as lab:
        lab.fence()
        lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")
        for node in lab.nodes.values():
            node.write("root/.aws/config", "[default]\nregion = eu-central-1\noutput = text\n")
        for who, ip in ADDRESSES.items():
            for table in lab.route_tables.values():
                # The agent of today cannot create entries.
                lab.ec2.operator().create_route(
                    RouteTableId=table, DestinationCidrBlock=f"{ip}/32", NetworkInterfaceId=lab.primary_eni("node1")
                )
            with lab.watch(ip) as watch:
                found.update(measure(lab, watch, who, ip, times))
    print(f"{'outage seen by a client, 3 route tables':44} {'today':>10} {'ours':>10} {'ratio':>8}")
    for what in WHAT:
        theirs, ours = (statistics.median(found[what, who]) for who in AGENTS)
        print(f"{what:44} {theirs:8.3f} s {ours:8.3f} s {ours / theirs:8.3f}")


def measure(lab: Lab, watch: Watch, who: str, ip: str, times: int) -> dict[tuple[str, str], list[float]]:
    """The outages, in seconds, of planned moves and of node losses with one agent."""
    lab.cluster.pcs(
        *f"resource create ip {AGENTS[who]} ip={ip} interface=ens5".split(),
        "routing_table=" + ",".join(lab.route_tables.values()),
        *"op monitor interval=60 timeout=60".split(),
    )
    lab.cluster.settled()
    found: dict[tuple[str, str], list[float]] = {(what, who): [] for what in WHAT}

    def outage_while(what: str) -> None:
        old = lab.cluster.resource_runs_on("ip").pop()
        new = lab.other(old)
        start = watch.record.end
        if what == "planned move":
            lab.cluster.pcs("resource", "move", "ip", new)
        else:
            lab.nodes[old].off()
        # Whoever it is that answers next: a start that fails on the other node is part of the outage.
        wait_until(lambda: any(outage.after for outage in watch.outages(since=start)), 180, lab.cluster.status)
        lab.cluster.wait_online(120)
        lab.cluster.settled(120)
        found[what, who].append(sum(outage.seconds for outage in watch.outages(since=start)))
        if what == "node loss":
            # The rest is corosync, which notices, fence_aws, which makes sure, and Pacemaker.
            found[WHAT[2], who].append(start_seconds(lab, new))

    for what in WHAT[:2]:
        for _ in range(times):
            outage_while(what)
    lab.cluster.pcs("resource", "delete", "ip")
    lab.cluster.settled()
    return found


def start_seconds(lab: Lab, node: str) -> float:
    """How long the last start on a node took, by Pacemaker's history."""
    start = f"//node_state[@uname='{node}']//lrm_resource[@id='ip']/lrm_rsc_op[@operation='start']"
    operation = ElementTree.fromstring(lab.cluster.run("cibadmin", "--query", "--xpath", start))
    return int(operation.attrib["exec-time"]) / 1000


def measure_eni(times: int) -> list[float]:
    """The outages, in seconds, of planned moves of an ENI, less what EC2 takes to detach and attach it."""
    found = []
    with Lab(ONE_ZONE) as lab:
        lab.ec2.times.detach, lab.ec2.times.attach = 2.0, 2.0
        lab.fence()
        lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")
        eni = lab.create_eni("a", ENI_ADDRESS)
        with lab.watch(ENI_ADDRESS) as watch:
            lab.cluster.pcs(
                *f"resource create eni ocf:aws:aws-eni-move eni_id={eni} op monitor interval=60 timeout=60".split()
            )
            lab.cluster.settled()
            for _ in range(times):
                (old,) = lab.cluster.resource_runs_on("eni")
                new = lab.other(old)
                watch.wait_until_answers(ENI_ADDRESS, old, 60)
                start = watch.record.end
                lab.cluster.pcs("resource", "move", "eni", new)
                watch.wait_until_answers(ENI_ADDRESS, new, 60)
                lab.cluster.settled()
                outage = sum(outage.seconds for outage in watch.outages(since=start))
                found.append(outage - lab.ec2.times.detach - lab.ec2.times.attach)
    return found


if __name__ == "__main__":
    main()
