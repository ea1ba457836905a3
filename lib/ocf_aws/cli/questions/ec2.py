"""Questions to EC2 about the VPC, the resource's objects and the other nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from ocf_aws.aws import attach_requirements, network_interfaces, vpc
from ocf_aws.aws.client import Client
from ocf_aws.aws.imds import Imds
from ocf_aws.aws.route_tables import describe_routes, find_target
from ocf_aws.cli.cluster.status import ClusterStatus
from ocf_aws.ip import IpAddress

if TYPE_CHECKING:
    from ocf_aws.cli.facts import Facts


@dataclass(frozen=True)
class Answer:
    """How EC2 answered the first call: seconds that it took, and how far its clock is ahead of ours (None: not told)."""

    seconds: float
    clock_ahead: float | None


def first_call(facts: Facts) -> Answer:
    """One call that the agent makes as well, timed, with what EC2 takes for the time."""
    if facts.is_overlay_ip:
        client, operation = facts["tables_ec2"], "describe_route_tables"
        ids = list(facts.p.routing_table.ids) if facts.is_defined else []
        filters = [{"Name": "route-table-id", "Values": ids or ["rtb-00000000"]}]
    else:
        client, operation = facts["ec2"], "describe_network_interfaces"
        filters = [{"Name": "network-interface-id", "Values": [facts.p.eni_id or "eni-00000000"]}]
    before = time()
    start = monotonic()
    answer = client.call(operation, Filters=filters)
    took = monotonic() - start
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    # The header has whole seconds, cut off.
    ahead = parsedate_to_datetime(date).timestamp() + 0.5 - (before + took / 2) if date else None
    return Answer(took, ahead)


def questions(facts: Facts, imds: Imds) -> dict[str, Callable[[], Any]]:
    """What to ask EC2, by the name of the fact."""
    ec2: Client = facts["ec2"]
    asked: dict[str, Callable[[], Any]] = {
        "peers": lambda: _find_peers(facts),
        "subnets": lambda: vpc.describe_vpc_subnets(ec2, facts["vpc_id"]),
        "acl": lambda: vpc.describe_network_acl(ec2, facts["subnet_id"]),
    }
    if facts.is_overlay_ip and facts.is_defined:
        ip: IpAddress = facts.p.ip
        held = "ipv6-addresses.ipv6-address" if ip.is_ipv6 else "addresses.private-ip-address"
        asked |= {
            "target": lambda: find_target(ec2, imds, facts["link"].mac, facts["link"].name),
            "routes": lambda: _describe_routes(facts),
            "tables": lambda: vpc.describe_vpc_tables(facts["tables_ec2"], facts["vpc_id"]),
            "own_eni": lambda: network_interfaces.reread_interface(ec2, facts["eni_id"]),
            "foreign_enis": lambda: network_interfaces.describe_interfaces(ec2, held, str(ip)),
            "groups": lambda: vpc.describe_security_groups(ec2, facts["group_ids"]),
        }
    if facts.is_eni_move and facts.is_defined:
        asked |= {
            "moved_eni": lambda: network_interfaces.find_interface(ec2, facts.p.eni_id),
            "limit": lambda: attach_requirements.max_interfaces(ec2, facts["instance_type"]),
            "own_enis": lambda: network_interfaces.describe_interfaces(
                ec2, "attachment.instance-id", facts["instance_id"]
            ),
        }
    return asked


def _describe_routes(facts: Facts) -> Any:
    selector = facts.p.routing_table
    # Only tags select by the VPC.
    vpc_id = facts["vpc_id"] if selector.tags else ""
    return describe_routes(facts["tables_ec2"], selector, facts.p.ip, vpc_id)


def _find_peers(facts: Facts) -> dict[str, vpc.Instance | None]:
    """The other nodes' instances by node name: by the fencing device's map, else by tag Name or private DNS name."""
    ec2: Client = facts["ec2"]
    cluster: ClusterStatus = facts["cluster"]
    names = [name for name in facts["cib"].all_nodes if name != cluster.local]
    mapped = facts["cib"].instance_ids()
    ids = [mapped[name] for name in names if name in mapped]
    found: dict[str, vpc.Instance | None] = dict.fromkeys(names)
    if ids:
        by_id = {each.id: each for each in vpc.describe_instances(ec2, "instance-id", ids)}
        found.update({name: by_id.get(mapped[name]) for name in names if name in mapped})
    unmapped = [name for name in names if name not in mapped]
    if unmapped:
        instances = vpc.describe_instances(ec2, "tag:Name", unmapped)
        instances += vpc.describe_instances(ec2, "private-dns-name", [f"{name}*" for name in unmapped])
        for name in unmapped:
            found[name] = next((each for each in instances if name in _names(each)), None)
    return found


def _names(instance: vpc.Instance) -> tuple[str, ...]:
    return (instance.name, instance.private_dns_name, instance.private_dns_name.partition(".")[0])
