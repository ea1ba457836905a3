"""The door to boto3: what is wrong with node or definition, and what a call's exceptions mean.

Libraries that look like boto3 and botocore stand in here; tests/aws has the real ones.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ocf_aws.aws import session as session_module
from ocf_aws.aws.errors import AccessDenied, NoCredentials, Rejected, Unanswered
from ocf_aws.aws.imds import Imds
from ocf_aws.aws.session import Access, call_name, invoke, make_client
from ocf_aws.ocf.deadline import Deadline
from ocf_aws.ocf.errors import REASON_LENGTH, Failure, FatalError, HardError, NotInstalled, NotPermitted, Unknown

ANSWER = {"ResponseMetadata": {"RequestId": "request-7"}, "Subnets": []}
ACCESS = Access("eu-central-1", None, "https://ec2.example", "http://user:pw@proxy:3128", "ocf-aws/1 agent/rsc")
NAMES = (
    "ClientError NoCredentialsError UnauthorizedSSOTokenError ParamValidationError ProfileNotFound InvalidRegionError"
    " InvalidProxiesConfigError ConfigParseError InvalidConfigError PartialCredentialsError"
).split()


class FakeBotocore:
    """boto3 and botocore, as far as the library asks them; `trouble` is raised where a session is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.exceptions: Any = ModuleType("botocore.exceptions")
        for name in NAMES:
            setattr(self.exceptions, name, type(name, (Exception,), {"response": {}}))
        self.trouble: Exception | None = None
        self.credentials: object | None = object()
        self.profiles = ["cluster"]
        self.clients: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []
        self.providers = ["env", "iam-role"]
        self.httpsession = ModuleType("botocore.httpsession")
        modules = {
            "boto3": SimpleNamespace(Session=lambda botocore_session: botocore_session),
            "botocore": SimpleNamespace(exceptions=self.exceptions, httpsession=self.httpsession),
            "botocore.exceptions": self.exceptions,
            "botocore.config": SimpleNamespace(Config=lambda **settings: settings),
            "botocore.credentials": SimpleNamespace(CredentialProvider=object, Credentials=tuple),
            "botocore.session": SimpleNamespace(Session=self._session),
            "botocore.httpsession": self.httpsession,
        }
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(session_module, "load_boto3", lambda is_whole: modules["boto3"])
        monkeypatch.setattr(session_module, "use_service_models", lambda session: None)
        monkeypatch.setattr(session_module, "read_authorities", lambda session: SimpleNamespace(wait=lambda: None))

    def _session(self, **settings: Any) -> Any:
        self.sessions.append(settings)
        if self.trouble is not None:
            raise self.trouble
        return SimpleNamespace(
            available_profiles=self.profiles,
            region_name=None,
            set_config_variable=lambda name, value: None,
            get_component=lambda name: SimpleNamespace(
                insert_before=self._insert, remove=self.providers.remove, get_provider=lambda name: None
            ),
            get_credentials=lambda: self.credentials,
            client=self._client,
        )

    def _insert(self, before: str, provider: Any) -> None:
        self.providers.insert(self.providers.index(before), provider.METHOD)

    def _client(self, service: str, **settings: Any) -> str:
        self.clients.append({"service": service, **settings})
        return f"a client for {service}"


@pytest.fixture
def botocore(monkeypatch: pytest.MonkeyPatch) -> FakeBotocore:
    return FakeBotocore(monkeypatch)


def make(service: str = "ec2", access: Access = ACCESS, seconds: float = 10, **more: Any) -> Any:
    deadline = Deadline.of_action(60).within(seconds)
    return make_client(service, access, Imds({}, deadline), deadline, **more)


# --- a client ---------------------------------------------------------------------------------------------------------


def test_a_client_is_made_as_the_definition_says(botocore: FakeBotocore) -> None:
    assert make() == "a client for ec2"
    (made,) = botocore.clients
    assert (made["region_name"], made["endpoint_url"]) == ("eu-central-1", "https://ec2.example")
    assert made["config"]["proxies"] == {"http": ACCESS.proxy, "https": ACCESS.proxy}
    assert made["config"]["retries"] == {"total_max_attempts": 1}
    assert made["config"]["user_agent_extra"] == ACCESS.user_agent


def test_only_ec2_has_an_endpoint_of_the_definition(botocore: FakeBotocore) -> None:
    make("sts")
    assert botocore.clients[0]["endpoint_url"] is None


def test_the_role_of_the_instance_comes_through_our_own_door_to_imds(botocore: FakeBotocore) -> None:
    make()
    assert botocore.providers == ["env", "ocf-aws-instance-role"]


def test_a_role_that_was_assumed_needs_no_other_credentials(botocore: FakeBotocore) -> None:
    botocore.credentials = None
    make(credentials={"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"})
    (made,) = botocore.clients
    assert (made["aws_access_key_id"], made["aws_secret_access_key"], made["aws_session_token"]) == ("ASIA", "s", "t")


@pytest.mark.parametrize(
    "profile, taken", [(None, None), ("cluster", "cluster"), ("default", None), ("missing", "missing")]
)
def test_the_profile_default_need_not_exist(botocore: FakeBotocore, profile: str | None, taken: str | None) -> None:
    make(access=ACCESS._replace(profile=profile))
    assert botocore.sessions[-1] == {"profile": taken}


def test_a_profile_default_that_exists_is_taken(botocore: FakeBotocore) -> None:
    botocore.profiles.append("default")
    make(access=ACCESS._replace(profile="default"))
    assert botocore.sessions[-1] == {"profile": "default"}


def test_a_node_without_credentials_is_told_what_to_do(botocore: FakeBotocore) -> None:
    botocore.credentials = None
    with pytest.raises(NoCredentials, match="give the instance a role, or set parameter 'profile'"):
        make()


def test_credentials_that_hang_are_unknown_within_the_deadline(
    botocore: FakeBotocore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = threading.Event()
    monkeypatch.setattr(session_module, "_core_session", lambda *a: SimpleNamespace(get_credentials=hang.wait))
    with pytest.raises(Unknown, match="credentials: no answer within"):
        make(seconds=0.3)
    hang.set()


@pytest.mark.parametrize(
    "name, kind, words",
    [
        ("ProfileNotFound", NotPermitted, "drop parameter 'profile' to use the instance's role"),
        ("InvalidRegionError", FatalError, "correct the definition: "),
        ("InvalidProxiesConfigError", FatalError, "correct the definition: "),
        ("ConfigParseError", HardError, "correct root's ~/.aws on this node: "),
        ("PartialCredentialsError", HardError, "correct root's ~/.aws on this node: "),
    ],
)
def test_what_is_wrong_with_node_or_definition_is_told_with_its_remedy(
    botocore: FakeBotocore, name: str, kind: type[Failure], words: str
) -> None:
    botocore.trouble = getattr(botocore.exceptions, name)("in the words of botocore " * 9)
    with pytest.raises(kind) as failure:
        make()
    assert type(failure.value) is kind
    assert str(failure.value).startswith(words) and len(str(failure.value)) <= REASON_LENGTH


def test_a_provider_that_fails_in_a_way_of_its_own_is_unknown(botocore: FakeBotocore) -> None:
    botocore.trouble = RuntimeError("credential_process exited with 1")
    with pytest.raises(Unanswered, match="no client for ec2: credential_process exited with 1"):
        make()
    botocore.trouble = RuntimeError()
    with pytest.raises(Unanswered, match="no client for ec2: RuntimeError"):
        make()


def test_a_node_without_boto3_is_told_which_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_boto3(is_whole: bool) -> Any:
        raise ImportError("No module named 'boto3'")

    monkeypatch.setattr(session_module, "load_boto3", load_boto3)
    with pytest.raises(NotInstalled, match="install python3-boto3: boto3 cannot be loaded on this node"):
        make()


# --- a call -----------------------------------------------------------------------------------------------------------


def service(answer: Any) -> Any:
    """A client of EC2 that answers so, or raises that."""

    def describe_subnets(**request: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimpleNamespace(
        describe_subnets=describe_subnets,
        meta=SimpleNamespace(
            service_model=SimpleNamespace(endpoint_prefix="ec2"),
            method_to_api_mapping={"describe_subnets": "DescribeSubnets"},
        ),
    )


def test_a_call_is_named_as_iam_names_it() -> None:
    assert call_name(service(None), "describe_subnets") == "ec2:DescribeSubnets"


def test_an_answer_is_returned(botocore: FakeBotocore) -> None:
    assert invoke(service(ANSWER), "describe_subnets", {}) == ANSWER


def client_error(botocore: FakeBotocore, code: str) -> Exception:
    error: Exception = botocore.exceptions.ClientError()
    error.response = {"Error": {"Code": code, "Message": "why"}}  # type: ignore[attr-defined]
    return error


def test_a_dry_run_that_would_succeed_is_an_empty_answer(botocore: FakeBotocore) -> None:
    assert invoke(service(client_error(botocore, "DryRunOperation")), "describe_subnets", {"DryRun": True}) == {}


@pytest.mark.parametrize("code, kind", [("IncorrectState", Rejected), ("UnauthorizedOperation", AccessDenied)])
def test_an_error_of_the_service_is_translated(botocore: FakeBotocore, code: str, kind: type[Failure]) -> None:
    with pytest.raises(kind, match=code):
        invoke(service(client_error(botocore, code)), "describe_subnets", {})


@pytest.mark.parametrize(
    "name, kind", [("NoCredentialsError", NoCredentials), ("ParamValidationError", Rejected), (None, Unanswered)]
)
def test_what_botocore_raises_is_named_by_its_call(
    botocore: FakeBotocore, name: str | None, kind: type[Failure]
) -> None:
    raised = getattr(botocore.exceptions, name)("odd") if name else ConnectionResetError("odd")
    with pytest.raises(kind) as failure:
        invoke(service(raised), "describe_subnets", {})
    assert "ec2:DescribeSubnets" in failure.value.full_text and "odd" in failure.value.full_text


def test_the_password_of_a_proxy_is_never_told(botocore: FakeBotocore) -> None:
    raised = OSError("Failed to connect to proxy URL: http://user:secret@proxy:3128")
    with pytest.raises(Unanswered, match="proxy:3128") as failure:
        invoke(service(raised), "describe_subnets", {})
    assert "secret" not in failure.value.full_text


@pytest.mark.parametrize(
    "answer", [{}, None, "<html>", {"ResponseMetadata": {}}, {"ResponseMetadata": {"RequestId": ""}}]
)
def test_an_answer_without_a_request_id_is_not_ec2_s(botocore: FakeBotocore, answer: Any) -> None:
    with pytest.raises(Unanswered, match="what answered is not ec2: is a proxy in between"):
        invoke(service(answer), "describe_subnets", {})
