"""The source/destination check of an ENI: while it is on, EC2 drops what is for an overlay IP.

Read and changed on the ENI, never on the instance: EC2 refuses that where an instance has several ENIs
("Enable or disable source/destination checking", EC2 user guide).
"""

from __future__ import annotations

from ocf_aws.status import HardError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocf_aws.cloud import Cloud


def is_on(cloud: Cloud, eni_id: str) -> bool:
    """Whether the ENI has the check. Raises as Cloud.call."""
    answer = cloud.call("describe_network_interfaces", NetworkInterfaceIds=[eni_id])
    enis = answer["NetworkInterfaces"]
    if not enis:
        raise HardError(f"EC2 does not know the ENI {eni_id}")
    return bool(enis[0]["SourceDestCheck"])


def turn_off(cloud: Cloud, eni_id: str, *, dry_run: bool = False) -> None:
    """Turn the check off. Raises as Cloud.call."""
    cloud.call(
        "modify_network_interface_attribute",
        NetworkInterfaceId=eni_id,
        SourceDestCheck={"Value": False},
        **({"DryRun": True} if dry_run else {}),
    )
