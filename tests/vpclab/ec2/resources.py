"""What a call needs permission for: the ARNs of its resources, and the attribute that it modifies."""

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
}
"""By action: kinds of resources, and the parameters that name them. Describe calls need none."""


@dataclass(frozen=True)
class Resource:
    """Something that a policy allows or denies a call on."""

    arn: str
    attribute: str | None = None
    """The attribute that the call modifies, as the condition key ec2:Attribute has it."""


def resources_of(action: str, parameters: Mapping[str, Any], backend: Backend) -> tuple[Resource, ...]:
    """All resources that a call needs permission for; "*" if it is not about any single one."""
    if action == "AssumeRole":
        return (Resource(str(parameters.get("RoleArn", "*"))),)
    named = [
        (kind, resource_id)
        for kind, parameter in _NEEDS.get(action, ())
        for resource_id in _ids(parameters.get(parameter))
    ]
    if action == "DetachNetworkInterface":
        named = list(_ends_of(parameters.get("AttachmentId"), backend))
    attribute = None
    if action.startswith("Modify"):
        attribute = next(iter(set(parameters) - {"NetworkInterfaceId", "InstanceId", "DryRun"}), None)
    if not named:
        return (Resource("*", attribute),)
    return tuple(Resource(_arn(backend, kind, each), attribute) for kind, each in named)


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
