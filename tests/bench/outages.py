"""How long a client gets no answer when an address moves.

An overlay IP: with our agent, and with aws-vpc-move-ip, in one lab. An ENI: beyond the time that EC2 itself takes.
Usage: outages.py [--times N] RESULT.json
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ocf_aws.cli.outages.record import Outage
from vpclab.client.watch import Watch
from vpclab.ec2.effects import Delay
from vpclab.lab import Lab
from vpclab.plan import ONE_ZONE

AGENTS = {"today": "ocf:heartbeat:aws-vpc-move-ip", "ours": "ocf:aws:aws-overlay-ip"}
ADDRESSES = {"ours": "192.168.10.10", "today": "192.168.10.20"}
ENI_ADDRESS = "10.0.1.50"
Span = tuple[str, float, float]
"""What, from and to, in milliseconds."""

LATENCIES = (0, 50, 200)
"""Milliseconds that EC2 takes for a call of a planned move; with aws-vpc-move-ip, which takes seconds, the first alone."""

PLANNED_MOVE, NODE_LOSS = "planned move", "node loss"
PACEMAKER_PART = "planned move: Pacemaker, between the agent's stop and its start"
AGENT_PART = "node loss: from the begin of the agent's start"

Outages = dict[str, dict[str, list[float]]]
"""What a client saw, in seconds, by what happened and by agent."""


def main() -> None:
    """Measure, print it all, and write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("result", type=Path, help="file to write")
    options = parser.parse_args()
    result = compare_overlay_ip(options.times)
    beyond = statistics.median(measure_eni(options.times))
    print(f"{'ENI move, beyond its detach and attach':44} {'-':>12} {beyond:8.3f} s")
    result["eni"], result["times"] = beyond, options.times
    options.result.parent.mkdir(parents=True, exist_ok=True)
    options.result.write_text(json.dumps(result, indent=1) + "\n")


def compare_overlay_ip(times: int) -> dict[str, Any]:
    """Measure an overlay IP with both agents, and print the table; returns it, with a timeline of each kind of move."""
    timelines: dict[str, list[Span]] = {}
    found: Outages = {}
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
                measure(lab, watch, who, times, found, timelines)
    print(f"{'outage seen by a client, 3 route tables':64} {'today':>10} {'ours':>10}")
    rows = []
    for what, by_agent in found.items():
        row = {who: statistics.median(seconds) for who, seconds in by_agent.items()}
        print(f"{what:64} " + " ".join(f"{row[who]:8.3f} s" if who in row else f"{'-':>10}" for who in AGENTS))
        rows.append({"what": what, **row})
    return {"table": rows, "timelines": [{"name": what, "spans": spans} for what, spans in timelines.items()]}


def measure(lab: Lab, watch: Watch, who: str, times: int, found: Outages, timelines: dict[str, list[Span]]) -> None:
    """Find the outages of planned moves and of node losses with one agent."""
    lab.cluster.pcs(
        *f"resource create ip {AGENTS[who]} ip={ADDRESSES[who]} interface=ens5".split(),
        "routing_table=" + ",".join(lab.route_tables.values()),
        *"op monitor interval=60 timeout=60".split(),
    )
    lab.cluster.settled()

    def note(what: str, seconds: float) -> None:
        found.setdefault(what, {}).setdefault(who, []).append(seconds)

    def draw(what: str, ordered: float, outage: Outage) -> None:
        if who == "ours":
            timelines[what] = timeline(lab, ordered, outage)

    def move(what: str) -> None:
        ordered, outages = outage_while(lab, watch, lambda old, new: lab.cluster.pcs("resource", "move", "ip", new))
        outage = outages[-1]
        note(what, sum(each.seconds for each in outages))
        if what == PLANNED_MOVE:
            _, stopped = _operation(lab, outage.before, ordered, "stop")
            started, _ = _operation(lab, str(outage.after), ordered, "start")
            if stopped and started:
                note(PACEMAKER_PART, started - stopped)
            draw(what, ordered, outage)

    def lose_node() -> None:
        ordered, outages = outage_while(lab, watch, lambda old, new: lab.nodes[old].off())
        outage = outages[-1]
        note(NODE_LOSS, sum(each.seconds for each in outages))
        # The rest is corosync, which notices, fence_aws, which makes sure, and Pacemaker.
        started, _ = _operation(lab, str(outage.after), ordered, "start")
        if started:
            note(AGENT_PART, outage.end - started)
        draw(NODE_LOSS, ordered, outage)

    for milliseconds in LATENCIES if who == "ours" else LATENCIES[:1]:
        with lab.ec2.faults.add(effect=Delay(milliseconds / 1000)):
            for _ in range(times):
                move(f"{PLANNED_MOVE}, {milliseconds} ms a call" if milliseconds else PLANNED_MOVE)
    for _ in range(times):
        lose_node()
    lab.cluster.pcs("resource", "delete", "ip")
    lab.cluster.settled()


def outage_while(lab: Lab, watch: Watch, act: Callable[[str, str], object]) -> tuple[float, list[Outage]]:
    """Let the address leave the node that has it. Returns when that was ordered (wall clock) and the outages.

    act: called with the node that has the address, and with the other one.
    """
    old = lab.cluster.resource_runs_on("ip").pop()
    since, ordered = watch.record.end, time.time()
    lab.ec2.calls.clear()
    act(old, lab.other(old))
    # Whoever it is that answers next: a start that fails on the other node is part of the outage.
    lab.cluster.wait_until(lambda: any(outage.after for outage in watch.outages(since=since)), 180)
    lab.cluster.wait_online(120)
    lab.cluster.settled(120)
    return ordered, watch.outages(since=since)


def timeline(lab: Lab, ordered: float, outage: Outage) -> list[Span]:
    """What happened from the order on, in milliseconds: Pacemaker by its logs, EC2 by its calls, the client by its packets."""
    new = str(outage.after)
    calls = [call for call in lab.ec2.calls if call.caller == lab.nodes[new].id and "ocf-aws" in call.user_agent]
    moments = sorted(call.time for call in calls if ordered < call.time < outage.end)
    lost = _moment(lab, new, ordered, "state is now lost")
    fenced = _moment(lab, new, ordered, "was terminated")
    stop, stopped = _operation(lab, outage.before, ordered, "stop")
    start, started = _operation(lab, new, ordered, "start")
    first = moments[0] if moments else None
    spans = [
        ("corosync: the node is lost", ordered, lost),
        ("Pacemaker: fencing", lost, fenced),
        ("Pacemaker: until the stop", ordered if lost is None else None, stop),
        ("agent: stop", stop, stopped),
        ("Pacemaker: until the start", stopped if lost is None else fenced, start),
        ("agent: interpreter, imports, IMDS", start, first),
        *((f"EC2: {call.action}", call.time, call.time) for call in calls if call.time in moments),
        ("agent: start", start, started),
        ("client: no answer", outage.start, outage.end),
    ]
    return [
        (what, max(0.0, begin - ordered) * 1000, max(0.0, end - ordered) * 1000)
        for what, begin, end in spans
        if begin is not None and end is not None
    ]


def _operation(lab: Lab, node: str, since: float, action: str) -> tuple[float | None, float | None]:
    """When an operation on the resource began and ended on a node, by Pacemaker's log; None where it did not."""
    begun = _moment(lab, node, since, f"Requesting local execution of {action} operation for ip")
    return begun, _moment(lab, node, since, f"Result of {action} operation for ip")


def _moment(lab: Lab, node: str, since: float, words: str) -> float | None:
    """When Pacemaker wrote these words on a node for the first time since then; None if it did not."""
    return next((moment for moment, line in log_lines(lab, node, since) if words in line), None)


def log_lines(lab: Lab, node: str, since: float) -> Iterator[tuple[float, str]]:
    """What Pacemaker wrote on a node, with the time of each line on the wall clock (seconds)."""
    path = lab.nodes[node].root / "var/log/pacemaker/pacemaker.log"
    year = time.localtime(since).tm_year
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        stamp = re.match(r"(\w{3} \d\d \d\d:\d\d:\d\d)(\.\d+)?", line)
        if stamp:
            moment = time.mktime(time.strptime(f"{year} {stamp[1]}", "%Y %b %d %H:%M:%S")) + float(stamp[2] or 0)
            if moment >= since - 0.001:
                yield moment, line


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
