"""The only door to boto3: clients, time bounds, and AWS's errors as exceptions by consequence."""

from __future__ import annotations

import sys

from ocf_aws import __version__
from ocf_aws.status import FatalError, HardError, NotInstalled, NotPermitted, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocf_aws.deadline import Deadline
    from ocf_aws.instance import Imds
    from ocf_aws.log import Log

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
_CONNECTIONS = 16

# botocore loads them where they are installed, at the cost of half the time that a start takes, and uses neither for EC2:
# the one signs for S3 (botocore.compat.HAS_CRT), the other was for interpreters without SNI (botocore.httpsession).
_NOT_NEEDED = ("awscrt", "OpenSSL")

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_UNANSWERED = (
    "RequestLimitExceeded EC2ThrottledException Throttling ThrottlingException RequestThrottled"
    " InternalError InternalFailure ServerInternal ServiceUnavailable Unavailable"
).split()
_DENIED = (
    "UnauthorizedOperation AccessDenied AuthFailure InvalidClientTokenId UnrecognizedClientException"
    " SignatureDoesNotMatch RequestExpired ExpiredToken ExpiredTokenException OptInRequired Blocked"
).split()


class Unanswered(Unknown):
    """The service did not do, or did not say that it did, what was asked: throttled, failing, out of reach."""


class Rejected(HardError):
    """The service understood and refused; `code` is AWS's error code."""

    # An exception that comes from a child process is made anew from its reason alone, and then given its code.
    def __init__(self, reason: str, code: str = ""):
        super().__init__(reason)
        self.code = code


class Denied(NotPermitted):
    """The caller has no right to do it; `code` is AWS's error code, empty without credentials."""

    def __init__(self, reason: str, code: str = ""):
        super().__init__(reason)
        self.code = code


class Cloud:
    """EC2 and STS, as one resource uses them in one action.

    imds: gives region and role credentials where the definition does not.
    deadline: of the action. log: takes what was retried.
    user_agent: the words by which CloudTrail shows which resource made a call.
    region, profile, endpoint_url, proxy: None for what boto3's own chain and IMDS say.
    api_timeout: seconds that one request may take, retries included.
    """

    def __init__(
        self,
        imds: Imds,
        deadline: Deadline,
        log: Log,
        user_agent: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        proxy: str | None = None,
        api_timeout: float = 10,
    ):
        self._imds = imds
        self._deadline = deadline
        self._log = log
        self._user_agent = user_agent
        self._region = region
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._proxy = proxy
        self._api_timeout = api_timeout
        self._credentials: dict[str, str] = {}
        self._client: Any = None

    def connect(self) -> Any:
        """The EC2 client, made at the first call. Raises Failure."""
        if self._client is None:
            self._client = self._make_client("ec2", self._endpoint_url)
        return self._client

    def assume(self, role_arn: str) -> Cloud:
        """EC2 with the rights of another role, by one AssumeRole. Raises Failure."""
        role = Cloud.__new__(Cloud)
        role.__dict__.update(self.__dict__)
        answer = self._call(
            self._make_client("sts"),
            "assume_role",
            RoleArn=role_arn,
            RoleSessionName=self._user_agent.split("/")[-1][:64] or "ocf-aws",
            DurationSeconds=900,
        )["Credentials"]
        role._client = None
        role._credentials = {
            "aws_access_key_id": answer["AccessKeyId"],
            "aws_secret_access_key": answer["SecretAccessKey"],
            "aws_session_token": answer["SessionToken"],
        }
        return role

    def call(self, operation: str, *, retry: bool = True, **request: Any) -> dict[str, Any]:
        """Make one EC2 call and return its answer.

        operation: as boto3 has it. request: in AWS's words.
        retry: whether to ask again while there is no answer. A call that changes something must be followed by a look
            at what has become of it instead.
        With DryRun it returns where the caller has the right. Raises Unanswered, Denied or Rejected, each naming the call, AWS's code and the request id.
        """
        return self._call(self.connect(), operation, retry=retry, **request)

    def list(self, operation: str, member: str, **request: Any) -> list[dict[str, Any]]:
        """All members of a paged answer. Raises as `call`."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.call(operation, **request)
            found += answer[member]
            if not answer.get("NextToken"):
                return found
            request["NextToken"] = answer["NextToken"]

    def _call(self, client: Any, operation: str, *, retry: bool = True, **request: Any) -> dict[str, Any]:
        name = client.meta.method_to_api_mapping[operation]
        service = client.meta.service_model.endpoint_prefix
        what = f"{service}:{name}"
        deadline = self._deadline.within(self._api_timeout)
        problem: Unknown = Unanswered(f"{what} was not called: no time left")
        for _ in deadline.pauses(first=0.2, longest=2.0):
            try:
                answer: dict[str, Any] = deadline.bound(
                    lambda: self._translated(what, getattr(client, operation), request), what
                )
                return answer
            except Unknown as error:
                self._log.debug(str(error))
                problem = error
            if not retry:
                break
        raise problem

    def _translated(self, what: str, method: Any, request: dict[str, Any]) -> dict[str, Any]:
        from botocore import exceptions as aws

        try:
            answer: dict[str, Any] = method(**request)
        except aws.ClientError as error:
            if error.response["Error"].get("Code") == "DryRunOperation":
                return {}
            raise _failure(what, error.response) from error
        except (
            aws.NoCredentialsError,
            aws.PartialCredentialsError,
            aws.CredentialRetrievalError,
            aws.TokenRetrievalError,
            aws.UnauthorizedSSOTokenError,
        ) as error:
            raise Denied(
                f"{what}: no AWS credentials ({error}): give the instance a role, or name a profile"
            ) from error
        except aws.ParamValidationError as error:
            raise Rejected(f"{what}: {error}", "ParamValidation") from error
        except aws.BotoCoreError as error:
            # Time-outs, refused and broken connections, TLS, answers that make no sense.
            raise Unanswered(f"{what}: {error}") from error
        # Anything with status 200 passes for an answer in botocore, the page of a proxy's log-in too; EC2's have an id.
        if not answer["ResponseMetadata"].get("RequestId"):
            raise Unanswered(f"{what}: what answered is not {what.partition(':')[0]}: is a proxy in between?")
        return answer

    def _make_client(self, service: str, endpoint_url: str | None = None) -> Any:
        for module in _NOT_NEEDED:
            # "If the value is None, then a ModuleNotFoundError is raised": The Python Language Reference, 5.3.1.
            sys.modules.setdefault(module, None)  # type: ignore[arg-type]
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise NotInstalled(f"boto3 cannot be loaded on this node ({error}): install python3-boto3") from error
        from botocore.exceptions import BotoCoreError, ProfileNotFound

        from ocf_aws.tls import settle_contexts

        settle_contexts()
        config = Config(
            connect_timeout=min(_CONNECT_SECONDS, self._api_timeout),
            read_timeout=min(_READ_SECONDS, self._api_timeout),
            # Retried here, where the deadline is known, and never blindly after a change.
            retries={"total_max_attempts": 1},
            proxies={"http": self._proxy, "https": self._proxy} if self._proxy else None,
            max_pool_connections=_CONNECTIONS,
            user_agent_extra=self._user_agent,
        )
        try:
            session = boto3.Session(botocore_session=self._make_core_session())
            return session.client(
                service,
                region_name=self._require_region(session),
                endpoint_url=endpoint_url,
                config=config,
                **self._credentials,
            )
        except ProfileNotFound as error:
            raise Denied(f"parameter 'profile': {error} on this node") from error
        except (BotoCoreError, ValueError) as error:
            raise FatalError(f"no client for {service} can be made: {error}") from error

    def _make_core_session(self) -> Any:
        """A botocore session that takes a role's credentials through our own door to IMDS.

        botocore's door may go through a proxy, falls back to version 1, and waits 1 s a try without a bound on the whole.
        """
        import warnings

        from botocore.credentials import CredentialProvider, Credentials
        from botocore.session import Session

        # It would stand in the log of every action on Python 3.9, which RHEL 9 supports as long as RHEL 9 itself.
        warnings.filterwarnings("ignore", ".*Python 3.*", module="boto.*")
        imds = self._imds

        class InstanceRole(CredentialProvider):  # type: ignore[misc]
            """The role of this instance, from IMDS."""

            METHOD = CANONICAL_NAME = "ocf-aws-instance-role"

            def load(self) -> Any:
                role = imds.role_credentials()
                if role is None:
                    return None
                return Credentials(role["AccessKeyId"], role["SecretAccessKey"], role["Token"], self.METHOD)

        session = Session(profile=self._known_profile(Session))
        # boto3 before 1.28 asks the one global STS, which a VPC endpoint does not serve.
        session.set_config_variable("sts_regional_endpoints", "regional")
        chain = session.get_component("credential_provider")
        chain.insert_before("iam-role", InstanceRole())
        chain.remove("iam-role")
        return session

    def _known_profile(self, session: Any) -> str | None:
        # Definitions of aws-vpc-move-ip name the profile "default" because its AWS CLI wanted one to exist; a role does not.
        if self._profile == "default":
            if "default" not in session().available_profiles:
                return None
        return self._profile

    def _require_region(self, session: Any) -> str:
        return self._region or session.region_name or self._imds.region


def user_agent(agent: str, resource: str) -> str:
    """The words that CloudTrail shows in `userAgent` for the calls of a resource."""
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in resource)
    return f"ocf-aws/{__version__} {agent}/{plain}"


def _failure(what: str, response: dict[str, Any]) -> Unanswered | Rejected | Denied:
    error = response.get("Error", {})
    code = str(error.get("Code", "?"))
    metadata = response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    request = f"{code}, request {metadata.get('RequestId', 'unknown')}"
    # The encoded part of a refusal is longer than a status line and tells nothing without sts:DecodeAuthorizationMessage.
    said = str(error.get("Message", "")).split("Encoded authorization")[0].strip()
    if code in ("UnauthorizedOperation", "AccessDenied"):
        return Denied(f"allow {what} in IAM ({request}): {said}", code)
    reason = f"{what} failed ({request}): {said}"
    if code in _DENIED:
        return Denied(reason, code)
    if code in _UNANSWERED or status >= 500 or status == 429:
        return Unanswered(reason)
    return Rejected(reason, code)
