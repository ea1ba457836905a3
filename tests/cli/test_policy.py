"""`ocf-aws policy`: the policy of a resource with real ids, which is enough, and no more than that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vpclab.checkout import CHECKOUT
from vpclab.ec2.identity import ACCOUNT, NODE_ROLE
from vpclab.plan import ONE_ZONE

IP = "192.168.10.10"
OWNER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/route-tables"


def live(node: Any, parameters: dict[str, str]) -> None:
    for action, how in (("validate-all", {"level": 10}), ("start", {}), ("monitor", {"level": 10}), ("stop", {})):
        result = node.lab.run("aws-overlay-ip", action, {"ip": IP, "routing_table": node.tables(), **parameters}, **how)
        assert result.status == 0, result.reason
        assert "WARNING" not in result.stderr


@pytest.mark.parametrize(
    "parameters",
    [{}, {"source_dest_check": "disable", "delete_route_on_stop": "true"}, {"create_route": "false"}],
    ids=["defaults", "all-options", "without-creating"],
)
def test_the_policy_is_enough_for_the_life_of_the_resource(node: Any, parameters: dict[str, str]) -> None:
    node.create_cluster(**parameters)
    node.create_routes("node2")
    told = node.run("policy", "rsc_ip")
    assert (told.status, told.stderr) == (0, "")
    policy = json.loads(told.stdout)
    node.lab.ec2.allow(node.lab.instance_id, policy)
    live(node, parameters)


def test_it_names_this_account_and_no_more(node: Any) -> None:
    node.create_cluster(source_dest_check="disable")
    told = node.run("policy", "rsc_ip", "--fencing")
    policy = json.loads(told.stdout)
    named = {arn for statement in policy["Statement"] for arn in listed(statement["Resource"])}
    ids = [
        *node.tables().split(","),
        node.lab.eni,
        node.lab.primary_eni("node2"),
        node.lab.hosts["node1"],
        node.lab.hosts["node2"],
    ]
    assert {arn.rpartition("/")[2] for arn in named} == {"*", *ids}
    assert all(arn == "*" or arn.startswith(f"arn:aws:ec2:eu-central-1:{ACCOUNT}:") for arn in named)


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def test_what_is_not_known_stands_between_two_at_signs(node: Any) -> None:
    told = node.run("policy", *node.overlay_ip(source_dest_check="disable"))
    assert told.status == 3
    assert "@ENI_2@" in told.stdout and "@ENI_2@" in told.stderr
    node.lab.imds.dead.add(node.lab.instance_id)
    told = node.run("policy", *node.overlay_ip())
    assert "arn:@PARTITION@:ec2:@REGION@:@ACCOUNT@:route-table/" in told.stdout


def test_a_table_that_is_not_named_stands_between_two_at_signs(node: Any) -> None:
    told = node.run("policy", "aws-overlay-ip", f"ip={IP}")
    assert told.status == 3 and "route-table/@ROUTE_TABLE@" in told.stdout and "@ROUTE_TABLE@" in told.stderr


def test_each_node_whose_instance_is_not_known_has_a_word_of_its_own(node: Any) -> None:
    node.create_cluster(source_dest_check="disable")
    node.edit_cib('<node id="2" uname="node2"/>', '<node id="2" uname="node2"/><node id="3" uname="node3"/>')
    told = node.run("policy", "rsc_ip", "--fencing")
    assert told.status == 3
    for word in ("@NODE3_ID@", "@ENI_3@"):
        assert word in told.stdout and word in told.stderr
    assert node.lab.hosts["node2"] in told.stdout and "@NODE2_ID@" not in told.stdout


def test_it_names_the_enis_that_carry_the_address(node: Any) -> None:
    enis = node.serve_by_second_enis()
    node.set(source_dest_check="disable")
    (statement,) = (
        each for each in json.loads(node.run("policy", "rsc_ip").stdout)["Statement"] if "Off" in each["Sid"]
    )
    assert {arn.rpartition("/")[2] for arn in statement["Resource"]} == set(enis.values())


@pytest.mark.parametrize(
    "more, told",
    [
        ({"routing_tables": "rtb-1"}, "unknown parameter 'routing_tables'"),
        ({"routing_table_role": "foo"}, "'foo' is not the ARN of an IAM role"),
    ],
)
def test_no_policy_is_printed_for_a_definition_that_is_wrong(node: Any, more: dict[str, str], told: str) -> None:
    result = node.run("policy", *node.overlay_ip(**more))
    assert (result.status, result.stdout) == (2, "") and told in result.stderr


def test_a_shared_vpc_gives_both_halves_and_the_trust(node: Any) -> None:
    node.create_cluster(routing_table_role=OWNER_ROLE)
    node.lab.ec2.share(node.tables().split(","), OWNER_ROLE)
    told = node.run("policy", "rsc_ip", "--output", "json")
    nodes, owner, trust = told.results
    assert [each["role"] for each in (nodes, owner, trust)] == [NODE_ROLE, "route-tables", "route-tables"]
    assert trust["document"]["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{NODE_ROLE}"}
    node.lab.ec2.allow(node.lab.instance_id, nodes["document"])
    node.lab.ec2.allow(OWNER_ROLE, owner["document"])
    live(node, {"routing_table_role": OWNER_ROLE})


def test_tables_by_tag_are_allowed_by_tag(node: Any) -> None:
    told = node.run("policy", *node.overlay_ip(routing_table="tag:cluster=prd"))
    written = json.loads(told.stdout)["Statement"][1]
    assert written["Resource"] == f"arn:aws:ec2:eu-central-1:{ACCOUNT}:route-table/*"
    assert written["Condition"] == {"StringEquals": {"aws:ResourceTag/cluster": "prd"}}


def test_the_policy_with_check_makes_check_pass(node: Any) -> None:
    node.create_cluster()
    node.create_routes()
    told = node.run("policy", "rsc_ip", "--fencing", "--with-check")
    node.lab.ec2.allow(node.lab.instance_id, json.loads(told.stdout))
    checked = node.check("rsc_ip")
    assert checked.statuses() == {"passed", "not applicable"}, [f for f in checked.results if f["status"] == "unknown"]


@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
def test_the_policy_of_an_eni(node: Any) -> None:
    answer = node.lab.ec2.operator().create_network_interface(SubnetId=node.lab.vpc.subnets["a"])
    eni = answer["NetworkInterface"]["NetworkInterfaceId"]
    node.create_cluster("aws-eni-move", eni_id=eni)
    policy = json.loads(node.run("policy", "rsc_ip").stdout)
    moved = next(each for each in policy["Statement"] if each["Sid"] == "MoveEni")
    assert [arn.rpartition("/")[2] for arn in moved["Resource"]] == [
        node.lab.hosts["node1"],
        node.lab.hosts["node2"],
        eni,
    ]
    minimal = json.loads(node.run("policy", "rsc_ip", "--minimal").stdout)
    assert len(minimal["Statement"]) == 2


def test_cloudformation_takes_the_template(node: Any, tmp_path: Path) -> None:
    node.create_cluster()
    template = tmp_path / "template.json"
    template.write_text(node.run("policy", "rsc_ip", "--format", "cloudformation").stdout)
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, "--", template], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_terraform_gets_the_same_statements(node: Any) -> None:
    node.create_cluster(source_dest_check="disable")
    shown = node.run("policy", "rsc_ip", "--format", "terraform").stdout
    assert shown.startswith('data "aws_iam_policy_document" "rsc_ip" {\n  statement {\n')
    assert shown.count("{") == shown.count("}")
    assert 'variable = "ec2:Attribute"' in shown and f'role   = "{NODE_ROLE}"' in shown
    for table in node.tables().split(","):
        assert f":route-table/{table}" in shown


def test_the_files_of_the_package_are_made_by_it() -> None:
    environ = {"PYTHONPATH": "lib:packaging/man", "PATH": "/usr/bin:/bin"}
    script = ["/usr/bin/python3", "-B", "packaging/man/iam_policies.py", "packaging/iam", "--check"]
    done = subprocess.run(script, cwd=CHECKOUT, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
