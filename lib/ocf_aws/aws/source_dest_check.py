"""The source/destination check of an ENI: while it is on, EC2 drops packets for an overlay IP."""

from __future__ import annotations

from ocf_aws.aws.errors import Conflict
from ocf_aws.aws.network_interfaces import reread_interface
from ocf_aws.ocf.errors import Failure, NotPermitted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocf_aws.aws.client import Client
    from ocf_aws.ip import IpAddress
    from ocf_aws.ocf.log import Log


def disable(ec2: Client, eni_id: str, **more: Any) -> None:
    """Turn the check off. `more` may say DryRun. Raises as Client.call.

    On the ENI, never on the instance: EC2 refuses that where an instance has several ENIs ("Enable or disable
    source/destination checking", EC2 user guide).
    """
    value = {"Value": False}
    ec2.call("modify_network_interface_attribute", NetworkInterfaceId=eni_id, SourceDestCheck=value, **more)


class SourceDestCheck:
    """The check of the ENI that packets for an overlay IP come in by.

    wanted: `verify` if it must be off, `disable` if it may be turned off, `ignore` if nobody is to look.
    """

    def __init__(self, ec2: Client, eni_id: str, ip: IpAddress, wanted: str, log: Log):
        self._ec2 = ec2
        self._eni_id = eni_id
        self._ip = ip
        self._wanted = wanted
        self._log = log

    def ensure_off(self, **more: Any) -> None:
        """The check drops no packets for the address; `more` may say DryRun.

        Raises Conflict where it is on and may not be turned off, and as Client.call.
        """
        if self._is_to_be_disabled():
            disable(self._ec2, self._eni_id, **more)
            if not more:
                self._log.info(f"turned off the source/destination check of {self._eni_id}")

    def find_problem(self) -> str | None:
        """Whether the check drops packets for the address, in words. Raises as Client.call, but for a missing right."""
        try:
            is_on = self._is_seen_on()
        except NotPermitted as error:
            self._warn_unverified(error)
            return None
        return f"{self._on_text}: EC2 drops packets for {self._ip}" if is_on else None

    def _is_to_be_disabled(self) -> bool:
        """Whether it is on, or may be, and may be turned off. Raises Conflict where it is on and may not."""
        try:
            is_on = self._is_seen_on()
        except Failure as error:
            self._warn_unverified(error)
            return self._wanted == "disable"
        if is_on and self._wanted == "verify":
            raise Conflict(
                f"{self._on_text}: set source_dest_check=disable (EC2 drops packets for {self._ip})",
                "or: aws ec2 modify-network-interface-attribute"
                f" --network-interface-id {self._eni_id} --no-source-dest-check",
            )
        return is_on

    def _is_seen_on(self) -> bool:
        """Whether it is on; where nobody is to look, it is not."""
        return self._wanted != "ignore" and reread_interface(self._ec2, self._eni_id).source_dest_check

    @property
    def _on_text(self) -> str:
        return f"source/destination check is on for {self._eni_id}"

    def _warn_unverified(self, error: Failure) -> None:
        self._log.repeated(
            "source/destination check",
            f"not verified whether the source/destination check of {self._eni_id} is off: {error.full_text}",
        )
