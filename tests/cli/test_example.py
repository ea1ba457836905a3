"""`ocf-aws example`: configurations filled in from the cluster and the VPC."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from cli.conftest import unread_pipe
from vpclab.checkout import CHECKOUT

EXAMPLES = CHECKOUT / "packaging/examples"


@pytest.mark.parametrize("shell, suffix", [("pcs", ".pcs.sh"), ("crm", ".crm")])
def test_the_list_has_each_file(node: Any, shell: str, suffix: str) -> None:
    told = node.run("example", "--list", "--with", shell, "--output", "json")
    assert {f"{each['name']}{suffix}" for each in told.results} == {path.name for path in EXAMPLES.glob(f"*{suffix}")}
    assert all(each["title"] for each in told.results)


def test_ids_names_and_tables_are_those_of_this_place(node: Any) -> None:
    node.create_cluster()
    told = node.run("example", "postgresql", "--with", "crm")
    assert told.status == 3 and "--set OVERLAY_IP=..." in told.stderr
    assert f'pcmk_host_map="node1:{node.lab.hosts["node1"]};node2:{node.lab.hosts["node2"]}"' in told.stdout
    assert all(table in told.stdout for table in node.tables().split(","))
    told = node.run(
        "example", "postgresql", "--with", "crm", "--set", "OVERLAY_IP=172.16.52.1", "--set", "PGBIN=/usr/bin",
        "--set", "PGDATA=/data", "--set", "PGCONFIG=/data/postgresql.conf", "--set", "PGTMP=/data/tmp",
    )  # fmt: skip
    assert (told.status, told.stderr) == (0, "")
    assert "@" not in told.stdout.replace("two @:", "")


def test_the_main_table_is_named_where_a_subnet_uses_it_without_naming_it(node: Any) -> None:
    node.create_cluster()
    operator = node.lab.ec2.operator()
    vpc_id = operator.describe_subnets()["Subnets"][-1]["VpcId"]
    in_vpc = {"Name": "vpc-id", "Values": [vpc_id]}
    is_main = {"Name": "association.main", "Values": ["true"]}
    (table,) = operator.describe_route_tables(Filters=[in_vpc, is_main])["RouteTables"]
    assert table["RouteTableId"] not in node.run("example", "postgresql").stdout
    operator.create_subnet(VpcId=vpc_id, CidrBlock="10.0.77.0/24", AvailabilityZone="eu-central-1a")
    assert table["RouteTableId"] in node.run("example", "postgresql").stdout


def test_a_name_that_is_not_there_is_a_wrong_command_line(node: Any) -> None:
    told = node.run("example", "oracle")
    assert told.status == 2 and "postgresql" in told.stderr


@pytest.mark.parametrize("words", [["example", "--list"], ["example", "--list", "--output", "json"], ["--help"]])
def test_a_reader_who_has_read_enough_is_no_error(node: Any, words: list[str]) -> None:
    with unread_pipe() as pipe:
        told = node.run(*words, stdout=pipe)
    assert (told.status, told.stderr) == (128 + signal.SIGPIPE, "")
