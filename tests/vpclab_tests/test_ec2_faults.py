"""The lab's EC2 fails as it is told to, for whom it is told to, and writes down who called."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError

from vpclab.ec2 import Ec2, effects
from vpclab.plan import BuiltVpc

OVERLAY = "192.168.7.7/32"


@pytest.fixture
def node(ec2: Ec2, hosts: dict[str, str]) -> Any:
    """node1's client."""
    return ec2.client(hosts["node1"])


@pytest.fixture
def route(vpc: BuiltVpc, hosts: dict[str, str]) -> dict[str, str]:
    """Parameters of a route to node1."""
    return {"RouteTableId": vpc.route_tables["a"], "DestinationCidrBlock": OVERLAY, "InstanceId": hosts["node1"]}


def holder(client: Any, route: dict[str, str]) -> str | None:
    """Whom a client sees the overlay address routed to."""
    answer = client.describe_route_tables(RouteTableIds=[route["RouteTableId"]])
    for each in answer["RouteTables"][0]["Routes"]:
        if each.get("DestinationCidrBlock") == OVERLAY:
            return str(each["InstanceId"])
    return None


def test_an_error_has_the_status_that_ec2_gives_it_and_an_id(ec2: Ec2, node: Any) -> None:
    with ec2.faults.add("Describe*", effect=effects.Error("RequestLimitExceeded")):
        with pytest.raises(ClientError) as caught:
            node.describe_vpcs()
    answer = caught.value.response
    assert answer["Error"]["Code"] == "RequestLimitExceeded"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert answer["ResponseMetadata"]["RequestId"] == ec2.calls[-1].request_id
    node.describe_vpcs()


def test_a_fault_catches_only_what_it_names(ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], node: Any) -> None:
    table = vpc.route_tables["a"]
    error = effects.Error("InternalError")
    ec2.faults.add("DescribeRouteTables", hosts["node1"], {"RouteTableId": table}, effect=error, times=1)
    ec2.client(hosts["node2"]).describe_route_tables(RouteTableIds=[table])
    ec2.operator().describe_route_tables(RouteTableIds=[table])
    node.describe_route_tables(RouteTableIds=[vpc.route_tables["b"]])
    node.describe_vpcs()
    with pytest.raises(ClientError):
        node.describe_route_tables(RouteTableIds=[vpc.route_tables["b"], table])
    node.describe_route_tables(RouteTableIds=[table])


def test_a_lost_answer_leaves_the_change_behind(ec2: Ec2, node: Any, route: dict[str, str]) -> None:
    with ec2.faults.add("CreateRoute", effect=effects.LostAnswer()):
        with pytest.raises(ConnectionClosedError):
            node.create_route(**route)
    assert holder(node, route) == route["InstanceId"]
    assert ec2.calls.named("CreateRoute")[0].outcome == "LostAnswer"


def test_a_reset_call_changes_nothing(ec2: Ec2, node: Any, route: dict[str, str]) -> None:
    with ec2.faults.add("CreateRoute", effect=effects.Reset()):
        with pytest.raises(ConnectionClosedError):
            node.create_route(**route)
    assert holder(node, route) is None


def test_a_cut_connection_ends_with_a_reset(ec2: Ec2, hosts: dict[str, str]) -> None:
    own = ec2.credentials(hosts["node1"])
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={own['AccessKeyId']}/20260101/eu-central-1/ec2/aws4_request",
        "X-Amz-Security-Token": own["Token"],
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection = http.client.HTTPConnection(ec2.endpoint.removeprefix("http://"), timeout=5)
    with ec2.faults.add(effect=effects.Reset()), pytest.raises(ConnectionResetError) as caught:
        connection.request("POST", "/", "Action=DescribeVpcs&Version=2016-11-15", headers)
        connection.getresponse()
    connection.close()
    # http.client has a subclass for a connection that ended in order.
    assert not isinstance(caught.value, http.client.RemoteDisconnected)


def test_the_page_of_a_proxy_is_an_error_or_an_empty_answer(ec2: Ec2, node: Any) -> None:
    with ec2.faults.add(effect=effects.Garbage()), pytest.raises(ClientError) as caught:
        node.describe_vpcs()
    assert caught.value.response["Error"]["Code"] == "502"
    with ec2.faults.add(effect=effects.Garbage(200, b"<html><p>Sign in")), pytest.raises(ResponseParserError):
        node.describe_vpcs()
    # A page that happens to be XML is an answer without content to botocore.
    with ec2.faults.add(effect=effects.Garbage(200)):
        assert "Vpcs" not in node.describe_vpcs()
    assert [call.outcome for call in ec2.calls.named("DescribeVpcs")] == ["Garbage"] * 3


def test_a_delay_is_served_before_the_call_is_executed(ec2: Ec2, node: Any, route: dict[str, str]) -> None:
    with ec2.faults.add("CreateRoute", effect=effects.Delay(0.2)):
        began = time.monotonic()
        node.create_route(**route)
    assert 0.2 <= time.monotonic() - began < 1


def test_a_hung_call_is_logged_at_once_and_let_go_with_its_fault(ec2: Ec2, node: Any) -> None:
    fault = ec2.faults.add("DescribeVpcs", effect=effects.Hang())
    failed: list[Exception] = []

    def call() -> None:
        try:
            node.describe_vpcs()
        except ConnectionClosedError as error:
            failed.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    deadline = time.monotonic() + 5
    while not ec2.calls.named("DescribeVpcs") and time.monotonic() < deadline:
        node.describe_subnets()
    assert ec2.calls.named("DescribeVpcs")[0].outcome == "Hang" and thread.is_alive()
    ec2.faults.remove(fault)
    thread.join(5)
    assert len(failed) == 1


def test_closing_lets_a_hung_call_go(region: Ec2, vpc: BuiltVpc) -> None:
    client = region.client(region.run_instance("node", vpc.subnets["a"]))
    region.faults.add(effect=effects.Hang())
    closing = threading.Timer(0.2, region.close)
    closing.start()
    with pytest.raises(ConnectionClosedError):
        client.describe_vpcs()
    closing.join()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ec2-")]


def test_a_stale_describe_tells_the_past_and_only_for_a_while(
    ec2: Ec2, hosts: dict[str, str], node: Any, route: dict[str, str]
) -> None:
    node.create_route(**route)
    with ec2.faults.add("Describe*", effect=effects.Stale(0.4)):
        assert holder(node, route) == hosts["node1"]
        node.replace_route(**{**route, "InstanceId": hosts["node2"]})
        changed = time.monotonic()
        assert holder(node, route) == hosts["node1"]
        assert holder(ec2.operator(), route) == hosts["node2"]
        while time.monotonic() < changed + 0.5 and holder(node, route) == hosts["node1"]:
            pass
        assert time.monotonic() > changed + 0.35
        assert holder(node, route) == hosts["node2"]


def test_the_log_tells_who_called_what_and_how_it_ended(
    ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], node: Any, route: dict[str, str]
) -> None:
    ec2.calls.clear()
    node.create_route(**route)
    with pytest.raises(ClientError):
        ec2.client(hosts["node2"]).create_route(**route)
    ec2.operator().describe_vpcs()
    assert [(call.caller, call.outcome) for call in ec2.calls] == [
        (hosts["node1"], "ok"),
        (hosts["node2"], "RouteAlreadyExists"),
    ]
    call = ec2.calls.by(hosts["node1"])[0]
    assert call.action == "CreateRoute" and call.parameters == route
    assert call.resources == (f"arn:aws:ec2:eu-central-1:123456789012:route-table/{route['RouteTableId']}",)
    assert call.user_agent.startswith("Bot") and abs(call.time - time.time()) < 10


def test_concurrent_calls_do_not_disturb_each_other(ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], node: Any) -> None:
    failures: list[str] = []

    def create(number: int) -> None:
        for each in range(10):
            cidr = f"172.16.{number}.{each}/32"
            try:
                node.create_route(
                    RouteTableId=vpc.route_tables["a"], DestinationCidrBlock=cidr, InstanceId=hosts["node1"]
                )
            except Exception as error:  # any failure at all is what this looks for
                failures.append(repr(error))

    threads = [threading.Thread(target=create, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    (table,) = [each for each in ec2.vpc().route_tables if each.id == vpc.route_tables["a"]]
    assert len(table.routes) == 80


@pytest.mark.parametrize("is_announced", [True, False])
def test_half_an_answer_is_no_answer(ec2: Ec2, node: Any, is_announced: bool) -> None:
    with ec2.faults.add(effect=effects.Truncated(is_announced)), pytest.raises(ResponseParserError):
        node.describe_vpcs()


def test_an_answer_that_drips_is_slow(ec2: Ec2, node: Any) -> None:
    with ec2.faults.add(effect=effects.Drip(0.001)):
        started = time.monotonic()
        assert node.describe_vpcs()["Vpcs"]
    assert time.monotonic() - started > 0.3


def test_a_fault_with_an_end_begins_with_the_first_call(ec2: Ec2, node: Any) -> None:
    ec2.faults.add(effect=effects.Error("InternalError"), seconds=0.5)
    time.sleep(0.6)
    for _ in range(2):
        with pytest.raises(ClientError):
            node.describe_vpcs()
    time.sleep(0.6)
    node.describe_vpcs()


def test_a_server_refuses_connections_and_takes_them_again(ec2: Ec2) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = free.getsockname()
    ec2.listen(socket.create_server(place))
    for _ in range(2):
        ec2.server.refuse(True)
        with pytest.raises(ConnectionRefusedError):
            http.client.HTTPConnection(*place, timeout=5).request("GET", "/")
        ec2.server.refuse(False)
        http.client.HTTPConnection(*place, timeout=5).request("GET", "/")
