"""The policies in packaging/iam against the calls that are really made: each call has its right, each right its call."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vpclab.ec2.identity import ACCOUNT, NODE_ROLE
from vpclab.ec2.wildcards import matches
from vpclab.hosts.pci_hotplug import PciHotplug
from vpclab.hosts.single_node import SingleNode
from vpclab.plan import ONE_ZONE

POLICIES = Path(__file__).parents[2] / "packaging/iam"
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")

IP, CIDR = "192.168.10.10", "192.168.10.10/32"
TABLES = ("a", "b")
OWNER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/route-tables"
ACTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("validate-all", {"level": 10}),
    ("start", {}),
    ("monitor", {"interval": 10}),
    ("monitor", {"level": 10}),
    ("stop", {}),
)

Right = tuple[str, str]
"""An action, and the ARN of what it is allowed on."""


# --- policies ---------------------------------------------------------------------------------------------------------


def read_policy(single_node: SingleNode, name: str) -> dict[str, Any]:
    """A policy with the values of the emulated EC2 in the place of its placeholders."""
    values = {
        "PARTITION": "aws",
        "REGION": single_node.ec2.region,
        "ACCOUNT": ACCOUNT,
        "NODE_ROLE": NODE_ROLE,
        "OWNER_ACCOUNT": ACCOUNT,
        "OWNER_ROLE": OWNER_ROLE.rpartition("/")[2],
    }
    for number, table in enumerate(TABLES, 1):
        values[f"NODE{number}_ID"] = single_node.hosts[f"node{number}"]
        values[f"ENI_{number}"] = single_node.primary_eni(f"node{number}")
        values[f"ROUTE_TABLE_{number}"] = single_node.vpc.route_tables[table]
    # The ENI that no host has had from the start.
    values |= {"ENI": eni.id for eni in single_node.ec2.vpc().enis if eni.device_index != 0}
    text = (POLICIES / f"{name}.json").read_text()
    document: dict[str, Any] = json.loads(re.sub("@([A-Z0-9_]+)@", lambda found: values[found[1]], text))
    return document


def rights(policy: dict[str, Any]) -> set[Right]:
    """What a policy allows."""
    return {
        (action, resource)
        for statement in policy["Statement"]
        for action in texts(statement["Action"])
        for resource in texts(statement["Resource"])
    }


def texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def assert_all_used(single_node: SingleNode, policy: dict[str, Any], role: str | None = None) -> None:
    """Every right of a policy has served a call: for its action, on a resource of its kind (the other node has its own)."""
    served = {
        (action, kind(resource))
        for call in single_node.ec2.calls
        if call.role == role
        for action, resource in rights(policy)
        if action.partition(":")[2] == call.action and any(matches(resource, arn) for arn in call.resources)
    }
    assert {(action, kind(resource)) for action, resource in rights(policy)} == served


def kind(resource: str) -> str:
    return resource.rpartition("/")[0]


def assert_none_refused(single_node: SingleNode) -> None:
    """No call was made without a right."""
    assert single_node.ec2.calls
    refused = [call for call in single_node.ec2.calls if call.outcome in ("UnauthorizedOperation", "AccessDenied")]
    assert not refused


# --- overlay IP -------------------------------------------------------------------------------------------------------


def live(single_node: SingleNode, **parameters: str) -> None:
    """The life of an overlay IP that another node had: its entry is to be moved in the first table, made in the others."""
    tables = ",".join(single_node.vpc.route_tables[name] for name in TABLES)
    for action, how in ACTIONS:
        result = single_node.run("aws-overlay-ip", action, {"ip": IP, "routing_table": tables, **parameters}, **how)
        assert result.status == 0, result.reason
        assert "WARNING" not in result.stderr


def test_the_policy_for_the_defaults(single_node: SingleNode) -> None:
    policy = read_policy(single_node, "aws-overlay-ip")
    single_node.ec2.allow(single_node.instance_id, policy)
    single_node.disable_source_dest_check()
    single_node.create_route("a", CIDR, single_node.primary_eni("node2"))
    live(single_node)
    assert_none_refused(single_node)
    assert_all_used(single_node, policy)


def test_the_minimal_policy(single_node: SingleNode) -> None:
    policy = read_policy(single_node, "aws-overlay-ip-minimal")
    single_node.ec2.allow(single_node.instance_id, policy)
    for table in TABLES:
        single_node.create_route(table, CIDR, single_node.primary_eni("node2"))
    live(single_node, source_dest_check="ignore")
    assert_none_refused(single_node)
    assert_all_used(single_node, policy)


def test_the_policy_for_all_options(single_node: SingleNode) -> None:
    policy = read_policy(single_node, "aws-overlay-ip-all-options")
    single_node.ec2.allow(single_node.instance_id, policy)
    single_node.create_route("a", CIDR, single_node.primary_eni("node2"))
    live(single_node, source_dest_check="disable", delete_route_on_stop="true")
    assert_none_refused(single_node)
    assert_all_used(single_node, policy)


def test_the_policies_for_a_shared_vpc(single_node: SingleNode) -> None:
    nodes = read_policy(single_node, "aws-overlay-ip-shared-vpc-nodes")
    owner = read_policy(single_node, "aws-overlay-ip-shared-vpc-owner")
    single_node.ec2.allow(single_node.instance_id, nodes)
    single_node.ec2.allow(OWNER_ROLE, owner)
    single_node.disable_source_dest_check()
    single_node.create_route("a", CIDR, single_node.primary_eni("node2"))
    single_node.ec2.share([single_node.vpc.route_tables[table] for table in TABLES], OWNER_ROLE)
    live(single_node, routing_table_role=OWNER_ROLE)
    assert_none_refused(single_node)
    assert_all_used(single_node, nodes)
    assert_all_used(single_node, owner, OWNER_ROLE)


def test_the_owner_of_a_shared_vpc_trusts_the_nodes_and_nobody_else(single_node: SingleNode) -> None:
    (statement,) = read_policy(single_node, "aws-overlay-ip-shared-vpc-owner-trust")["Statement"]
    del statement["Sid"]
    nodes = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{NODE_ROLE}"}
    assert statement == {"Effect": "Allow", "Principal": nodes, "Action": "sts:AssumeRole"}


# --- ENI --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def plugged(single_node: SingleNode) -> Iterator[SingleNode]:
    """The instance, with the links of its ENIs."""
    hotplug = PciHotplug(single_node)
    yield single_node
    hotplug.close()


def create_eni(single_node: SingleNode, subnet: str) -> str:
    """An ENI in a subnet, attached to the other node. Returns its id."""
    operator = single_node.ec2.operator()
    answer = operator.create_network_interface(SubnetId=single_node.vpc.subnets[subnet])
    eni = str(answer["NetworkInterface"]["NetworkInterfaceId"])
    operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=single_node.hosts["node2"], DeviceIndex=1)
    return eni


def live_with(single_node: SingleNode, eni: str) -> None:
    """The life of an ENI that another node had and is slow to let go: then start asks EC2 whether that node runs."""
    for action, how in ACTIONS:
        single_node.ec2.times.detach = 0 if action == "stop" else 3
        result = single_node.run("aws-eni-move", action, {"eni_id": eni}, **how)
        assert result.status == 0, result.reason


@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
def test_the_policy_for_an_eni(plugged: SingleNode) -> None:
    single_node = plugged
    # In another subnet than the nodes, and to be deleted with its holder: then there is more to call.
    eni = create_eni(single_node, "clients")
    policy = read_policy(single_node, "aws-eni-move")
    single_node.ec2.allow(single_node.instance_id, policy)
    live_with(single_node, eni)
    operator = single_node.ec2.operator()
    attachment = operator.attach_network_interface(
        NetworkInterfaceId=eni, InstanceId=single_node.instance_id, DeviceIndex=1
    )
    operator.modify_network_interface_attribute(
        NetworkInterfaceId=eni,
        Attachment={"AttachmentId": attachment["AttachmentId"], "DeleteOnTermination": True},
    )
    live_with(single_node, eni)
    assert_none_refused(single_node)
    assert_all_used(single_node, policy)


@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
def test_the_minimal_policy_for_an_eni(plugged: SingleNode) -> None:
    single_node = plugged
    eni = create_eni(single_node, "a")
    policy = read_policy(single_node, "aws-eni-move-minimal")
    single_node.ec2.allow(single_node.instance_id, policy)
    live_with(single_node, eni)
    refused = {call.action for call in single_node.ec2.calls if call.outcome == "UnauthorizedOperation"}
    assert refused == {"DescribeInstanceTypes", "DescribeInstances"}
    assert_all_used(single_node, policy)


@pytest.mark.parametrize("name", ["aws-eni-move", "aws-eni-move-minimal"])
@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
def test_the_policies_for_an_eni_open_no_other_eni(plugged: SingleNode, name: str) -> None:
    single_node = plugged
    create_eni(single_node, "a")
    policy = read_policy(single_node, name)
    other = create_eni_of_others(single_node)
    single_node.ec2.allow(single_node.instance_id, policy)
    started = single_node.run("aws-eni-move", "start", {"eni_id": other})
    assert started.status == 4 and "ec2:AttachNetworkInterface" in started.reason


def create_eni_of_others(single_node: SingleNode) -> str:
    answer = single_node.ec2.operator().create_network_interface(SubnetId=single_node.vpc.subnets["a"])
    return str(answer["NetworkInterface"]["NetworkInterfaceId"])


# --- fencing ----------------------------------------------------------------------------------------------------------


def test_the_policy_for_fencing(single_node: SingleNode) -> None:
    policy = read_policy(single_node, "fence-aws")
    single_node.ec2.allow(single_node.instance_id, policy)
    for action in ("monitor", "status", "reboot"):
        command = [
            "fence_aws",
            f"--action={action}",
            f"--plug={single_node.hosts['node2']}",
            f"--region={single_node.ec2.region}",
        ]
        environment = {"PATH": "/usr/sbin:/usr/bin", "AWS_CA_BUNDLE": str(single_node.ca)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert_none_refused(single_node)
    assert_all_used(single_node, policy)


# --- partitions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.json")), ids=lambda path: path.stem)
def test_a_policy_is_right_in_all_partitions(path: Path) -> None:
    arns = re.findall('"(arn:[^"]*)"', path.read_text())
    assert all(arn.startswith("arn:@PARTITION@:") for arn in arns)
    for partition in PARTITIONS:
        text = path.read_text().replace("@PARTITION@", partition)
        for arn in re.findall('"(arn:[^"]*)"', text):
            assert re.fullmatch(f"arn:{partition}:(ec2:@REGION@|iam:):@[A-Z_]+@:[a-z-]+/@[A-Z0-9_]+@", arn)


def test_each_policy_and_each_placeholder_is_explained() -> None:
    readme = (POLICIES / "README.md").read_text()
    for path in POLICIES.glob("*.json"):
        assert f"`{path.name}`" in readme
        for placeholder in re.findall("@([A-Z0-9_]+)@", path.read_text()):
            assert f"`{placeholder}`" in readme
