"""Detaching an ENI from this instance: all but the call that does it can be done before."""

from __future__ import annotations

from ocf_aws.aws.errors import Rejected
from ocf_aws.aws.network_interfaces import detach, require_interface
from ocf_aws.ocf.errors import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocf_aws.aws.client import Client
    from ocf_aws.ocf.log import Log


def prepare(ec2: Client, eni_id: str, instance_id: str, recorded: str, log: Log) -> Callable[[], None]:
    """Find the attachment of the ENI to this instance, and return the function that ends it, which raises as Client.call.

    recorded: id of the attachment that start recorded, empty without one; it counts where EC2 does not tell.
    Raises Failure where neither tells.
    """
    attachment_id = recorded
    try:
        eni = require_interface(ec2, eni_id)
        attachment_id = str(eni.attachment_id) if eni.is_held_by(instance_id) else ""
    except Failure:
        if not recorded:
            raise

    def act() -> None:
        if not attachment_id:
            return
        try:
            detach(ec2, attachment_id)
        except Rejected as error:
            # It has gone by itself, or with another one's detach.
            if "NotFound" not in error.code:
                raise
        log.info(f"{eni_id} is being detached")

    return act
