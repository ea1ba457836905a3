"""Many resources at a time, and both nodes at a time."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from faults.conftest import IS_WHOLE
from faults.subjects import wait
from vpclab.ec2 import effects
from vpclab.ec2.identity import ACCOUNT
from vpclab.hosts.pair import Node, Pair
from vpclab.hosts.single_node import Result, SingleNode
from vpclab.plan import ONE_ZONE

IP, CIDR = "192.168.10.10", "192.168.10.10/32"
AT_A_TIME = 4
"""Actions that Pacemaker runs at a time on a node with two cores (node-action-limit)."""

SECONDS = 300
INTERVAL = 10
RESOURCES = 40
ROLE = f"arn:aws:iam::{ACCOUNT}:role/route-tables"

# Burst and calls a second for each call of an account in a region ("Request throttling", EC2 developer guide).
QUOTAS = {
    "DescribeRouteTables": (100, 20),
    "DescribeNetworkInterfaces": (100, 20),
    "CreateRoute": (50, 5),
    "ReplaceRoute": (50, 5),
}


@pytest.fixture
def pair(in_sandbox: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with SingleNode(tmp_path_factory.mktemp("pair"), ONE_ZONE) as single, Pair(single, ONE_ZONE) as pair:
        for node in pair.nodes.values():
            single.ec2.operator().modify_network_interface_attribute(
                NetworkInterfaceId=node.eni, SourceDestCheck={"Value": False}
            )
        yield pair


def overlay(pair: Pair, ip: str = IP, **more: str) -> dict[str, str]:
    return {"ip": ip, "routing_table": pair.single.vpc.route_tables["a"], **more}


def both(pair: Pair, agent: str, parameters: dict[str, str]) -> list[Result]:
    """Both nodes start at once."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda node: node.run(agent, "start", parameters, timeout=20), pair.nodes.values()))


def holding(pair: Pair, agent: str, parameters: dict[str, str]) -> list[str]:
    """The nodes where the resource runs."""
    return [n.name for n in pair.nodes.values() if n.run(agent, "monitor", parameters, interval=10).status == 0]


# --- both nodes -------------------------------------------------------------------------------------------------------


def test_one_node_has_the_address_when_both_start_at_once_and_monitors_tell_the_other(pair: Pair) -> None:
    parameters = overlay(pair)
    assert {result.status for result in both(pair, "aws-overlay-ip", parameters)} <= {0, 1}
    (winner,) = holding(pair, "aws-overlay-ip", parameters)
    loser = pair.other(pair.nodes[winner])
    assert loser.run("aws-overlay-ip", "monitor", parameters, interval=10).status == 1
    assert loser.run("aws-overlay-ip", "stop", parameters).status == 0
    assert holding(pair, "aws-overlay-ip", parameters) == [winner]


def test_one_node_has_the_eni_when_both_start_at_once_and_the_other_can_be_stopped(pair: Pair) -> None:
    pair.single.ec2.times.attach = pair.single.ec2.times.detach = 0.3
    eni = pair.single.ec2.operator().create_network_interface(
        SubnetId=pair.single.vpc.subnets["a"], PrivateIpAddress="10.0.1.50"
    )["NetworkInterface"]["NetworkInterfaceId"]
    parameters = {"eni_id": eni}
    assert {result.status for result in both(pair, "aws-eni-move", parameters)} <= {0, 1}
    first, second = pair.nodes.values()
    assert len(holding(pair, "aws-eni-move", parameters)) <= 1
    assert second.run("aws-eni-move", "stop", parameters).status == 0
    assert first.run("aws-eni-move", "start", parameters, timeout=20).status == 0
    assert holding(pair, "aws-eni-move", parameters) == [first.name]


def test_a_deletion_that_ec2_does_after_the_stop_is_over_is_seen_and_mended(pair: Pair) -> None:
    """A stop waits 10 s for its best effort; what EC2 has taken by then, it may do later: no call can be taken back."""
    first, second = pair.nodes.values()
    parameters = overlay(pair, delete_route_on_stop="true")
    assert first.run("aws-overlay-ip", "start", parameters).status == 0
    with pair.single.ec2.faults.add("DeleteRoute", caller=first.instance_id, effect=effects.Delay(14)):
        stopped = first.run("aws-overlay-ip", "stop", parameters, timeout=20)
        assert stopped.status == 0 and "not all routes are deleted" in stopped.stderr and stopped.seconds < 12
        assert second.run("aws-overlay-ip", "start", parameters).status == 0
        wait(lambda: not pair.single.holder("a", CIDR), 20)
    monitored = second.run("aws-overlay-ip", "monitor", parameters, interval=10)
    assert monitored.status == 1 and "has no route for it" in monitored.reason
    assert second.run("aws-overlay-ip", "start", parameters).status == 0
    assert holding(pair, "aws-overlay-ip", parameters) == [second.name]


def test_a_start_replaces_a_route_that_a_late_stop_deletes_meanwhile(pair: Pair) -> None:
    first, second = pair.nodes.values()
    parameters = overlay(pair, delete_route_on_stop="true")
    assert first.run("aws-overlay-ip", "start", parameters).status == 0
    # The survivor has read the table when the stop deletes the route, and replaces what is not there any more.
    with pair.single.ec2.faults.add("ReplaceRoute", caller=second.instance_id, effect=effects.Delay(3), times=1):
        with ThreadPoolExecutor(1) as threads:
            started = threads.submit(second.run, "aws-overlay-ip", "start", parameters)
            wait(lambda: bool(second_is_writing(pair, second)), 20)
            assert first.run("aws-overlay-ip", "stop", parameters).status == 0
            assert started.result().status == 0
    assert holding(pair, "aws-overlay-ip", parameters) == [second.name]


def second_is_writing(pair: Pair, node: Node) -> bool:
    return bool(pair.single.holder("a", CIDR)) and bool(node.ip(f"address show to {CIDR}"))


# --- many resources ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not IS_WHOLE, reason="takes minutes: FAULTS=all")
@pytest.mark.parametrize("share", [1, 0.1], ids=["AWS's rates", "a tenth of AWS's rates"])
@pytest.mark.parametrize("role", ["", ROLE], ids=["own tables", "shared tables"])
def test_no_resource_of_forty_fails_under_quotas(pair: Pair, share: float, role: str) -> None:
    node, ec2, imds = pair.nodes["node1"], pair.single.ec2, pair.single.imds
    ips = [f"192.168.10.{number}" for number in range(1, RESOURCES + 1)]
    for action, (burst, rate) in QUOTAS.items():
        ec2.faults.add(action, effect=effects.Quota(burst * share, rate * share))
    more = {}
    if role:
        more["routing_table_role"] = role
        ec2.share([pair.single.vpc.route_tables["a"]], role)

    def act(action: str, ip: str) -> Result:
        interval = INTERVAL if action == "monitor" else 0
        return node.run("aws-overlay-ip", action, overlay(pair, ip, **more), timeout=180, interval=interval)

    with ThreadPoolExecutor(AT_A_TIME) as threads:
        started = list(threads.map(lambda ip: act("start", ip), ips))
        assert not [each for each in started if each.status], started
        ec2.calls.clear()
        imds.calls.clear()
        found: list[Result] = []
        end = time.monotonic() + SECONDS
        while (begin := time.monotonic()) < end:
            found += threads.map(lambda ip: act("monitor", ip), ips)
            time.sleep(max(0.0, min(end, begin + INTERVAL) - time.monotonic()))
    took = time.monotonic() - end + SECONDS
    calls = Counter(call.action for call in ec2.calls)
    throttled = sum(call.outcome == "RequestLimitExceeded" for call in ec2.calls)
    print(
        f"{len(found)} monitors in {took:.0f} s;",
        ", ".join(f"{action} {count / took * 60:.0f}" for action, count in calls.items()),
        f"a minute, {throttled} throttled; IMDS {len(imds.calls) / took * 60:.0f} a minute",
    )
    assert not [each for each in found if each.status]
    assert sum(calls.values()) - throttled <= len(found) * (2 if role else 1), "more than one look for a monitor"


def test_quotas_are_those_of_a_token_bucket(pair: Pair) -> None:
    pair.single.ec2.faults.add("DescribeVpcs", effect=effects.Quota(3, 2))
    client = pair.single.ec2.client(pair.nodes["node1"].instance_id)
    outcomes = []
    for _ in range(5):
        try:
            outcomes.append(bool(client.describe_vpcs()))
        except client.exceptions.ClientError as error:
            outcomes.append(error.response["Error"]["Code"] != "RequestLimitExceeded")
    assert outcomes == [True, True, True, False, False]
    subprocess.run(["sleep", "0.6"], check=True)
    assert client.describe_vpcs()
