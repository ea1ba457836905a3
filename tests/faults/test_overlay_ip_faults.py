"""aws-overlay-ip when EC2, STS or IMDS fail: what the table of promises does not tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vpclab.ec2 import effects
from vpclab.hosts.single_node import Result, SingleNode

IP = "192.168.10.10"
CIDR = f"{IP}/32"


@pytest.fixture
def act(single_node: SingleNode) -> Callable[..., Result]:
    """Runs an action of a resource with an entry in all three tables; the address and the entries are at node2."""
    single_node.disable_source_dest_check()
    for table in single_node.vpc.route_tables:
        single_node.create_route(table, CIDR, single_node.primary_eni("node2"))
    parameters = {"ip": IP, "routing_table": " ".join(single_node.vpc.route_tables.values()), "api_timeout": "1"}

    def run(action: str, **how: Any) -> Result:
        return single_node.run("aws-overlay-ip", action, {**parameters, **how.pop("parameters", {})}, **how)

    return run


def test_a_healthy_resource_stays_up_through_ten_monitors(single_node: SingleNode, act: Callable[..., Result]) -> None:
    assert act("start").status == 0
    kill = single_node.ec2.faults.add(effect=effects.Reset())
    parameters = {"api_timeout": "1"}
    assert [act("monitor", interval=10, parameters=parameters).status for _ in range(10)] == [0] * 10
    single_node.ec2.faults.remove(kill)
    assert "WARNING" not in act("monitor", interval=10).stderr


@pytest.mark.parametrize("times", [1, 2])
def test_a_start_gets_over_a_hiccup(single_node: SingleNode, act: Callable[..., Result], times: int) -> None:
    single_node.ec2.faults.add("DescribeRouteTables", effect=effects.Error("RequestLimitExceeded", 503), times=times)
    assert act("start", parameters={"api_timeout": "10"}).status == 0


@pytest.mark.parametrize("effect", [effects.LostAnswer(), effects.Reset(), effects.Error("Unavailable", 503)])
def test_a_write_without_an_answer_is_looked_at_before_it_is_written_again(
    single_node: SingleNode, act: Callable[..., Result], effect: effects.Effect
) -> None:
    table = {"RouteTableId": single_node.vpc.route_tables["a"]}
    single_node.ec2.faults.add("ReplaceRoute", where=table, effect=effect, times=1)
    assert act("start").status == 0
    mine = [
        c
        for c in single_node.ec2.calls.by(single_node.instance_id)
        if c.action in ("ReplaceRoute", "DescribeRouteTables")
    ]
    writes = [i for i, c in enumerate(mine) if c.action == "ReplaceRoute" and c.parameters.items() >= table.items()]
    looks = [i for i, c in enumerate(mine) if c.action == "DescribeRouteTables"]
    # What EC2 tells may be old; a second write does no harm.
    assert len(writes) == 2 and any(writes[0] < look < writes[1] for look in looks)
    assert single_node.holder("a", CIDR) == single_node.eni


def take_away(single_node: SingleNode) -> None:
    """Let all tables lead to node2, of which EC2 tells this node only after a minute: until then, that they lead here."""
    operator = single_node.ec2.operator()
    for eni in (single_node.eni, single_node.primary_eni("node2")):
        for table_id in single_node.vpc.route_tables.values():
            operator.replace_route(RouteTableId=table_id, DestinationCidrBlock=CIDR, NetworkInterfaceId=eni)
        if eni == single_node.eni:
            caller = single_node.instance_id
            single_node.ec2.faults.add("DescribeRouteTables", caller, effect=effects.Stale(60))


def throttle(single_node: SingleNode, *actions: str, seconds: float | None = None) -> None:
    """Let EC2 refuse these actions of this node, for so many seconds after the first one."""
    for action in actions:
        effect = effects.Error("RequestLimitExceeded", 503)
        single_node.ec2.faults.add(action, single_node.instance_id, effect=effect, seconds=seconds)


@pytest.mark.parametrize("api_timeout", ["1", "10"])
def test_a_start_believes_no_old_answer_before_a_write_is_accepted(
    single_node: SingleNode, act: Callable[..., Result], api_timeout: str
) -> None:
    throttle(single_node, "ReplaceRoute", "DescribeRouteTables", seconds=3)
    take_away(single_node)
    result = act("start", parameters={"api_timeout": api_timeout})
    assert result.status == 0 and result.seconds > 3, result
    assert {single_node.holder(name, CIDR) for name in single_node.vpc.route_tables} == {single_node.eni}


@pytest.mark.parametrize(
    "effect",
    [effects.Error("RequestLimitExceeded", 503), effects.Error("InternalError", 500), effects.Hang()],
    ids=["throttled", "failing", "silent"],
)
def test_a_start_that_cannot_write_succeeds_where_the_routes_lead_here(
    single_node: SingleNode, act: Callable[..., Result], effect: effects.Effect
) -> None:
    # As after a restart on the same node: a start that fails would ban it.
    assert act("start").status == act("stop").status == 0
    single_node.ec2.calls.clear()
    single_node.ec2.faults.add("ReplaceRoute", single_node.instance_id, effect=effect)
    result = act("start", timeout=20)
    assert result.status == 0 and "was not written" in result.stderr, result
    assert len(single_node.ec2.calls.named("ReplaceRoute")) <= 3 * 8


def test_a_start_writes_no_more_once_all_its_writes_are_accepted(
    single_node: SingleNode, act: Callable[..., Result]
) -> None:
    # The attempts go on until the check is off.
    throttle(single_node, "DescribeNetworkInterfaces", "ModifyNetworkInterfaceAttribute", seconds=3)
    result = act("start", parameters={"source_dest_check": "disable"})
    assert result.status == 0 and result.seconds > 3, result
    assert len(single_node.ec2.calls.named("ReplaceRoute")) == 3


def test_reads_that_lag_behind_the_write_are_waited_for(single_node: SingleNode, act: Callable[..., Result]) -> None:
    single_node.ec2.faults.add("DescribeRouteTables", effect=effects.Stale(1.5))
    result = act("start")
    assert result.status == 0 and result.seconds > 1.5
    assert len(single_node.ec2.calls.named("ReplaceRoute")) == 3


def test_a_start_whose_write_never_shows_fails_in_time_and_says_so(
    single_node: SingleNode, act: Callable[..., Result]
) -> None:
    single_node.ec2.faults.add("DescribeRouteTables", effect=effects.Stale(60))
    result = act("start", timeout=14)
    assert result.status == 1 and "was written, but EC2 still says" in result.reason


def test_imds_that_forgets_its_token_is_asked_for_another(single_node: SingleNode, act: Callable[..., Result]) -> None:
    single_node.imds.forget_tokens()
    assert act("start").status == 0


def test_imds_is_never_asked_through_a_proxy(single_node: SingleNode, act: Callable[..., Result]) -> None:
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    assert act("start", environ=proxy).status == 0


def test_a_proxy_that_is_dead_is_named(single_node: SingleNode, act: Callable[..., Result]) -> None:
    result = act("start", parameters={"proxy": "http://127.0.0.1:9"})
    assert result.status == 1 and "proxy" in result.reason.lower()


def test_a_name_that_does_not_resolve_is_a_reason(single_node: SingleNode, act: Callable[..., Result]) -> None:
    result = act("start", parameters={"endpoint_url": "https://nowhere.invalid"})
    assert result.status == 1 and "nowhere.invalid" in result.reason


def test_a_secret_is_in_no_message(single_node: SingleNode, act: Callable[..., Result]) -> None:
    single_node.ec2.allow(single_node.instance_id, {"Statement": []})
    result = act("start", environ={"HA_debug": "1"})
    credentials = single_node.ec2.credentials(single_node.instance_id)
    for secret in ("SecretAccessKey", "Token"):
        assert credentials[secret] not in result.stderr + result.stdout


def test_a_library_that_is_missing_is_named(
    single_node: SingleNode, act: Callable[..., Result], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from vpclab.checkout import CHECKOUT

    assert act("start").status == 0
    broken = tmp_path_factory.mktemp("broken")
    for module in ("boto3", "pyroute2"):
        (broken / f"{module}.py").write_text(f"raise ImportError('No module named {module}')")
    without = {"PYTHONPATH": f"{broken}:{CHECKOUT / 'lib'}"}
    assert act("monitor", interval=10, environ=without).status == 0
    assert act("stop", environ=without).status == 0
    assert act("monitor", environ=without).status == 7
    for action, level in (("start", 0), ("validate-all", 10)):
        result = act(action, level=level, environ=without)
        assert result.status == 5 and "install python3-boto3" in result.reason
    assert act("validate-all", environ=without).status == 0
