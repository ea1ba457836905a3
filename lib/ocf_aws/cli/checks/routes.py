"""The route tables: whether they exist, where they send the overlay IP, and which ones the definition leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from ocf_aws.aws import vpc
from ocf_aws.aws.route_tables import Route
from ocf_aws.cli.checks.peers import find_doubt
from ocf_aws.cli.checks.remedies import add_table, create_route, replace_route, restart, set_parameter
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, passed, warning
from ocf_aws.ocf.errors import HardError

CHECKS = Checks()

DEFAULT_ROUTES = 500
"""Quota "Routes per route table", for each family (VPC user guide, "Amazon VPC quotas")."""

NEARLY_FULL = 10


@CHECKS.add("tables")
def check_tables(facts: Facts) -> Iterator[Finding]:
    """The route tables that are named: there, and in this VPC."""
    failure = facts.failure("routes")
    if isinstance(failure, HardError) and "tag" in str(failure):
        yield failed(str(failure), "aws ec2 create-tags --resources rtb-... --tags Key=KEY,Value=VALUE")
        return
    routes: list[Route] = facts["routes"]
    for route in routes:
        if not route.is_visible:
            left = ",".join(each.table_id for each in routes if each.is_visible)
            yield failed(
                f"{route.table_id} is not found: a wrong id or region, or another account's",
                set_parameter(facts, "routing_table", left or "rtb-...") + "   # or set routing_table_role",
            )
        elif facts.get("vpc_id") and route.vpc_id != facts["vpc_id"]:
            left = ",".join(each.table_id for each in routes if each.vpc_id == facts["vpc_id"])
            yield failed(
                f"{route.table_id} is a route table of {route.vpc_id}, this node is in {facts['vpc_id']}",
                set_parameter(facts, "routing_table", left or "rtb-..."),
            )
    if all(each.is_visible and each.vpc_id == facts["vpc_id"] for each in routes):
        yield passed(f"{', '.join(each.table_id for each in routes)} in {facts['vpc_id']}")


@CHECKS.add("routes")
def check_routes(facts: Facts) -> Iterator[Finding]:
    """What each table says of the address now."""
    ip = facts.p.ip
    right, doubtful = [], []
    for route in facts["routes"]:
        if not route.is_visible:
            continue
        entry = route.entry
        if entry is None:
            if facts.p.create_route:
                right.append(f"{route.table_id} none yet")
                continue
            yield failed(
                f"{route.table_id} has no route for {ip}, and create_route=false", create_route(facts, route.table_id)
            )
        elif route.is_managed:
            yield failed(
                f"{route.table_id} has a route that AWS keeps ({entry['Origin']}), which no agent can change",
                f"withdraw {ip.network} where it is propagated or advertised from, or leave {route.table_id} out",
            )
        elif entry.get("State") == "blackhole":
            yield failed(
                f"{route.table_id} sends {ip} into a blackhole ({entry.get('NetworkInterfaceId', 'its target is gone')})",
                replace_route(facts, route.table_id),
            )
        elif holder := find_holder(facts, route):
            right.append(f"{route.table_id} {holder}")
        else:
            there = entry.get("InstanceId") or entry.get("NetworkInterfaceId")
            told = f"{route.table_id} sends {ip} to {there or 'a gateway'}, which"
            doubt = find_doubt(facts, f"{told} may be a node of this cluster") if there else None
            if doubt:
                doubtful.append(f"{route.table_id} {there}")
            yield doubt or warning(f"{told} is no node of this cluster", replace_route(facts, route.table_id))
    # Two instances are two nodes, whatever they are called.
    found = [word for word in [*right, *doubtful] if not word.endswith("none yet")]
    if len({word.partition(" ")[2] for word in found}) > 1:
        yield failed(f"the tables disagree: {', '.join(found)}", restart(facts))
    elif right:
        yield passed(", ".join(right))


@CHECKS.add("table-room")
def check_room(facts: Facts) -> Iterator[Finding]:
    """Room for a route that start would create."""
    tables = {table.id: table for table in facts["tables"]}
    lacking = [tables[r.table_id] for r in facts["routes"] if r.entry is None and r.table_id in tables]
    full = [(table, table.count_static_routes(facts.p.ip.is_ipv6)) for table in lacking]
    full = [(table, count) for table, count in full if count >= DEFAULT_ROUTES - NEARLY_FULL]
    for table, count in full:
        remedy = "aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-93826ACB --desired-value 1000"
        yield failed(
            f"{table.id} has {count} routes, and the default quota is {DEFAULT_ROUTES}",
            f"{remedy}   # or {create_route(facts, table.id)}",
        )
    if not full:
        yield passed("no table is full")


@CHECKS.add("coverage")
def check_coverage(facts: Facts) -> Iterator[Finding]:
    """Subnets whose route table lacks the route: clients there cannot reach the address."""
    tables: list[vpc.Table] = facts["tables"]
    names = {subnet.id: subnet.name or subnet.id for subnet in facts.get("subnets") or []}
    selected = [route.table_id for route in facts["routes"]]
    uncovered = []
    for table in tables:
        subnets = facts.subnets_of(table)
        if table.id not in selected and subnets and table.route(facts.p.ip).entry is None:
            uncovered.append(table.id)
            yield warning(
                f"{'main table ' if table.is_main else ''}{table.id} has no route:"
                f" clients in {', '.join(names.get(subnet, subnet) for subnet in subnets)} cannot reach {facts.p.ip}",
                add_table(facts, selected, table.id),
            )
    if not uncovered:
        facts["subnets"]
        yield passed("every subnet's table is named")


@CHECKS.add("stray-routes")
def check_strays(facts: Facts) -> Iterator[Finding]:
    """Entries for the address in tables that the definition does not name: nobody moves them."""
    selected = {route.table_id for route in facts["routes"]}
    strays = [t.id for t in facts["tables"] if t.id not in selected and t.route(facts.p.ip).entry is not None]
    for table_id in strays:
        yield warning(
            f"{table_id} has a route for {facts.p.ip}, and is not in the definition: it does not move",
            add_table(facts, sorted(selected), table_id),
        )
    if not strays:
        yield passed("no other table has a route")


def find_holder(facts: Facts, route: Route) -> str | None:
    """The node that a table sends the address to, None where none is known to be there."""
    if route.entry is None:
        return None
    node = facts.find_node(route.entry.get("InstanceId"), route.entry.get("NetworkInterfaceId"))
    if node is None and facts.get("cib") is None:
        # Without a cluster nobody tells who the other nodes are.
        return "another instance"
    return node
