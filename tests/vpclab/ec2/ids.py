"""The form of EC2's ids, which it checks before anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vpclab.ec2.errors import ApiError

_FORMS = {
    # The error codes spell ID as AWS does, which is not the same everywhere.
    "RouteTableId": ("rtb", "InvalidRouteTableId.Malformed"),
    "NetworkInterfaceId": ("eni", "InvalidNetworkInterfaceId.Malformed"),
    "AttachmentId": ("eni-attach", "InvalidNetworkInterfaceAttachmentId.Malformed"),
    "InstanceId": ("i", "InvalidInstanceID.Malformed"),
    "SubnetId": ("subnet", "InvalidSubnetID.Malformed"),
    "VpcId": ("vpc", "InvalidVpcID.Malformed"),
    "GroupId": ("sg", "InvalidGroupId.Malformed"),
}


def check_ids(parameters: Mapping[str, Any]) -> None:
    """Raise ApiError if an id in a call's parameters cannot be one."""
    for name, (prefix, code) in _FORMS.items():
        single, several = parameters.get(name), parameters.get(f"{name}s", ())
        for value in (*several, *([] if single is None else [single])):
            if not re.fullmatch(rf"{prefix}-([0-9a-f]{{8}}|[0-9a-f]{{17}})", value):
                raise ApiError(code, f'Invalid id: "{value}"')
