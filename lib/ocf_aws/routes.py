"""Entries for one address in VPC route tables: whose they are, and making them this instance's."""

from __future__ import annotations

from functools import partial

from ocf_aws.address import Ip
from ocf_aws.cloud import Denied, Rejected
from ocf_aws.parallel import outcomes, results
from ocf_aws.status import Failure, HardError, NotPermitted, SoftError, joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ocf_aws.cloud import Cloud
    from ocf_aws.deadline import Deadline
    from ocf_aws.log import Log
    from ocf_aws.selection import Selection


class Target:
    """Where entries are to point: the ENI, its instance, the VPC they are in."""

    def __init__(self, eni_id: str, instance_id: str, vpc_id: str | None):
        self.eni_id = eni_id
        self.instance_id = instance_id
        self.vpc_id = vpc_id


def find_target(cloud: Cloud, mac: str) -> Target | None:
    """The attached ENI with this MAC, in EC2's words. Raises as Cloud.call."""
    answer = cloud.call("describe_network_interfaces", Filters=[{"Name": "mac-address", "Values": [mac]}])
    for eni in answer["NetworkInterfaces"]:
        if instance_id := eni.get("Attachment", {}).get("InstanceId"):
            return Target(eni["NetworkInterfaceId"], instance_id, eni["VpcId"])
    return None


class Entry:
    """What one route table says of an address.

    table_id, vpc_id: of the table; vpc_id is None where the table does not exist, or cannot be seen.
    route: the entry in EC2's words, None where the table has none for the address.
    """

    def __init__(self, table_id: str, vpc_id: str | None, route: dict[str, Any] | None):
        self.table_id = table_id
        self.vpc_id = vpc_id
        self.route = route

    def points_to(self, target: Target) -> bool:
        """Whether packets for the address reach the target through this table."""
        return self.complaint(target) is None

    def is_of(self, target: Target) -> bool:
        """Whether the entry names the target's ENI, in whatever state."""
        return self.route is not None and self.route.get("NetworkInterfaceId") == target.eni_id

    @property
    def is_managed(self) -> bool:
        """Whether AWS made the entry (propagated from a gateway, advertised by a route server) and keeps it."""
        return self.route is not None and self.route.get("Origin") not in (
            None,
            "CreateRoute",
        )

    def complaint(self, target: Target) -> str | None:
        """Why packets for the address do not reach the target; None when they do."""
        route = self.route
        if self.vpc_id is None:
            return "does not exist, or this node's role cannot see it"
        if route is None:
            return "has no entry"
        holder = route.get("NetworkInterfaceId") or _other_target(route)
        instance = route.get("InstanceId")
        if self.is_managed:
            return f"has an entry that AWS keeps ({route['Origin']}, to {holder})"
        if route.get("NetworkInterfaceId") != target.eni_id:
            if instance and instance == target.instance_id:
                return f"points to {holder}, another ENI of this instance"
            return f"points to {holder}{f' of {instance}' if instance else ''}{' (blackhole)' * _is_blackhole(route)}"
        if _is_blackhole(route):
            return f"points to {holder} here, but is a blackhole"
        return None


def _is_blackhole(route: dict[str, Any]) -> bool:
    return route.get("State") == "blackhole"


def _other_target(route: dict[str, Any]) -> str:
    for key, value in route.items():
        if key.endswith(("GatewayId", "ConnectionId", "Arn")) or key == "InstanceId":
            return str(value)
    return "nothing that is left"


def describe(cloud: Cloud, selection: Selection, ip: Ip, vpc_id: str | None) -> list[Entry]:
    """The entry for `ip` in each table of the selection, by one call for all ids and one for each tag.

    vpc_id: the VPC whose tables tags select. Raises as Cloud.call, and HardError where a tag selects no table.
    """
    # Asked by filter, a table that is gone is left out of the answer; asked by id, it would hide all the others.
    questions: list[dict[str, list[str]]] = []
    if selection.ids:
        questions.append({"route-table-id": list(selection.ids)})
    for key, value in selection.tags:
        questions.append({f"tag:{key}": [value], "vpc-id": [vpc_id] if vpc_id else []})
    answers = results(*(partial(_tables, cloud, question) for question in questions))
    entries = {table_id: Entry(table_id, None, None) for table_id in selection.ids}
    for table in [table for answer in answers for table in answer]:
        table_id = table["RouteTableId"]
        entries[table_id] = Entry(table_id, table["VpcId"], _find_route(table, ip))
    for (key, value), answer in zip(reversed(selection.tags), reversed(answers)):
        if not answer:
            raise HardError(f"parameter 'routing_table': no route table of {vpc_id} has the tag {key}={value}")
    return list(entries.values())


def _tables(cloud: Cloud, question: dict[str, list[str]]) -> list[dict[str, Any]]:
    filters = [{"Name": name, "Values": values} for name, values in question.items() if values]
    return cloud.list("describe_route_tables", "RouteTables", Filters=filters)


def _find_route(table: dict[str, Any], ip: Ip) -> dict[str, Any] | None:
    routes: list[dict[str, Any]] = table["Routes"]
    for route in routes:
        block = route.get("DestinationIpv6CidrBlock" if ip.is_ipv6 else "DestinationCidrBlock")
        if block and block.endswith(f"/{ip.length}") and Ip(block) == ip:
            return route
    return None


def replace(cloud: Cloud, table_id: str, ip: Ip, eni_id: str, **more: Any) -> None:
    """Point the entry that a table has to the ENI. Raises as Cloud.call."""
    _write(cloud, "replace_route", table_id, ip, NetworkInterfaceId=eni_id, **more)


def create(cloud: Cloud, table_id: str, ip: Ip, eni_id: str, **more: Any) -> None:
    """Make the entry that a table lacks. Raises as Cloud.call."""
    _write(cloud, "create_route", table_id, ip, NetworkInterfaceId=eni_id, **more)


def delete(cloud: Cloud, table_id: str, ip: Ip, **more: Any) -> None:
    """Remove the entry. Raises as Cloud.call."""
    _write(cloud, "delete_route", table_id, ip, **more)


def _write(cloud: Cloud, operation: str, table_id: str, ip: Ip, **more: Any) -> None:
    destination = "DestinationIpv6CidrBlock" if ip.is_ipv6 else "DestinationCidrBlock"
    cloud.call(operation, retry=False, RouteTableId=table_id, **{destination: ip.cidr}, **more)


class Claim:
    """Making the entries for an address point to a target, in all tables at once.

    may_create: whether an entry that is missing may be created.
    """

    def __init__(
        self,
        cloud: Cloud,
        selection: Selection,
        ip: Ip,
        target: Target,
        may_create: bool,
        log: Log,
    ):
        self._cloud = cloud
        self._selection = selection
        self._ip = ip
        self.target = target
        self._may_create = may_create
        self._log = log
        self._failures: dict[str, Failure] = {}
        self._written: set[str] = set()

    def look(self) -> list[Entry]:
        """The entries as EC2 tells them now."""
        return describe(self._cloud, self._selection, self._ip, self.target.vpc_id)

    def make(self, entries: list[Entry], deadline: Deadline) -> None:
        """Write what is wrong in `entries`, and return once EC2 reads back right for all tables.

        A table that fails does not stop the others. Raises a Failure that names each table that failed.
        """
        for _ in deadline.pauses(first=0.01):
            if self._written or self._failures:
                entries = self.look()
            wrong = [e for e in entries if not e.points_to(self.target)]
            self._write([e for e in wrong if self._is_open(e)])
            # Reads may lag behind a write that has succeeded ("Eventual consistency", EC2 developer guide).
            if not any(self._is_open(e) or e.table_id in self._written for e in wrong):
                break
        self._report([e for e in entries if not e.points_to(self.target)])

    def _is_open(self, entry: Entry) -> bool:
        """Whether a write may still help: none was accepted yet, and none was refused for good."""
        failure = self._failures.get(entry.table_id)
        return entry.table_id not in self._written and not isinstance(failure, HardError)

    def _write(self, entries: list[Entry]) -> None:
        failed = dict(self._failed(entries, self._write_one))
        self._failures.update(failed)
        for table_id in {entry.table_id for entry in entries} - set(failed):
            self._failures.pop(table_id, None)
            self._written.add(table_id)

    def _failed(self, entries: list[Entry], act: Callable[[Entry], None]) -> list[tuple[str, Failure]]:
        """Act on all entries at once; returns the failures, each with the id of its table."""
        found = outcomes(partial(act, entry) for entry in entries)
        return [(e.table_id, failure) for e, failure in zip(entries, found) if isinstance(failure, Failure)]

    def _write_one(self, entry: Entry, **more: Any) -> None:
        """Let one table's entry point to the target; `more` may say DryRun. Raises Failure."""
        complaint = entry.complaint(self.target)
        if entry.vpc_id is None or entry.is_managed:
            raise HardError(str(complaint))
        if entry.route is not None:
            replace(self._cloud, entry.table_id, self._ip, self.target.eni_id, **more)
        elif self._may_create:
            self._create(entry.table_id, **more)
        else:
            raise HardError("has no entry, and create_route=false: create it once")
        if not more:
            self._log.info(f"{entry.table_id} {complaint}; now {self._ip.cidr} points to {self.target.eni_id}")

    def _create(self, table_id: str, **more: Any) -> None:
        try:
            create(self._cloud, table_id, self._ip, self.target.eni_id, **more)
        except Rejected as error:
            if error.code != "RouteAlreadyExists":
                raise
            # Somebody was faster, or the read that showed no entry was old.
            replace(self._cloud, table_id, self._ip, self.target.eni_id, **more)
        except Denied as error:
            raise NotPermitted(f"has no entry: create it once, or {error}") from error

    def _report(self, wrong: list[Entry]) -> None:
        """Raise what is to be said of the tables that are still wrong, if any."""
        if not wrong:
            return
        failures = []
        for entry in wrong:
            stale = SoftError(f"was written, but EC2 still says that it {entry.complaint(self.target)}")
            failures.append((entry.table_id, self._failures.get(entry.table_id, stale)))
        raise joined(failures)

    def release(self, entries: list[Entry]) -> None:
        """Delete the entries that point to the target, at once. Raises a Failure that names each table that failed."""
        mine = [entry for entry in entries if entry.is_of(self.target)]
        if failed := self._failed(mine, lambda entry: delete(self._cloud, entry.table_id, self._ip)):
            raise joined(failed)

    def rehearse(self, entries: list[Entry], deleting: bool) -> None:
        """Ask EC2 by DryRun whether the entries could be written, and deleted if that is to be done.

        Raises a Failure that names each table where not.
        """
        failed = self._failed(entries, partial(self._write_one, DryRun=True))
        if deleting:
            there = [entry for entry in entries if entry.route is not None]
            failed += self._failed(there, lambda e: delete(self._cloud, e.table_id, self._ip, DryRun=True))
        if failed:
            raise joined(failed)
