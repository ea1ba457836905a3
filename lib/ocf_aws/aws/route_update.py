"""Making the routes for one address this instance's, in all route tables at once."""

from __future__ import annotations

from functools import partial
from threading import Event

from ocf_aws.aws.errors import AccessDenied, Conflict, NotFound, Rejected
from ocf_aws.aws.route_tables import Route, Target, describe_routes, describe_tables, find_entry
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.errors import SETTLE_SECONDS, Failure, HardError, Unknown, combine, shorten
from ocf_aws.threads import BackgroundThread, outcomes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ocf_aws.aws.client import Client
    from ocf_aws.ocf.deadline import Deadline
    from ocf_aws.ocf.log import Log
    from ocf_aws.parameters import RouteTableSelector

_FIRST_READ_BACK = 0.05
"""Seconds after a write went out until it is read back, at the latest: an answer may take longer."""

_READ_PAUSES = (0.01, 1.0)
"""Seconds until an answer that is old is asked for again: the first time, and at most."""

_WRITE_PAUSES = (1.0, 2.0)
"""The same until a route that reads right is written again: often enough for one that EC2 throttles."""


class Takeover:
    """That an address has just come to this node, of which nobody else sends the routes elsewhere any more.

    EC2 may still tell that they lead here, from before another node had them. deadline: of the action.
    accepted: the tables whose write EC2 has accepted since. For SETTLE_SECONDS the others are not believed to lead here.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.accepted: set[str] = set()
        self._doubt = deadline.within(SETTLE_SECONDS)

    def believes(self, table_id: str) -> bool:
        """Whether what EC2 tells of a table is no old answer."""
        return table_id in self.accepted or not self._doubt.left()


class RouteUpdate:
    """Making the routes for an address lead to a target, in all tables at once.

    may_create: whether a route that is missing may be created.
    """

    def __init__(
        self, ec2: Client, selector: RouteTableSelector, ip: IpAddress, target: Target, may_create: bool, log: Log
    ):
        self._ec2 = ec2
        self._selector = selector
        self._ip = ip
        self.target = target
        self._may_create = may_create
        self._log = log
        self._failures: dict[str, Failure] = {}
        self._written: set[str] = set()
        self._takeover: Takeover | None = None

    def describe(self) -> list[Route]:
        """The routes as EC2 tells them now. Raises as Client.call."""
        return describe_routes(self._ec2, self._selector, self._ip, self.target.vpc_id)

    def find_problem(self) -> str | None:
        """Which tables send packets elsewhere, in words; None where none does. Raises as Client.call."""
        wrong = [route for route in self.describe() if not route.leads_to(self.target)]
        problems = [f"{route.table_id} {route.problem(self.target)}" for route in wrong]
        if any(route.is_visible for route in wrong):
            return "; ".join(problems)
        for problem in problems:
            # Whether a table is gone or hidden, EC2 does not tell; and no restart brings it back.
            self._log.warning(problem)
        return None

    def describe_others(self) -> list[Route]:
        """The routes for the address that lead to the target by tables of its VPC that are not selected.

        Raises as Client.call.
        """
        selected = {route.table_id for route in self.describe()}
        tables = describe_tables(self._ec2, {"vpc-id": [self.target.vpc_id]})
        routes = [Route(table["RouteTableId"], table["VpcId"], find_entry(table, self._ip)) for table in tables]
        return [route for route in routes if route.names(self.target) and route.table_id not in selected]

    def apply(self, routes: list[Route], deadline: Deadline) -> None:
        """Write what is wrong in `routes`, and return once EC2 reads back right.

        A table that fails does not stop the others. One of several that is not found is warned of. Raises a Failure that
        names each table that failed.
        """
        if not self._is_settled(routes):
            is_wrong = any(not route.leads_to(self.target) for route in routes)
            for _ in deadline.within(SETTLE_SECONDS).attempts(*(_READ_PAUSES if is_wrong else _WRITE_PAUSES)):
                try:
                    # Reads may lag behind a write that has succeeded ("Eventual consistency", EC2 developer guide).
                    routes = self._write([route for route in routes if self._is_open(route)], self._write_one, routes)
                except Unknown:
                    if deadline.left():
                        raise
                    # What EC2 told last counts.
                    break
                if self._is_settled(routes):
                    break
        self._report(routes)

    def replace_unseen(self, takeover: Takeover) -> list[Route]:
        """Replace the routes before looking at them, and return them as EC2 tells them then. Raises as Client.call.

        It saves the time of one call. What ReplaceRoute refuses (there is no route, AWS keeps the route) is left as it is.
        Where tags select the tables, a look at which they are comes first.
        """
        self._takeover = takeover
        found = (
            self.describe() if self._selector.tags else [Route(table_id, "", None) for table_id in self._selector.ids]
        )
        unseen = [route for route in found if not route.is_managed and route.table_id not in takeover.accepted]
        routes = self._write(unseen, self._replace_unseen, found)
        # What is to be said of a table, the look at it tells.
        self._failures.clear()
        return routes

    def _is_settled(self, routes: list[Route]) -> bool:
        """Whether nothing is left to write, nor a write to read back."""
        wrong = [route for route in routes if not self._is_right(route)]
        return not any(self._is_open(route) or route.table_id in self._written for route in wrong)

    def _write(self, wrong: list[Route], act: Callable[[Route], None], routes: list[Route]) -> list[Route]:
        """Act on those routes, and return all of them as EC2 tells them then. Raises as Client.call."""
        is_written = Event()

        def read() -> list[Route]:
            is_written.wait(_FIRST_READ_BACK)
            return self.describe()

        # EC2 has mostly done a write some time before it answers it.
        reading = BackgroundThread(read)
        failed = dict(self._failed(wrong, act))
        is_written.set()
        self._failures.update(failed)
        for table_id in {route.table_id for route in wrong} - set(failed):
            self._failures.pop(table_id, None)
            self._written.add(table_id)
            if self._takeover:
                self._takeover.accepted.add(table_id)
        # Whether a write was done whose answer was lost, only a read after it can tell.
        return self._read_back(self.describe if failed else reading.result, routes)

    def _read_back(self, read: Callable[[], list[Route]], routes: list[Route]) -> list[Route]:
        try:
            return read()
        except Failure as error:
            if self._failures:
                raise
            # EC2 has accepted every write: a start that fails would take the service away again.
            self._log.warning(f"written, but not read back: {error.full_text}")
            entry = {"NetworkInterfaceId": self.target.eni_id}
            accepted = self._written | (self._takeover.accepted if self._takeover else set())
            return [route._replace(entry=entry) if route.table_id in accepted else route for route in routes]

    def _is_right(self, route: Route) -> bool:
        """Whether it leads to the target, and is known to be no old answer."""
        return route.leads_to(self.target) and (self._takeover is None or self._takeover.believes(route.table_id))

    def _is_open(self, route: Route) -> bool:
        """Whether a write may help: the route is wrong, none was accepted yet, and none was refused for good."""
        if self._is_right(route):
            return False
        failure = self._failures.get(route.table_id)
        return route.table_id not in self._written and not isinstance(failure, HardError)

    def _failed(self, routes: list[Route], act: Callable[[Route], None]) -> list[tuple[str, Failure]]:
        """Act on all routes at once; returns the failures, each with the id of its table."""
        found = outcomes(partial(act, route) for route in routes)
        return [(r.table_id, failure) for r, failure in zip(routes, found) if isinstance(failure, Failure)]

    def _write_one(self, route: Route, **more: Any) -> None:
        """Let one table's route lead to the target; `more` may say DryRun. Raises Failure."""
        problem = route.problem(self.target)
        if not route.is_visible:
            raise NotFound(str(problem))
        if route.is_managed:
            raise Conflict(str(problem))
        if route.entry is not None:
            self._replace(route.table_id, **more)
        else:
            self._create(route.table_id, **more)
        if not more:
            before = f"{problem}; now it" if problem else "now"
            self._log.info(f"{route.table_id} {before} sends {self._ip} to {self.target.eni_id}")

    def _replace_unseen(self, route: Route) -> None:
        self._call("replace_route", route.table_id, NetworkInterfaceId=self.target.eni_id)
        self._log.info(f"{route.table_id} now sends {self._ip} to {self.target.eni_id}")

    def _replace(self, table_id: str, **more: Any) -> None:
        try:
            self._call("replace_route", table_id, NetworkInterfaceId=self.target.eni_id, **more)
        except Rejected as error:
            if not _says_no_route(error):
                raise
            # The other node's stop deleted it a moment ago.
            self._create(table_id, **more)

    def _create(self, table_id: str, **more: Any) -> None:
        if not self._may_create:
            raise Conflict("has no route for it, and create_route=false: create it once")
        try:
            self._call("create_route", table_id, NetworkInterfaceId=self.target.eni_id, **more)
        except Rejected as error:
            if error.code != "RouteAlreadyExists":
                raise
            # Somebody was faster, or the read that showed no route was old.
            self._call("replace_route", table_id, NetworkInterfaceId=self.target.eni_id, **more)
        except AccessDenied as error:
            raise AccessDenied(
                "no route: create it once, or allow ec2:CreateRoute (UnauthorizedOperation)", error.detail
            ) from error

    def _delete(self, route: Route, **more: Any) -> None:
        self._call("delete_route", route.table_id, **more)

    def _call(self, operation: str, table_id: str, **more: Any) -> None:
        destination = "DestinationIpv6CidrBlock" if self._ip.is_ipv6 else "DestinationCidrBlock"
        request = {"RouteTableId": table_id, destination: str(self._ip.network), **more}
        self._ec2.call(operation, retry=False, **request)

    def _report(self, routes: list[Route]) -> None:
        """Raise what is to be said of the tables that are still wrong, if any."""
        failures: list[tuple[str, Failure]] = []
        for route in routes:
            problem = route.problem(self.target)
            if problem and not route.is_visible and any(other.is_visible for other in routes):
                self._log.warning(f"{route.table_id} {problem}")
            elif problem:
                old = Unknown(shorten(f"was written, but EC2 still says that it {problem}", 100))
                failures.append((route.table_id, self._failures.get(route.table_id, old)))
            elif route.table_id in self._failures:
                # Told for long enough, or there is no time left to doubt it: a start that fails would ban the node.
                self._log.warning(
                    f"{route.table_id} leads here, but was not written: {self._failures[route.table_id].full_text}"
                )
        if failures:
            raise combine(failures)

    def delete(self, routes: list[Route]) -> None:
        """Delete the routes that lead to the target, at once. Raises a Failure that names each table that failed."""
        mine = [route for route in routes if route.names(self.target)]
        if failed := self._failed(mine, self._delete):
            raise combine(failed)

    def dry_run(self, routes: list[Route], is_deleting: bool) -> None:
        """Ask EC2 by DryRun whether the routes could be written, and deleted if that is to be done.

        Raises a Failure that names each table where not.
        """
        if failed := self.dry_run_failures(routes, is_deleting):
            raise combine(failed)

    def dry_run_failures(self, routes: list[Route], is_deleting: bool) -> list[tuple[str, Failure]]:
        """As dry_run, but returns why not, each with the id of its table."""
        failed = self._failed(routes, partial(self._write_one, DryRun=True))
        if is_deleting:
            present = [route for route in routes if route.entry is not None]
            failed += self._failed(present, partial(self._delete, DryRun=True))
        return failed


def _says_no_route(error: Rejected) -> bool:
    """Whether ReplaceRoute found nothing to replace.

    EC2 answers InvalidParameterValue ("There is no route defined for ..."), and by its documentation InvalidRoute.NotFound.
    """
    return error.code == "InvalidRoute.NotFound" or (
        error.code == "InvalidParameterValue" and "no route defined" in error.full_text
    )
