"""Calls to a service: retried and bounded, paged, with new credentials where they are refused."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ocf_aws.aws import client as client_module
from ocf_aws.aws.client import Client, assume_role, open_ec2, session_name, user_agent
from ocf_aws.aws.errors import AccessDenied, CredentialsRefused, NoCredentials, Rejected, Unanswered, failure
from ocf_aws.aws.imds import Imds
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import Failure, Unknown
from ocf_aws.ocf.log import Log
from ocf_aws.ocf.runtime import Context
from unit.fakes.clock import Clock

UNANSWERED = Unanswered("ec2:DescribeSubnets: no answer")


class FakeService:
    """A client of botocore's, as far as call_name looks at it; `answers` are given one after the other."""

    def __init__(self, *answers: Any, service: str = "ec2"):
        self.meta = SimpleNamespace(
            service_model=SimpleNamespace(endpoint_prefix=service),
            method_to_api_mapping={"describe_subnets": "DescribeSubnets", "assume_role": "AssumeRole"},
        )
        self.answers = list(answers)
        self.requests: list[Mapping[str, Any]] = []


def fake_invoke(service: FakeService, operation: str, request: Mapping[str, Any]) -> Any:
    """In place of session.invoke: the next answer, or the next failure, the last one for ever."""
    service.requests.append(dict(request))
    answer = service.answers.pop(0) if len(service.answers) > 1 else service.answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer() if callable(answer) else answer


@pytest.fixture(autouse=True)
def invoke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "invoke", fake_invoke)


def make(service: FakeService, log: Log, seconds: float = 10, of_action: float = 180) -> Client:
    return Client(lambda: service, Deadline.of_action(of_action), seconds, log)


def test_an_answer_is_returned(log: Log) -> None:
    service = FakeService({"Subnets": [1]})
    assert make(service, log).call("describe_subnets", SubnetIds=["s"]) == {"Subnets": [1]}
    assert service.requests == [{"SubnetIds": ["s"]}]


def test_a_call_without_an_answer_is_made_again_until_its_time_is_over(clock: Clock, log: Log) -> None:
    service = FakeService(UNANSWERED, UNANSWERED, {"Subnets": []})
    assert make(service, log).call("describe_subnets") == {"Subnets": []}
    dead = FakeService(UNANSWERED)
    began = clock.now
    with pytest.raises(Unanswered, match="ec2:DescribeSubnets: no answer"):
        make(dead, log).call("describe_subnets")
    assert 7 <= clock.now - began <= 10 and 5 <= len(dead.requests) <= 20


def test_the_action_s_own_deadline_ends_a_call_too(clock: Clock, log: Log) -> None:
    client = make(FakeService(UNANSWERED), log, seconds=100, of_action=5)
    began = clock.now
    with pytest.raises(Unanswered):
        client.call("describe_subnets")
    assert clock.now - began <= 4.5


def test_a_change_without_an_answer_is_not_made_again(clock: Clock, log: Log) -> None:
    service = FakeService(UNANSWERED)
    with pytest.raises(Unanswered):
        make(service, log).call("describe_subnets", retry=False)
    assert len(service.requests) == 1


@pytest.mark.parametrize("kind", [Rejected, AccessDenied, NoCredentials])
def test_a_refusal_is_not_asked_again(clock: Clock, log: Log, kind: type[Failure]) -> None:
    service = FakeService(kind("no"))
    with pytest.raises(kind):
        make(service, log).call("describe_subnets")
    assert len(service.requests) == 1


def test_a_call_that_hangs_is_given_up(log: Log) -> None:
    hang = threading.Event()
    began = time.monotonic()
    with pytest.raises(Unknown, match="ec2:DescribeSubnets: no answer within 0.3 s"):
        make(FakeService(hang.wait), log, seconds=0.3).call("describe_subnets")
    assert time.monotonic() - began < 5
    hang.set()


def test_each_attempt_and_its_time_is_told_to_who_debugs(clock: Clock) -> None:
    stderr = io.StringIO()
    log = Log("a", "r", {"HA_debug": "1"}, stderr)
    make(FakeService(UNANSWERED, {"Subnets": []}), log).call("describe_subnets")
    refused, answered = stderr.getvalue().splitlines()
    assert "DEBUG: ec2:DescribeSubnets: no answer" in refused
    assert re.search(r"DEBUG: ec2:DescribeSubnets: answered after \d+\.\d{3} s$", answered)


# --- credentials ------------------------------------------------------------------------------------------------------

EXPIRED = CredentialsRefused("ec2:DescribeSubnets: EC2 does not accept the credentials (ExpiredToken)")


@pytest.mark.parametrize("retry", [True, False])
def test_refused_credentials_are_renewed_even_for_a_change(clock: Clock, log: Log, retry: bool) -> None:
    services = [FakeService(EXPIRED), FakeService({"Subnets": [1]})]
    connected: list[FakeService] = []

    def connect() -> FakeService:
        connected.append(services[len(connected)])
        return connected[-1]

    client = Client(connect, Deadline.of_action(180), 10, log)
    assert client.call("describe_subnets", retry=retry) == {"Subnets": [1]}
    assert client.call("describe_subnets") == {"Subnets": [1]}
    assert len(connected) == 2


def test_credentials_that_stay_refused_are_not_renewed_with_each_try(clock: Clock, log: Log) -> None:
    connected: list[FakeService] = []

    def connect() -> FakeService:
        connected.append(FakeService(EXPIRED))
        return connected[-1]

    client = Client(connect, Deadline.of_action(180), 10, log)
    began = clock.now
    for _ in range(4):
        with pytest.raises(CredentialsRefused):
            client.call("describe_subnets", retry=False)
    tries = sum(len(service.requests) for service in connected)
    assert len(connected) <= 2 + (clock.now - began) / 5 and tries > 2 * len(connected)


def test_several_threads_renew_refused_credentials_once(log: Log) -> None:
    meeting = threading.Barrier(4, timeout=10)

    def expired() -> None:
        meeting.wait()
        raise EXPIRED

    services = [FakeService(expired, expired), FakeService({"Subnets": []})]
    connected: list[FakeService] = []

    def connect() -> FakeService:
        connected.append(services[len(connected)])
        return connected[-1]

    client = Client(connect, Deadline.of_action(180), 10, log)
    threads = [threading.Thread(target=client.call, args=("describe_subnets",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(connected) == 2


def test_new_credentials_that_cannot_be_had_end_the_call_with_the_reason(log: Log) -> None:
    connected: list[FakeService] = []

    def connect() -> FakeService:
        if connected:
            raise NoCredentials("give the instance a role")
        connected.append(FakeService(EXPIRED))
        return connected[0]

    with pytest.raises(NoCredentials):
        Client(connect, Deadline.of_action(180), 10, log).call("describe_subnets")


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_next_pages_are_read_with_the_token_of_the_one_before(log: Log) -> None:
    service = FakeService(
        {"Subnets": [{"A": 1}, {"A": 2}], "NextToken": "second"},
        {"Subnets": [], "NextToken": "third"},
        {"Subnets": [{"A": 3}]},
    )
    found = make(service, log).paginate("describe_subnets", "Subnets", Filters=["f"])
    assert found == [{"A": 1}, {"A": 2}, {"A": 3}]
    assert service.requests == [
        {"Filters": ["f"]},
        {"Filters": ["f"], "NextToken": "second"},
        {"Filters": ["f"], "NextToken": "third"},
    ]


@pytest.mark.parametrize("answer", [{}, {"Subnets": None}, {"Subnets": [], "NextToken": ""}])
def test_an_answer_without_members_is_an_empty_list(log: Log, answer: dict[str, Any]) -> None:
    assert make(FakeService(answer), log).paginate("describe_subnets", "Subnets") == []


def test_a_second_page_that_never_comes_is_no_short_list(clock: Clock, log: Log) -> None:
    service = FakeService({"Subnets": [1], "NextToken": "second"}, UNANSWERED)
    with pytest.raises(Unanswered):
        make(service, log).paginate("describe_subnets", "Subnets")


# --- opening ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def context(agent: ModuleType, log: Log) -> Context:
    environ = {
        "OCF_RESOURCE_INSTANCE": "my_ip:0",
        "OCF_RESKEY_region": "eu-central-1",
        "OCF_RESKEY_profile": "cluster",
        "OCF_RESKEY_endpoint_url": "https://ec2.example",
        "OCF_RESKEY_api_timeout": "7",
    }
    return Context.from_environ(agent.AGENT, "start", environ, log)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What make_client was asked for."""
    made: list[tuple[Any, ...]] = []
    credentials = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"}

    def make_client(
        service: str, access: Any, imds: Any, deadline: Deadline, keys: Any = None, *, is_whole: bool = False
    ) -> FakeService:
        made.append((service, access, deadline.left(), keys))
        return FakeService({"Credentials": credentials} if service == "sts" else {"Subnets": []}, service=service)

    monkeypatch.setattr(client_module, "make_client", make_client)
    return made


def test_ec2_is_opened_by_the_parameters_of_the_resource(context: Context, made: list[tuple[Any, ...]]) -> None:
    open_ec2(context, Imds({}, context.deadline))
    ((service, access, seconds, keys),) = made
    assert (service, access.region, access.profile, access.endpoint_url, access.proxy, keys) == (
        "ec2",
        "eu-central-1",
        "cluster",
        "https://ec2.example",
        None,
        None,
    )
    assert 6 < seconds <= 7
    assert access.user_agent == user_agent(context) and access.user_agent.endswith(f"{context.agent.name}/my_ip-0")


def test_with_a_role_its_credentials_are_taken(context: Context, made: list[tuple[Any, ...]]) -> None:
    open_ec2(context, Imds({}, context.deadline), "arn:aws:iam::1:role/routes")
    assert [(service, keys and keys["AccessKeyId"]) for service, _, _, keys in made] == [("sts", None), ("ec2", "ASIA")]


def test_a_role_is_assumed_in_the_name_of_the_resource(log: Log) -> None:
    service = FakeService({"Credentials": {"AccessKeyId": "ASIA"}}, service="sts")
    assert assume_role(make(service, log), "arn:aws:iam::1:role/routes", "my ip") == {"AccessKeyId": "ASIA"}
    assert service.requests == [
        {"RoleArn": "arn:aws:iam::1:role/routes", "RoleSessionName": "my-ip", "DurationSeconds": 900}
    ]


@pytest.mark.parametrize(
    "resource, name", [("hana_ip", "hana_ip"), ("a b/ö:0", "a-b---0"), ("i", "ocf-aws-i"), ("x" * 99, "x" * 64)]
)
def test_the_name_of_a_session_is_one_that_sts_takes(resource: str, name: str) -> None:
    assert session_name(resource) == name


def test_a_refusal_of_the_role_is_told_by_its_call() -> None:
    denied = failure("sts:AssumeRole", {"Error": {"Code": "AccessDenied", "Message": "no"}})
    assert "allow sts:AssumeRole" in str(denied)
