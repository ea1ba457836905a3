"""Where packets for an overlay IP go: the link, the address, the route tables, and what EC2 lets in."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from shutil import which

from ocf_aws.aws import vpc
from ocf_aws.aws.route_tables import Route
from ocf_aws.cli.cib import is_managed
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, unknown, warning
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.errors import Failure, FatalError, HardError, NotInstalled

CHECKS = Checks()

DEFAULT_ROUTES = 500
"""Quota "Routes per route table", for each family (VPC user guide, "Amazon VPC quotas")."""

NEARLY_FULL = 10


def set_parameter(facts: Facts, name: str, value: str) -> str:
    """The command that changes a parameter, or what to write where there is no resource yet."""
    if facts.definition.primitive:
        return f"crm_resource --resource {facts.definition.name} --set-parameter {name} --parameter-value '{value}'"
    return f"{name}='{value}'"


@CHECKS.add("link")
def check_link(facts: Facts) -> Finding:
    """The link that is to carry the address."""
    failure = facts.failure("link")
    if isinstance(failure, NotInstalled):
        own = next((link.name for link in facts["links"] if link.mac == facts.get("primary_mac")), "")
        return failed(str(failure), set_parameter(facts, "interface", own or "INTERFACE"))
    link = facts["link"]
    if not link.is_up:
        return failed(f"{link.name} is down", f"ip link set {link.name} up")
    try:
        facts.module.own_label(facts.context, link.name)
    except FatalError as error:
        return failed(str(error), f"crm_resource --resource {facts.definition.name} --delete-parameter iflabel")
    eni = facts.get("eni_id")
    return passed(f"{link.name}{f' = {eni}' if eni else ''} is up")


@CHECKS.add("ip-own")
def check_own(facts: Facts) -> Finding:
    """No address that this node lives by."""
    try:
        facts.module.check_own_address(facts.context, facts["link"])
    except FatalError as error:
        return failed(str(error), set_parameter(facts, "ip", "ADDRESS_OUTSIDE_THE_VPC"))
    return passed(f"{facts.p.ip} is not this node's own")


@CHECKS.add("ip-outside-vpc")
def check_outside(facts: Facts) -> Finding:
    """Inside the VPC's blocks, no route table can send the address anywhere else."""
    blocks = facts["vpc_cidrs"]
    inside = next((block for block in blocks if facts.p.ip in block), None)
    if inside:
        return failed(
            f"{facts.p.ip} lies inside the VPC ({inside})", set_parameter(facts, "ip", "ADDRESS_OUTSIDE_THE_VPC")
        )
    return passed(f"{facts.p.ip} is outside of {', '.join(map(str, blocks))}")


@CHECKS.add("ip-on-no-eni")
def check_foreign_enis(facts: Facts) -> Finding:
    """Nobody has it as a private address of an ENI."""
    foreign = facts["foreign_enis"]
    if foreign:
        eni = foreign[0]
        return failed(
            f"{facts.p.ip} is a private address of {eni.id} ({eni.attachment_text})",
            f"aws ec2 unassign-private-ip-addresses --network-interface-id {eni.id} --private-ip-addresses {facts.p.ip}",
        )
    return passed("no ENI has it")


@CHECKS.add("ip-here")
def check_placed(facts: Facts) -> Finding:
    """Where it stands on this node, if it does."""
    placed = next((each for each in facts["addresses"] if each.ip == facts.p.ip), None)
    if placed is None:
        return passed("not on this node now")
    link = next((each for each in facts["links"] if each.index == placed.index), None)
    name = link.name if link else f"link {placed.index}"
    if placed.index != facts["link"].index:
        return failed(
            f"{facts.p.ip} is on {name}, not on {facts['link'].name}", f"ip address del {facts.p.ip.network} dev {name}"
        )
    if _is_strange(facts):
        return failed(
            f"{facts.p.ip} is on {name}, and the cluster has it stopped here: somebody else added it",
            f"ip address del {facts.p.ip.network} dev {name}",
        )
    return passed(f"on {name}")


def _is_strange(facts: Facts) -> bool:
    """Whether the cluster is in charge of the address, and knows nothing of its being here."""
    primitive, cluster, cib = facts.definition.primitive, facts.get("cluster"), facts.definition.cib
    if primitive is None or cluster is None or cib is None or not is_managed(primitive, cib):
        return False
    status = cluster.resources.get(primitive.id)
    return bool(status and cluster.local not in status.nodes)


@CHECKS.add("ip-answers")
def check_answers(facts: Facts) -> Finding:
    """Nobody outside of the cluster answers at the address."""
    ip: IpAddress = facts.p.ip
    if any(each.ip == ip for each in facts["addresses"]):
        return not_applicable("this node has it")
    if any(_holder(facts, route) for route in facts["routes"]):
        return not_applicable("a node of the cluster has it")
    if which("ping") is None:
        return unknown("ping is not installed")
    asked = ["ping", "-6" if ip.is_ipv6 else "-4", "-n", "-q", "-c", "1", "-W", "1", str(ip)]
    try:
        answers = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=3).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        answers = False
    if answers:
        return failed(f"something outside of the cluster answers at {ip}", f"ip neighbour show {ip}; ip route get {ip}")
    return passed("nobody else answers")


@CHECKS.add("ipv6")
def check_ipv6(facts: Facts) -> Finding:
    """The kernel takes IPv6 addresses on the link."""
    if not facts.p.ip.is_ipv6:
        return not_applicable("an IPv4 address")
    link = facts["link"].name
    path = f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6"
    try:
        with open(path, encoding="ascii") as file:
            is_disabled = file.read().strip() != "0"
    except FileNotFoundError:
        return failed("this kernel has no IPv6", "remove ipv6.disable=1 from the kernel's command line")
    if is_disabled:
        return failed(f"IPv6 is disabled on {link}", f"sysctl -w net.ipv6.conf.{link}.disable_ipv6=0")
    return passed(f"IPv6 is enabled on {link}")


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
    right = []
    for route in facts["routes"]:
        if not route.is_visible:
            continue
        entry = route.entry
        if entry is None:
            if facts.p.create_route:
                right.append(f"{route.table_id} none yet")
                continue
            yield failed(
                f"{route.table_id} has no route for {ip}, and create_route=false", _create_route(facts, route.table_id)
            )
        elif route.is_managed:
            yield failed(
                f"{route.table_id} has a route that AWS keeps ({entry['Origin']}), which no agent can change",
                f"withdraw {ip.network} where it is propagated or advertised from, or leave {route.table_id} out",
            )
        elif entry.get("State") == "blackhole":
            yield failed(
                f"{route.table_id} sends {ip} into a blackhole ({entry.get('NetworkInterfaceId', 'its target is gone')})",
                _replace_route(facts, route.table_id),
            )
        elif (holder := _holder(facts, route)) is None:
            yield warning(
                f"{route.table_id} sends {ip} to {entry.get('InstanceId') or entry.get('NetworkInterfaceId') or 'a gateway'},"
                " which is no node of this cluster",
                _replace_route(facts, route.table_id),
            )
        else:
            right.append(f"{route.table_id} {holder}")
    if len({word.partition(" ")[2] for word in right if not word.endswith("none yet")}) > 1:
        yield failed(f"the tables disagree: {', '.join(right)}", _restart(facts))
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
            f"{remedy}   # or {_create_route(facts, table.id)}",
        )
    if not full:
        yield passed("no table is full")


@CHECKS.add("coverage")
def check_coverage(facts: Facts) -> Iterator[Finding]:
    """Subnets whose route table lacks the route: clients there cannot reach the address."""
    tables: list[vpc.Table] = facts["tables"]
    names = {subnet.id: subnet.name or subnet.id for subnet in facts.get("subnets") or []}
    explicit = {subnet for table in tables for subnet in table.subnets}
    implicit = [subnet for subnet in names if subnet not in explicit]
    selected = [route.table_id for route in facts["routes"]]
    uncovered = []
    for table in tables:
        subnets = [*table.subnets, *(implicit if table.is_main else [])]
        if table.id not in selected and subnets and table.route(facts.p.ip).entry is None:
            uncovered.append(table.id)
            yield warning(
                f"{'main table ' if table.is_main else ''}{table.id} has no route:"
                f" clients in {', '.join(names.get(subnet, subnet) for subnet in subnets)} cannot reach {facts.p.ip}",
                set_parameter(facts, "routing_table", ",".join([*selected, table.id])),
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
            set_parameter(facts, "routing_table", ",".join([*sorted(selected), table_id])),
        )
    if not strays:
        yield passed("no other table has a route")


@CHECKS.add("source-dest-check")
def check_source_dest(facts: Facts) -> Finding:
    """The source/destination check, by which EC2 drops packets for the address."""
    eni = facts["own_eni"]
    if not eni.source_dest_check:
        return passed(f"off at {eni.id}")
    remedy = f"aws ec2 modify-network-interface-attribute --network-interface-id {eni.id} --no-source-dest-check"
    if facts.p.source_dest_check == "disable":
        return passed(f"on at {eni.id}; start turns it off")
    return failed(f"on at {eni.id}: EC2 drops packets for {facts.p.ip}", remedy)


@CHECKS.add("security-groups")
def check_groups(facts: Facts) -> Finding:
    """Do the ENI's security groups let anything in?"""
    groups = facts["groups"]
    if any(vpc.admits_anything(group.get("IpPermissions", [])) for group in groups):
        return passed(", ".join(group["GroupId"] for group in groups))
    ids = [group["GroupId"] for group in groups]
    return failed(
        f"{', '.join(ids)} of {facts['eni_id']} let nothing in",
        f"aws ec2 authorize-security-group-ingress --group-id {ids[0]} --protocol tcp --port PORT --cidr CLIENTS",
    )


@CHECKS.add("network-acl")
def check_acl(facts: Facts) -> Iterator[Finding]:
    """Does the subnet's network ACL let anything in and out?"""
    acl = facts["acl"]
    if acl is None:
        yield unknown(f"EC2 tells of no network ACL for {facts['subnet_id']}")
        return
    blocked = [each for each in (False, True) if vpc.acl_blocks_all(acl, each, facts.p.ip.is_ipv6)]
    cidr = "--ipv6-cidr-block ::/0" if facts.p.ip.is_ipv6 else "--cidr-block 0.0.0.0/0"
    for is_egress in blocked:
        yield failed(
            f"{acl['NetworkAclId']} of {facts['subnet_id']} lets nothing {'out' if is_egress else 'in'}",
            f"aws ec2 create-network-acl-entry --network-acl-id {acl['NetworkAclId']} --rule-number 50 --protocol=-1"
            f" --rule-action allow {cidr} {'--egress' if is_egress else '--ingress'}",
        )
    if not blocked:
        yield passed(acl["NetworkAclId"])


def _holder(facts: Facts, route: Route) -> str | None:
    """The node that a table sends the address to, None where it is none of this cluster or not known to be."""
    if route.entry is None:
        return None
    eni, instance = route.entry.get("NetworkInterfaceId"), route.entry.get("InstanceId")
    target = facts.get("target")
    if target and eni == target.eni_id or instance and instance == facts.get("instance_id"):
        return "here"
    for name, peer in (facts.get("peers") or {}).items():
        if peer and (peer.id == instance or eni in [each.id for each in peer.interfaces]):
            return str(name)
    if isinstance(facts.failure("peers"), Failure) and facts.get("cib") is None:
        # Without a cluster nobody tells who the other nodes are.
        return "another instance"
    return None


def _create_route(facts: Facts, table_id: str) -> str:
    return _route_command(facts, "create-route", table_id)


def _replace_route(facts: Facts, table_id: str) -> str:
    return _route_command(facts, "replace-route", table_id)


def _route_command(facts: Facts, verb: str, table_id: str) -> str:
    ip = facts.p.ip
    flag = "--destination-ipv6-cidr-block" if ip.is_ipv6 else "--destination-cidr-block"
    eni = facts.get("eni_id") or "ENI_OF_THE_ACTIVE_NODE"
    return f"aws ec2 {verb} --route-table-id {table_id} {flag} {ip.network} --network-interface-id {eni}"


def _restart(facts: Facts) -> str:
    if facts.definition.primitive:
        return f"crm_resource --resource {facts.definition.name} --restart"
    return "start the resource: start makes all tables agree"
