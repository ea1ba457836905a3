"""The part of EC2 that the library asks, with state: what a call changes, the next one tells.

A Client whose calls reach no network. Errors are made of EC2's own codes and words by the library's translation.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

from ocf_aws.aws.client import Client
from ocf_aws.aws.errors import failure
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.errors import Failure

IP = IpAddress.parse("192.168.10.10")


def refusal(operation: str, code: str, message: str = "") -> Failure:
    """What the library makes of an error answer."""
    what = "ec2:" + "".join(word.title() for word in operation.split("_"))
    return failure(what, {"Error": {"Code": code, "Message": message}})


class FakeEc2(Client):
    """ENIs, instances, subnets and route tables, as Client.call and Client.paginate tell them.

    now: the time, for what takes attach_seconds and detach_seconds. stuck: ENIs that leave by force alone.
    """

    def __init__(self, now: Callable[[], float] = lambda: 0.0):
        self.interfaces: dict[str, dict[str, Any]] = {}
        self.instances: dict[str, str] = {}
        self.types: dict[str, dict[str, Any]] = {}
        self.subnets: dict[str, dict[str, Any]] = {}
        self.tables: dict[str, dict[str, Any]] = {}
        self.attach_seconds = 0.0
        self.detach_seconds = 0.0
        self.stuck: set[str] = set()
        self.limit = 15
        self.denied: set[str] = set()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._now = now
        self._ends: dict[str, float] = {}
        self._faults: dict[str, list[Failure]] = {}
        self._lost: dict[str, int] = {}
        self._old: tuple[int, Any] = (0, None)
        self._state_lock = threading.RLock()

    # --- trouble ---

    def fail(self, operation: str, *failures: Failure) -> None:
        """The next calls of the operation fail so, one after the other, and do nothing."""
        self._faults.setdefault(operation, []).extend(failures)

    def lose_answer(self, operation: str) -> None:
        """The next call of the operation is done, and its answer is lost."""
        self._lost[operation] = self._lost.get(operation, 0) + 1

    def lag(self, reads: int) -> None:
        """So many reads tell what was before."""
        self._settle()
        self._old = (reads, copy.deepcopy((self.interfaces, self.tables)))

    def count(self, operation: str, **request: Any) -> int:
        """How many calls of the operation there were, with these members."""
        return len([1 for name, given in self.calls if name == operation and request.items() <= given.items()])

    # --- what there is ---

    def add_interface(self, eni_id: str = "eni-1", **more: Any) -> None:
        """A free ENI; `more` in EC2's words."""
        self.interfaces[eni_id] = {
            "NetworkInterfaceId": eni_id,
            "MacAddress": "02:00:00:00:00:50",
            "AvailabilityZone": "eu-central-1a",
            "SubnetId": "subnet-1",
            "VpcId": "vpc-1",
            "Status": "available",
            "InterfaceType": "interface",
            "SourceDestCheck": True,
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.50", "Primary": True}],
            **more,
        }

    def add_table(self, table_id: str, vpc_id: str = "vpc-1", tags: dict[str, str] | None = None) -> None:
        """An empty route table."""
        pairs = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        self.tables[table_id] = {"RouteTableId": table_id, "VpcId": vpc_id, "Routes": [], "Tags": pairs}

    def lead(self, table_id: str, eni_id: str, ip: IpAddress = IP) -> None:
        """Let a table lead somewhere."""
        block = {"DestinationIpv6CidrBlock" if ip.is_ipv6 else "DestinationCidrBlock": str(ip.network)}
        entry = {**block, "NetworkInterfaceId": eni_id, "State": "active", "Origin": "CreateRoute"}
        self.tables[table_id]["Routes"] = [entry]

    def hold(self, eni_id: str, instance_id: str, index: int = 1, card: int = 0) -> str:
        """Let an instance have the ENI; returns the id of the attachment."""
        attachment: dict[str, Any] = {
            "AttachmentId": f"eni-attach-{len(self._ends) + 1}",
            "Status": "attached",
            "InstanceId": instance_id,
            "DeviceIndex": index,
            "NetworkCardIndex": card,
            "DeleteOnTermination": False,
        }
        self._ends[attachment["AttachmentId"]] = 0.0
        self.instances.setdefault(instance_id, "running")
        self.interfaces[eni_id]["Attachment"] = attachment
        return str(attachment["AttachmentId"])

    def holder(self, eni_id: str) -> str | None:
        """Which instance has the ENI."""
        self._settle()
        holder: str | None = self.interfaces[eni_id].get("Attachment", {}).get("InstanceId")
        return holder

    def entry(self, table_id: str) -> dict[str, Any] | None:
        """The one route of a table."""
        routes = self.tables[table_id]["Routes"]
        return routes[0] if routes else None

    # --- Client ---

    def call(self, operation: str, *, retry: bool = True, **request: Any) -> dict[str, Any]:
        """As Client.call."""
        with self._state_lock:
            self.calls.append((operation, request))
            self._settle()
            if self._faults.get(operation):
                raise self._faults[operation].pop(0)
            if operation in self.denied:
                raise refusal(operation, "UnauthorizedOperation", "You are not authorized to perform this operation.")
            answer: dict[str, Any] = copy.deepcopy(getattr(self, f"_{operation}")(**request) or {})
            if self._lost.get(operation):
                self._lost[operation] -= 1
                raise refusal(operation, "InternalError", "connection reset")
            return answer

    def paginate(self, operation: str, member: str, **request: Any) -> list[dict[str, Any]]:
        """As Client.paginate."""
        members: list[dict[str, Any]] = self.call(operation, **request)[member]
        return members

    # --- reads ---

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        reads, old = self._old
        if not reads:
            return self.interfaces, self.tables
        self._old = (reads - 1, old)
        interfaces, tables = old
        return interfaces, tables

    def _describe_network_interfaces(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        members = {
            "network-interface-id": lambda eni: eni["NetworkInterfaceId"],
            "mac-address": lambda eni: eni["MacAddress"],
            "attachment.instance-id": lambda eni: eni.get("Attachment", {}).get("InstanceId"),
        }
        found = list(self._read()[0].values())
        for each in Filters:
            found = [eni for eni in found if members[each["Name"]](eni) in each["Values"]]
        return {"NetworkInterfaces": found}

    def _describe_subnets(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        return {"Subnets": [self.subnets[name] for name in Filters[0]["Values"] if name in self.subnets]}

    def _describe_instances(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        found = [each for each in Filters[0]["Values"] if each in self.instances]
        return {"Reservations": [{"Instances": [{"State": {"Name": self.instances[each]}}]} for each in found]}

    def _describe_instance_types(self, InstanceTypes: list[str]) -> dict[str, Any]:
        return {"InstanceTypes": [{"NetworkInfo": self.types[name]} for name in InstanceTypes if name in self.types]}

    def _describe_route_tables(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        def has(table: dict[str, Any], name: str, values: list[str]) -> bool:
            if name.startswith("tag:"):
                return any({"Key": name[4:], "Value": value} in table["Tags"] for value in values)
            return table[{"route-table-id": "RouteTableId", "vpc-id": "VpcId"}[name]] in values

        tables = self._read()[1].values()
        return {"RouteTables": [t for t in tables if all(has(t, f["Name"], f["Values"]) for f in Filters)]}

    # --- writes ---

    def _settle(self) -> None:
        for eni in self.interfaces.values():
            attachment = eni.get("Attachment")
            if attachment and self._now() >= self._ends.get(attachment["AttachmentId"], 0.0):
                if attachment["Status"] == "detaching":
                    del eni["Attachment"]
                elif attachment["Status"] == "attaching":
                    attachment["Status"] = "attached"

    def _attach_network_interface(
        self, NetworkInterfaceId: str, InstanceId: str, DeviceIndex: int, NetworkCardIndex: int, DryRun: bool = False
    ) -> dict[str, Any]:
        eni = self.interfaces[NetworkInterfaceId]
        if DryRun:
            return {}
        what = "attach_network_interface"
        if eni.get("Attachment"):
            raise refusal(what, "InvalidNetworkInterface.InUse", f"Interface {NetworkInterfaceId} in use")
        others = [each.get("Attachment", {}) for each in self.interfaces.values()]
        held = [each for each in others if each.get("InstanceId") == InstanceId and not each["NetworkCardIndex"]]
        if DeviceIndex in [each["DeviceIndex"] for each in held]:
            text = f"Instance '{InstanceId}' already has an interface attached at device index '{DeviceIndex}'."
            raise refusal(what, "InvalidParameterValue", text)
        if len(held) >= self.limit:
            raise refusal(what, "AttachmentLimitExceeded", f"Interface count {len(held) + 1} exceeds the limit")
        attachment_id = self.hold(NetworkInterfaceId, InstanceId, DeviceIndex)
        eni["Attachment"]["Status"] = "attaching" if self.attach_seconds else "attached"
        self._ends[attachment_id] = self._now() + self.attach_seconds
        return {"AttachmentId": attachment_id}

    def _detach_network_interface(self, AttachmentId: str, Force: bool = False, DryRun: bool = False) -> None:
        for eni_id, eni in self.interfaces.items():
            if eni.get("Attachment", {}).get("AttachmentId") != AttachmentId:
                continue
            if DryRun:
                return
            eni["Attachment"]["Status"] = "detaching"
            seconds = 0.0 if Force else float("inf") if eni_id in self.stuck else self.detach_seconds
            self._ends[AttachmentId] = self._now() + seconds
            return
        raise refusal("detach_network_interface", "InvalidAttachmentID.NotFound", f"'{AttachmentId}' does not exist")

    def _modify_network_interface_attribute(self, NetworkInterfaceId: str, DryRun: bool = False, **change: Any) -> None:
        eni = self.interfaces[NetworkInterfaceId]
        if DryRun:
            return
        if "SourceDestCheck" in change:
            eni["SourceDestCheck"] = change["SourceDestCheck"]["Value"]
        if "Attachment" in change:
            assert change["Attachment"]["AttachmentId"] == eni["Attachment"]["AttachmentId"]
            eni["Attachment"]["DeleteOnTermination"] = change["Attachment"]["DeleteOnTermination"]

    def _create_route(self, RouteTableId: str, NetworkInterfaceId: str, DryRun: bool = False, **block: Any) -> None:
        routes = self.tables[RouteTableId]["Routes"]
        if DryRun:
            return
        if any(block.items() <= route.items() for route in routes):
            raise refusal("create_route", "RouteAlreadyExists", "The route identified by it already exists.")
        routes.append({**block, "NetworkInterfaceId": NetworkInterfaceId, "State": "active", "Origin": "CreateRoute"})

    def _replace_route(self, RouteTableId: str, NetworkInterfaceId: str, DryRun: bool = False, **block: Any) -> None:
        if not DryRun:
            try:
                self._delete_route(RouteTableId, **block)
            except Failure:
                text = f"There is no route defined for '{next(iter(block.values()))}' in the route table."
                raise refusal("replace_route", "InvalidParameterValue", text) from None
            self._create_route(RouteTableId, NetworkInterfaceId, **block)

    def _delete_route(self, RouteTableId: str, DryRun: bool = False, **block: Any) -> None:
        routes = self.tables[RouteTableId]["Routes"]
        found = [route for route in routes if block.items() <= route.items()]
        if not found:
            raise refusal("delete_route", "InvalidRoute.NotFound", "no route with destination-cidr-block")
        if not DryRun:
            routes.remove(found[0])
