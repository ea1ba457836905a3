"""Instances: running, describing and switching them; their power is in `power`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.instances import Instance
from moto.ec2.responses.instances import InstanceResponse

from vpclab.ec2 import power
from vpclab.ec2.addresses import check_addresses, free_address
from vpclab.ec2.base_calls import BaseCalls
from vpclab.ec2.errors import ApiError
from vpclab.ec2.identity import ACCOUNT, NODE_ROLE
from vpclab.ec2.state import State


class InstanceCalls(BaseCalls, InstanceResponse):
    """The calls on instances."""

    def describe_instances(self) -> ActionResult:
        """The instances asked for, each in its reservation."""
        ids = self.params.get("InstanceIds", [])
        if ids and self.params.get("MaxResults"):
            raise ApiError(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        filters = self._filters_from_querystring()
        if ids:
            found = self.backend.get_reservations_by_instance_ids(ids, filters=filters)
        else:
            found = self.backend.all_reservations(filters=filters)
        return self.paged("Reservations", found)

    def run_instances(self) -> ActionResult:
        """New instances, which run at once; EC2 ends their primary ENI with them."""
        subnet_id = self.params.get("SubnetId")
        if subnet_id and not self.params.get("NetworkInterfaces"):
            subnet = self.backend.get_subnet(subnet_id)
            wanted = self.params.get("PrivateIpAddress")
            check_addresses(self.backend, subnet, [wanted] if wanted else [], 4)
            if not wanted:
                wanted = free_address(self.backend, subnet)
            self.params["PrivateIpAddress"] = wanted
        ipv6 = [item["Ipv6Address"] for item in self.params.get("Ipv6Addresses", [])]
        if ipv6:
            check_addresses(self.backend, subnet, ipv6, 6)
        answer = super().run_instances()
        for instance in answer.result.instances:  # type: ignore[attr-defined]
            instance.nics[0].delete_on_termination = True
            instance.nics[0].ipv6_addresses += ipv6
            instance.iam_instance_profile = {"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/{NODE_ROLE}"}
        return answer

    def modify_instance_attribute(self) -> ActionResult:
        """Another value for an attribute; SourceDestCheck is that of the only ENI."""
        if "SourceDestCheck" not in self.params:
            return super().modify_instance_attribute()
        instance = self.backend.get_instance(self.required("InstanceId"))
        if len(instance.nics) > 1:
            raise ApiError(
                "InvalidInstanceID",
                f"There are multiple interfaces attached to instance '{instance.id}'. "
                "Please specify an interface ID for the operation instead.",
            )
        instance.source_dest_check = self.params["SourceDestCheck"]["Value"]
        instance.nics[0].source_dest_check = instance.source_dest_check
        return EmptyResult()

    def stop_instances(self) -> ActionResult:
        """Stop instances; their state becomes `stopping`, then `stopped`."""
        changes = self._switch(power.stop, {"running", "stopping", "stopped"}, "stopped")
        return ActionResult({"StoppingInstances": changes})

    def start_instances(self) -> ActionResult:
        """Start instances; their state becomes `pending`, then `running`."""
        changes = self._switch(power.start, {"stopped", "pending", "running"}, "started")
        return ActionResult({"StartingInstances": changes})

    def terminate_instances(self) -> ActionResult:
        """Terminate instances; their state becomes `shutting-down`, then `terminated`."""
        changes = self._switch(power.terminate, power.STATE_CODES, "terminated")
        return ActionResult({"TerminatingInstances": changes})

    def reboot_instances(self) -> ActionResult:
        """Reboot instances: they lose their power for a moment."""
        self._switch(power.reboot, {"running"}, "rebooted")
        return EmptyResult()

    def _named(self, ids: list[str]) -> list[Instance]:
        """Instances by their ids."""
        return [self.backend.get_instance(each) for each in dict.fromkeys(ids)]

    def _switch(
        self,
        switch: Callable[[State, Instance], None],
        possible: set[str],
        done: str,
    ) -> list[dict[str, Any]]:
        """Switch the instances that the call names; all of them or, raising ApiError, none.

        `possible`: the states in which that makes sense. Returns the state of each before and after.
        """
        instances = self._named(self.required("InstanceIds"))
        for instance in instances:
            if instance.state not in possible:
                raise ApiError(
                    "IncorrectInstanceState",
                    f"The instance '{instance.id}' is not in a state from which it can be {done}.",
                )
        changes = []
        for instance in instances:
            previous = {"Code": instance.state_code, "Name": instance.state}
            switch(self.state, instance)
            current = {"Code": instance.state_code, "Name": instance.state}
            changes.append(
                {
                    "InstanceId": instance.id,
                    "PreviousState": previous,
                    "CurrentState": current,
                }
            )
        return changes
