"""Commands to paste that several checks print."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

from ocf_aws.cli.cluster.cib import Primitive
from ocf_aws.cli.facts import Facts


def set_parameter(facts: Facts, name: str, value: str) -> str:
    """The command that changes a parameter, or what to write where there is no resource yet."""
    if facts.definition.primitive:
        return set_parameter_of(facts.definition.name, name, value)
    return f"{name}='{value}'"


def set_parameter_of(resource: str, name: str, value: str) -> str:
    """The command that changes a parameter of a resource or fencing device."""
    return f"crm_resource --resource {resource} --set-parameter {name} --parameter-value '{value}'"


def add_table(facts: Facts, selected: Iterable[str], table_id: str) -> str:
    """The command that adds a route table to those that the definition selects: by their tag where it names one, else by
    ids.
    """
    tags = facts.p.routing_table.tags
    if tags:
        tag = quote("Key={},Value={}".format(*tags[0]))
        command = f"aws ec2 create-tags --resources {table_id} --tags {tag}"
    else:
        command = set_parameter(facts, "routing_table", ",".join([*selected, table_id]))
    # A start that may not write one of its tables fails, and bans the node.
    return f"{command}   # first let the IAM policy allow {table_id}: ocf-aws policy prints the statement"


def delete_parameter(facts: Facts, name: str) -> str:
    """The command that takes a parameter out of the definition, or what to do where there is no resource yet."""
    if facts.definition.primitive:
        return f"crm_resource --resource {facts.definition.name} --delete-parameter {name}"
    return f"leave {name} out"


def set_meta(primitive: Primitive, name: str, value: str) -> str:
    """The command that changes a meta attribute."""
    return f"crm_resource --resource {primitive.id} --meta --set-parameter {name} --parameter-value {value}"


def reset_meta(primitive: Primitive, name: str, default: str) -> str:
    """The command that gives a meta attribute its default back: where it is set, but for templates and defaults, which
    other resources share.
    """
    owner = primitive.meta_owners[name]
    if owner:
        return f"crm_resource --resource {owner} --meta --delete-parameter {name}"
    return set_meta(primitive, name, default)


def create_route(facts: Facts, table_id: str) -> str:
    """The command that gives a table a route to the node that serves, or to this one where none does."""
    return _route_command(facts, "create-route", table_id)


def replace_route(facts: Facts, table_id: str) -> str:
    """The same for a table that has a route to somewhere else."""
    return _route_command(facts, "replace-route", table_id)


def _route_command(facts: Facts, verb: str, table_id: str) -> str:
    ip = facts.p.ip
    flag = "--destination-ipv6-cidr-block" if ip.is_ipv6 else "--destination-cidr-block"
    eni = _active_eni(facts) or "ENI_OF_THE_ACTIVE_NODE"
    return f"aws ec2 {verb} --route-table-id {table_id} {flag} {ip.network} --network-interface-id {eni}"


def _active_eni(facts: Facts) -> str | None:
    """Id of the ENI of the node that serves, or of this one where none does; None where it is not known."""
    primitive, cluster = facts.definition.primitive, facts.get("cluster")
    if primitive and cluster is None:
        return None
    status = cluster.resources.get(primitive.id) if primitive else None
    nodes = status.nodes if status else ()
    if not nodes or nodes == (cluster.local,):
        own: str | None = facts.get("eni_id")
        return own
    peer = (facts.get("peers") or {}).get(nodes[0]) if len(nodes) == 1 else None
    carrier = facts.carrier(peer) if peer else None
    return carrier.id if carrier else None


def restart(facts: Facts) -> str:
    """What makes all tables agree."""
    if facts.definition.primitive:
        return f"crm_resource --resource {facts.definition.name} --restart"
    return "start the resource: start makes all tables agree"
