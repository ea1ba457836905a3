"""What a call needs permission for: the ARNs of its resources, and what policies can ask about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vpclab.ec2.backend import Backend
from vpclab.ec2.identity import ACCOUNT

_INSTANCE = (("instance", "InstanceId"), ("instance", "InstanceIds"))
_INTERFACE = (("network-interface", "NetworkInterfaceId"),)
_TABLE = (("route-table", "RouteTableId"),)
_NEEDS = {
    "AssignIpv6Addresses": _INTERFACE,
    "AssignPrivateIpAddresses": _INTERFACE,
    "AttachNetworkInterface": (*_INSTANCE, *_INTERFACE),
    "CreateNetworkInterface": (("subnet", "SubnetId"),),
    "CreateRoute": _TABLE,
    "DeleteNetworkInterface": _INTERFACE,
    "DeleteRoute": _TABLE,
    "DeleteRouteTable": _TABLE,
    "ModifyInstanceAttribute": _INSTANCE,
    "ModifyNetworkInterfaceAttribute": _INTERFACE,
    "RebootInstances": _INSTANCE,
    "ReplaceRoute": _TABLE,
    "StartInstances": _INSTANCE,
    "StopInstances": _INSTANCE,
    "TerminateInstances": _INSTANCE,
    "UnassignIpv6Addresses": _INTERFACE,
    "UnassignPrivateIpAddresses": _INTERFACE,
}
"""By action: kinds of resources, and the parameters that name them. Describe calls need none."""


@dataclass(frozen=True)
class Resource:
    """Something that a policy allows or denies a call on; `keys` are its condition keys, in lower case."""

    arn: str
    keys: Mapping[str, str]


def resources_of(action: str, parameters: Mapping[str, Any], backend: Backend) -> tuple[Resource, ...]:
    """All resources that a call needs permission for; "*" if it is not about any single one."""
    if action == "AssumeRole":
        return (Resource(str(parameters.get("RoleArn", "*")), {}),)
    named = [
        (kind, resource_id)
        for kind, parameter in _NEEDS.get(action, ())
        for resource_id in _ids(parameters.get(parameter))
    ]
    if action == "DetachNetworkInterface":
        named = list(_ends_of(parameters.get("AttachmentId"), backend))
    regional = {
        "ec2:region": backend.region_name,
        "aws:requestedregion": backend.region_name,
    }
    if action.startswith("Modify"):
        for attribute in set(parameters) - {"NetworkInterfaceId", "InstanceId", "DryRun"}:
            regional["ec2:attribute"] = attribute
    if not named:
        return (Resource("*", regional),)
    return tuple(
        Resource(_arn(backend, kind, each), {**regional, **_keys(backend, kind, each)}) for kind, each in named
    )


def _ids(value: Any) -> list[str]:
    """Ids in a parameter, which may be one, several or absent."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [str(value)]


def _ends_of(attachment_id: Any, backend: Backend) -> Iterator[tuple[str, str]]:
    """Both things that an attachment joins."""
    for eni in backend.enis.values():
        if eni.attachment_id == attachment_id and eni.instance:
            yield "instance", eni.instance.id
            yield "network-interface", eni.id


def _arn(backend: Backend, kind: str, resource_id: str) -> str:
    """The ARN of a resource of this account."""
    return f"arn:aws:ec2:{backend.region_name}:{ACCOUNT}:{kind}/{resource_id}"


def _keys(backend: Backend, kind: str, resource_id: str) -> dict[str, str]:
    """The condition keys of a resource, as far as it has any; tags too."""
    keys: dict[str, str] = {}
    for name, value in backend.tags.get(resource_id, {}).items():
        keys[f"aws:resourcetag/{name.lower()}"] = value
        keys[f"ec2:resourcetag/{name.lower()}"] = value
    if kind == "route-table" and (table := backend.route_tables.get(resource_id)):
        keys["ec2:routetableid"] = resource_id
        keys["ec2:vpc"] = _arn(backend, "vpc", table.vpc_id)
    if kind == "network-interface" and (eni := backend.enis.get(resource_id)):
        keys["ec2:networkinterfaceid"] = resource_id
        keys["ec2:subnet"] = _arn(backend, "subnet", eni.subnet.id)
        keys["ec2:vpc"] = _arn(backend, "vpc", eni.vpc_id)
        keys["ec2:availabilityzone"] = eni.availability_zone
    if kind == "instance" and (instance := backend.get_instance_by_id(resource_id)):
        keys["ec2:instanceid"] = resource_id
        keys["ec2:instancetype"] = instance.instance_type
        keys["ec2:availabilityzone"] = instance.availability_zone or ""
    return keys
