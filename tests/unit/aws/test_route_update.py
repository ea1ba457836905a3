"""Making the routes for one address this instance's, in all tables at once."""

from __future__ import annotations

import io
from typing import Any

import pytest

from ocf_aws.aws.errors import AccessDenied, Unanswered
from ocf_aws.aws.route_tables import Route, Target
from ocf_aws.aws.route_update import RouteUpdate, Takeover
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import REASON_LENGTH, SETTLE_SECONDS, Failure, HardError, Unknown
from ocf_aws.ocf.log import Log
from ocf_aws.parameters import RouteTableSelector
from unit.fakes.clock import Clock
from unit.fakes.ec2 import FakeEc2, refusal

IP = IpAddress.parse("192.168.10.10")
IP6 = IpAddress.parse("fd00::10")
HERE = Target("eni-here", "i-here", "vpc-1")
ONE, TWO, THREE = "rtb-1", "rtb-2", "rtb-3"


def holders(ec2: FakeEc2) -> list[str | None]:
    """Where each table leads."""
    return [(ec2.entry(table_id) or {}).get("NetworkInterfaceId") for table_id in sorted(ec2.tables)]


class Update:
    """An update of the tables, on the clock that nobody waits for."""

    def __init__(self, ec2: FakeEc2, clock: Clock, log: Log):
        self._ec2, self._clock, self._log = ec2, clock, log

    def __call__(self, *table_ids: str, ip: IpAddress = IP, may_create: bool = True) -> RouteUpdate:
        selector = RouteTableSelector(table_ids or (ONE, TWO, THREE), ())
        return RouteUpdate(self._ec2, selector, ip, HERE, may_create, self._log)

    def apply(self, *table_ids: str, **how: Any) -> float:
        """Apply it; returns the seconds that it took."""
        began = self._clock.now
        update = self(*table_ids, **how)
        update.apply(update.describe(), Deadline(began + 60))
        return self._clock.now - began

    def failure(self, *table_ids: str, **how: Any) -> Failure:
        """What applying it fails with."""
        with pytest.raises(Failure) as failure:
            self.apply(*table_ids, **how)
        assert len(str(failure.value)) <= REASON_LENGTH
        return failure.value


@pytest.fixture
def update(tables: FakeEc2, clock: Clock, log: Log) -> Update:
    return Update(tables, clock, log)


def test_all_tables_lead_here_at_once(update: Update, tables: FakeEc2) -> None:
    assert update.apply() < 1
    assert holders(tables) == ["eni-here"] * 3
    assert tables.count("replace_route") == 3 and tables.count("describe_route_tables") == 2


@pytest.mark.parametrize(
    "selector", [RouteTableSelector((TWO, THREE), ()), RouteTableSelector((), (("Cluster", "hana"),))]
)
def test_an_old_answer_that_says_here_is_not_believed_where_the_address_is_new(
    tables: FakeEc2, log: Log, selector: RouteTableSelector
) -> None:
    for table_id in (TWO, THREE):
        tables.lead(table_id, "eni-here")
    tables.lag(reads=2)
    for table_id in (TWO, THREE):
        tables.lead(table_id, "eni-there")
    update = RouteUpdate(tables, selector, IP, HERE, True, log)
    update.apply(update.replace_unseen(Takeover(Deadline(1060))), Deadline(1060))
    assert holders(tables) == ["eni-there", "eni-here", "eni-here"]


def lead_back(tables: FakeEc2, reads: int) -> None:
    """So many reads tell that the tables lead here, where they lead there by now."""
    for table_id in (ONE, TWO, THREE):
        tables.lead(table_id, "eni-here")
    tables.lag(reads=reads)
    for table_id in (ONE, TWO, THREE):
        tables.lead(table_id, "eni-there")


THROTTLED = refusal("replace_route", "RequestLimitExceeded")


def test_an_old_answer_is_not_believed_after_a_write_that_was_not_accepted(update: Update, tables: FakeEc2) -> None:
    lead_back(tables, reads=99)
    tables.fail("replace_route", *[THROTTLED] * 3)
    takeover = Takeover(Deadline(1060))
    new = update()
    new.apply(new.replace_unseen(takeover), Deadline(1060))
    assert tables.count("replace_route") == 6 and takeover.accepted == {ONE, TWO, THREE}
    assert holders(tables) == ["eni-here"] * 3


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "InvalidRoute.NotFound"])
def test_what_ec2_tells_for_ten_seconds_counts_where_no_write_is_accepted(
    update: Update, tables: FakeEc2, clock: Clock, code: str
) -> None:
    # A start that fails bans the node, and EC2 says all the time that the routes are right.
    tables.fail("replace_route", *[refusal("replace_route", code)] * 999)
    for table_id in (ONE, TWO, THREE):
        tables.lead(table_id, "eni-here")
    new = update()
    new.apply(new.replace_unseen(Takeover(Deadline(1060))), Deadline(1060))
    assert SETTLE_SECONDS - 3 <= clock.now - 1000 <= SETTLE_SECONDS + 1
    # A route that is missing, as the last one says, is replaced once more after it was created.
    assert tables.count("replace_route") <= 3 * 2 * 8


def test_what_ec2_told_last_counts_where_there_is_no_time_left(update: Update, tables: FakeEc2, clock: Clock) -> None:
    tables.fail("replace_route", *[THROTTLED] * 999)
    for table_id in (ONE, TWO, THREE):
        tables.lead(table_id, "eni-here")
    new = update()
    new.apply(new.replace_unseen(Takeover(Deadline(1060))), Deadline(1004))
    assert clock.now < 1004.1


def test_the_next_attempt_writes_only_what_was_not_accepted(update: Update, tables: FakeEc2) -> None:
    lead_back(tables, reads=0)
    takeover = Takeover(Deadline(1060))
    takeover.accepted |= {ONE, TWO}
    for table_id in takeover.accepted:
        tables.lead(table_id, "eni-here")
    new = update()
    new.apply(new.replace_unseen(takeover), Deadline(1060))
    assert tables.count("replace_route") == 1 and takeover.accepted == {ONE, TWO, THREE}
    assert holders(tables) == ["eni-here"] * 3


def test_a_right_that_is_missing_fails_no_start_where_the_routes_lead_here(update: Update, tables: FakeEc2) -> None:
    for table_id in (ONE, TWO, THREE):
        tables.lead(table_id, "eni-here")
    tables.denied.add("replace_route")
    new = update()
    new.apply(new.replace_unseen(Takeover(Deadline(1060))), Deadline(1060))


def test_what_is_right_is_left_alone(update: Update, tables: FakeEc2) -> None:
    for table_id in (ONE, TWO, THREE):
        tables.lead(table_id, "eni-here")
    assert update.apply() == 0
    assert not tables.count("replace_route") and tables.count("describe_route_tables") == 1


def test_a_missing_route_is_created(update: Update, tables: FakeEc2) -> None:
    tables.tables[TWO]["Routes"] = []
    update.apply()
    assert holders(tables) == ["eni-here"] * 3 and tables.count("create_route") == 1


def test_an_ipv6_address_has_an_ipv6_route(update: Update, tables: FakeEc2) -> None:
    update.apply(ONE, ip=IP6)
    blocks = [entry.get("DestinationIpv6CidrBlock") for entry in tables.tables[ONE]["Routes"]]
    assert blocks == [None, "fd00::10/128"]


def test_a_missing_route_that_must_not_be_created_is_reported(update: Update, tables: FakeEc2) -> None:
    tables.tables[TWO]["Routes"] = []
    failure = update.failure(may_create=False)
    assert type(failure) is HardError and "rtb-2: has no route for it, and create_route=false" in str(failure)
    assert holders(tables) == ["eni-here", None, "eni-here"]


def test_a_route_that_the_other_node_s_stop_has_just_deleted_is_created(update: Update, tables: FakeEc2) -> None:
    tables.tables[ONE]["Routes"] = []
    stale = Route(ONE, "vpc-1", {"NetworkInterfaceId": "eni-there"})
    update(ONE).apply([stale], Deadline(1060))
    assert holders(tables)[0] == "eni-here"


def test_a_route_that_somebody_has_just_created_is_replaced(update: Update, tables: FakeEc2) -> None:
    update(ONE).apply([Route(ONE, "vpc-1", None)], Deadline(1060))
    assert holders(tables)[0] == "eni-here"


def test_a_route_that_aws_keeps_is_a_conflict_and_not_overwritten(update: Update, tables: FakeEc2) -> None:
    tables.tables[ONE]["Routes"][0]["Origin"] = "EnableVgwRoutePropagation"
    failure = update.failure(ONE)
    assert type(failure) is HardError and "has a route that AWS keeps" in str(failure)
    assert not tables.count("replace_route")


def test_a_table_that_fails_does_not_stop_the_others(update: Update, tables: FakeEc2) -> None:
    tables.fail("replace_route", refusal("replace_route", "InvalidParameterValue", "odd"))
    failure = update.failure()
    assert failure.certain_after == SETTLE_SECONDS
    assert sorted(map(str, holders(tables))) == ["eni-here", "eni-here", "eni-there"]


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "InternalError", "ExpiredToken"])
def test_a_write_without_an_answer_is_looked_at_and_made_again(update: Update, tables: FakeEc2, code: str) -> None:
    tables.fail("replace_route", *[refusal("replace_route", code)] * 4)
    assert update.apply() < 2
    assert holders(tables) == ["eni-here"] * 3


def test_a_write_whose_answer_was_lost_is_never_made_twice(update: Update, tables: FakeEc2) -> None:
    tables.lose_answer("replace_route")
    update.apply(ONE)
    assert tables.count("replace_route") == 1


def test_reads_that_lag_behind_a_write_do_not_lead_to_a_second_one(update: Update, tables: FakeEc2) -> None:
    tables.lag(reads=10)
    update.apply(ONE)
    assert tables.count("replace_route") == 1 and holders(tables)[0] == "eni-here"


def test_reads_that_contradict_a_write_for_ten_seconds_are_unknown(
    update: Update, tables: FakeEc2, clock: Clock
) -> None:
    tables.lag(reads=999)
    failure = update.failure(ONE)
    assert isinstance(failure, Unknown)
    assert str(failure) == "rtb-1: was written, but EC2 still says that it sends it to eni-there, not here"
    assert SETTLE_SECONDS - 2 <= clock.now - 1000 <= SETTLE_SECONDS + 2


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "UnauthorizedOperation"])
def test_a_write_that_cannot_be_read_back_is_a_success(
    update: Update, tables: FakeEc2, stderr: io.StringIO, code: str
) -> None:
    routes = update().describe()
    tables.fail("describe_route_tables", *[refusal("describe_route_tables", code)] * 99)
    update().apply(routes, Deadline(1060))
    assert holders(tables) == ["eni-here"] * 3
    assert "WARNING: written, but not read back: " in stderr.getvalue()


def test_a_failed_write_that_cannot_be_read_back_is_no_success(update: Update, tables: FakeEc2) -> None:
    routes = update(ONE).describe()
    tables.fail("describe_route_tables", *[refusal("describe_route_tables", "RequestLimitExceeded")] * 99)
    tables.fail("replace_route", refusal("replace_route", "InternalError"))
    with pytest.raises(Unanswered, match="RequestLimitExceeded"):
        update(ONE).apply(routes, Deadline(1060))


def test_one_of_several_tables_that_is_gone_is_warned_of(update: Update, tables: FakeEc2, stderr: io.StringIO) -> None:
    del tables.tables[TWO]
    assert update.apply() < 1
    assert holders(tables) == ["eni-here"] * 2
    assert "WARNING: rtb-2 not found: wrong id or region" in stderr.getvalue()


def test_without_any_table_the_update_fails_and_names_them_all(update: Update, tables: FakeEc2) -> None:
    tables.tables.clear()
    failure = update.failure()
    assert type(failure) is HardError and failure.certain_after == SETTLE_SECONDS
    assert str(failure).startswith("rtb-1, rtb-2, rtb-3: not found: wrong id or region")


def test_a_right_that_is_missing_is_told_once_for_all_tables(update: Update, tables: FakeEc2) -> None:
    tables.denied.add("replace_route")
    failure = update.failure()
    assert failure.status == 4 and failure.certain_after == SETTLE_SECONDS
    assert str(failure) == "allow ec2:ReplaceRoute on rtb-1, rtb-2, rtb-3 in IAM (UnauthorizedOperation)"


def test_a_missing_right_to_create_tells_that_the_route_can_be_created_once(update: Update, tables: FakeEc2) -> None:
    tables.tables[ONE]["Routes"] = []
    tables.denied.add("create_route")
    assert str(update.failure(ONE)).startswith("rtb-1: no route: create it once, or allow ec2:CreateRoute")


# --- deleting, others, dry run ----------------------------------------------------------------------------------------


def test_only_routes_that_lead_here_are_deleted(update: Update, tables: FakeEc2) -> None:
    tables.lead(TWO, "eni-here")
    tables.tables[TWO]["Routes"][0]["State"] = "blackhole"
    update().delete(update().describe())
    assert holders(tables) == ["eni-there", None, "eni-there"]


def test_a_deletion_that_fails_names_the_table(update: Update, tables: FakeEc2) -> None:
    tables.lead(TWO, "eni-here")
    tables.denied.add("delete_route")
    with pytest.raises(Failure, match="allow ec2:DeleteRoute on rtb-2 in IAM"):
        update().delete(update().describe())


def test_tables_of_the_vpc_that_lead_here_and_are_not_selected_are_told(update: Update, tables: FakeEc2) -> None:
    tables.add_table("rtb-other", "vpc-2")
    for table_id in (ONE, TWO, "rtb-other"):
        tables.lead(table_id, "eni-here")
    assert [each.table_id for each in update(ONE).describe_others()] == [TWO]


@pytest.mark.parametrize("right", ["replace_route", "create_route", "delete_route"])
def test_a_dry_run_asks_for_each_right_and_changes_nothing(update: Update, tables: FakeEc2, right: str) -> None:
    tables.tables[ONE]["Routes"] = []
    before = holders(tables)
    update().dry_run(update().describe(), is_deleting=True)
    tables.denied.add(right)
    with pytest.raises(Failure) as failure:
        update().dry_run(update().describe(), is_deleting=True)
    assert failure.value.status == AccessDenied.status and "allow ec2:" in str(failure.value)
    assert holders(tables) == before


def test_a_dry_run_does_not_ask_to_delete_where_nothing_is_deleted(update: Update, tables: FakeEc2) -> None:
    tables.denied.add("delete_route")
    update().dry_run(update().describe(), is_deleting=False)


# --- a monitor's look -------------------------------------------------------------------------------------------------


def test_there_is_no_problem_where_every_table_leads_here(update: Update, tables: FakeEc2) -> None:
    for table_id in (ONE, TWO, THREE):
        tables.lead(table_id, "eni-here")
    assert update().find_problem() is None


def test_each_table_that_leads_elsewhere_is_named(update: Update, tables: FakeEc2) -> None:
    tables.lead(TWO, "eni-here")
    assert update().find_problem() == "rtb-1 sends it to eni-there, not here; rtb-3 sends it to eni-there, not here"


def test_a_table_that_cannot_be_seen_is_only_warned_of(update: Update, tables: FakeEc2, stderr: io.StringIO) -> None:
    tables.lead(ONE, "eni-here")
    assert update(ONE, "rtb-9").find_problem() is None
    assert "WARNING: rtb-9 not found" in stderr.getvalue()
