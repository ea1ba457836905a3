"""The IAM statements that each agent, fence_aws and this command need, for the ids of a place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CHECK_ACTIONS = (
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
"""What `ocf-aws check` and `status` read beyond what the agents need."""

Statement = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """The ids that a policy names.

    nodes, enis: instances of the cluster and their primary ENIs. tables, tags: route tables by id and by tag.
    eni: the ENI that moves. owner_role: ARN of the role that opens another account's tables, None without one.
    """

    partition: str
    region: str
    account: str
    role: str
    nodes: tuple[str, ...] = ()
    enis: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    eni: str = ""
    owner_role: str | None = None

    def arn(self, kind: str, id: str, account: str | None = None) -> str:
        """The ARN of something in EC2."""
        return f"arn:{self.partition}:ec2:{self.region}:{account or self.account}:{kind}/{id}"

    @property
    def owner_account(self) -> str:
        """The account that owns the route tables."""
        return self.owner_role.split(":")[4] if self.owner_role else self.account


def document(statements: Iterable[Statement]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def overlay_ip_statements(place: Place, p: Any) -> list[Statement]:
    """What the nodes need for an overlay IP. p: the resource's ParameterValues."""
    has_own_tables = place.owner_role is None
    sees_check = p.source_dest_check != "ignore"
    seen = [
        ["EntriesAnd", "SourceDestCheck"][number]
        for number, is_seen in enumerate((has_own_tables, sees_check))
        if is_seen
    ]
    actions = ["ec2:DescribeNetworkInterfaces"] * sees_check + ["ec2:DescribeRouteTables"] * has_own_tables
    found: list[Statement] = []
    if actions:
        found.append(_allow(f"See{''.join(seen)}".removesuffix("And"), actions, ["*"]))
    if has_own_tables:
        found += _write_statements(place, p)
    else:
        found.append(_allow("ReachRouteTablesOfOwner", ["sts:AssumeRole"], [str(place.owner_role)]))
    if p.source_dest_check == "disable":
        enis = [place.arn("network-interface", eni) for eni in place.enis or ("*",)]
        found.append(_allow("TurnOffSourceDestCheck", ["ec2:ModifyNetworkInterfaceAttribute"], enis, "SourceDestCheck"))
    return found


def owner_statements(place: Place, p: Any) -> list[Statement]:
    """What the role of the route tables' owner needs, in its account."""
    return [_allow("SeeEntries", ["ec2:DescribeRouteTables"], ["*"]), *_write_statements(place, p)]


def owner_trust(place: Place) -> dict[str, Any]:
    """The trust policy of that role: the nodes may assume it."""
    nodes = f"arn:{place.partition}:iam::{place.account}:role/{place.role}"
    statement = {
        "Sid": "NodesAssumeThisRole",
        "Effect": "Allow",
        "Principal": {"AWS": nodes},
        "Action": "sts:AssumeRole",
    }
    return document([statement])


def _write_statements(place: Place, p: Any) -> list[Statement]:
    verbs = ["Move"] + ["Create"] * p.create_route + ["Delete"] * p.delete_route_on_stop
    actions = ["ec2:CreateRoute"] * p.create_route + ["ec2:DeleteRoute"] * p.delete_route_on_stop + ["ec2:ReplaceRoute"]
    told = " And ".join([" ".join(verbs[:-1]), verbs[-1]]) if len(verbs) > 1 else verbs[0]
    name = f"{told.replace(' ', '')}Entries"
    found: list[Statement] = []
    if place.tables:
        tables = [place.arn("route-table", table, place.owner_account) for table in place.tables]
        found.append(_allow(name, actions, tables))
    for number, (key, value) in enumerate(place.tags, 1):
        by_tag = _allow(f"{name}ByTag{number}", actions, [place.arn("route-table", "*", place.owner_account)])
        found.append({**by_tag, "Condition": {"StringEquals": {f"aws:ResourceTag/{key}": value}}})
    return found


def eni_move_statements(place: Place, *, is_minimal: bool = False) -> list[Statement]:
    """What the nodes need to move an ENI. is_minimal: without what only makes a move safer or faster."""
    optional = ["ec2:DescribeInstanceTypes", "ec2:DescribeInstances"] * (not is_minimal)
    seen = [*optional, "ec2:DescribeNetworkInterfaces"] + ["ec2:DescribeSubnets"] * (not is_minimal)
    eni = place.arn("network-interface", place.eni)
    moved = [place.arn("instance", node) for node in place.nodes or ("*",)] + [eni]
    found = [
        _allow("SeeEni" if is_minimal else "SeeEniAndItsHolder", seen, ["*"]),
        _allow("MoveEni", ["ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface"], moved),
    ]
    if not is_minimal:
        found.append(_allow("KeepEniWhenItsHolderEnds", ["ec2:ModifyNetworkInterfaceAttribute"], [eni], "Attachment"))
    return found


def fencing_statements(place: Place) -> list[Statement]:
    """What the nodes need for the fencing agent fence_aws."""
    nodes = [place.arn("instance", node) for node in place.nodes or ("*",)]
    return [
        _allow("SeeNodes", ["ec2:DescribeInstances"], ["*"]),
        _allow("PowerNodes", ["ec2:StartInstances", "ec2:StopInstances"], nodes),
    ]


def check_statements() -> list[Statement]:
    """What `ocf-aws check` and `status` read."""
    return [_allow("SeeWhatCheckAndStatusTell", list(CHECK_ACTIONS), ["*"])]


def _allow(sid: str, actions: list[str], resources: list[str], attribute: str | None = None) -> Statement:
    """A statement. attribute: the only one that a Modify... call may change."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions[0] if len(actions) == 1 else actions,
        "Resource": resources[0] if len(resources) == 1 else resources,
    }
    if attribute:
        statement["Condition"] = {"StringEquals": {"ec2:Attribute": attribute}}
    return statement
