"""The only door to boto3: complete clients (region, credentials, TLS), and calls whose errors are Failures."""

from __future__ import annotations

import sys
from collections import namedtuple
from ssl import SSLContext
from threading import Lock

from ocf_aws.aws.errors import NoCredentials, RejectedForGood, Unanswered, failure
from ocf_aws.ocf.errors import Failure, FatalError, HardError, NotInstalled, NotPermitted, shorten
from ocf_aws.parameters import without_password
from ocf_aws.threads import call_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ocf_aws.aws.imds import Imds
    from ocf_aws.ocf.deadline import Deadline

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
_CONNECTIONS = 16

# botocore loads them where they are installed, at the cost of half the time that a start takes, and uses neither for EC2:
# the one signs for S3 (botocore.compat.HAS_CRT), the other was for interpreters without SNI (botocore.httpsession).
_NOT_NEEDED = ("awscrt", "OpenSSL")


class Access(namedtuple("Access", "region profile endpoint_url proxy user_agent")):
    """How a definition has EC2 and STS reached; None for what boto3's own chain and IMDS say.

    user_agent: the words by which CloudTrail shows which resource made a call.
    """

    __slots__ = ()

    region: str | None
    profile: str | None
    endpoint_url: str | None
    proxy: str | None
    user_agent: str


def make_client(
    service: str, access: Access, imds: Imds, deadline: Deadline, credentials: Mapping[str, str] | None = None
) -> Any:
    """A client that is complete: what it needs to sign its first request is known.

    service: `ec2` or `sts`. imds: gives region and role credentials where the definition does not.
    credentials: of a role that was assumed (AccessKeyId, SecretAccessKey, SessionToken).
    Raises NotInstalled without boto3, FatalError, HardError or NotPermitted for what is wrong with definition or node,
    NoCredentials, Unknown.
    """
    for module in _NOT_NEEDED:
        # "If the value is None, then a ModuleNotFoundError is raised": The Python Language Reference, 5.3.1.
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]
    try:
        import boto3
        from botocore import exceptions as aws
        from botocore.config import Config
    except ImportError as error:
        raise NotInstalled(
            shorten(f"install python3-boto3: boto3 cannot be loaded on this node ({error})"), str(error)
        ) from error
    _share_ssl_context()
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        # Retried by client.Client, where the deadline is known, and never blindly after a change.
        retries={"total_max_attempts": 1},
        proxies={"http": access.proxy, "https": access.proxy} if access.proxy else None,
        max_pool_connections=_CONNECTIONS,
        user_agent_extra=access.user_agent,
    )
    try:
        session = boto3.Session(botocore_session=_core_session(access, imds))
        keys = _keys(credentials) if credentials else {}
        if not keys and call_within(deadline, session.get_credentials, "credentials") is None:
            raise NoCredentials("give the instance a role, or set parameter 'profile': no AWS credentials on this node")
        return session.client(
            service,
            region_name=access.region or session.region_name or imds.region,
            endpoint_url=access.endpoint_url if service == "ec2" else None,
            config=config,
            **keys,
        )
    except Failure:
        raise
    except aws.ProfileNotFound as error:
        raise NotPermitted(
            shorten(f"drop parameter 'profile' to use the instance's role, or correct it: {error}")
        ) from error
    except (aws.InvalidRegionError, aws.InvalidProxiesConfigError) as error:
        raise FatalError(shorten(f"correct the definition: {error}")) from error
    except (aws.ConfigParseError, aws.InvalidConfigError, aws.PartialCredentialsError, UnicodeDecodeError) as error:
        raise HardError(shorten(f"correct root's ~/.aws on this node: {error}"), str(error)) from error
    except ValueError as error:
        raise FatalError(shorten(f"correct the definition: {error}")) from error
    except Exception as error:
        # Providers of credentials fail in ways of their own, and for a moment: a process, a file, IMDS, STS.
        raise Unanswered(shorten(f"no client for {service}: {error or type(error).__name__}"), str(error)) from error


def invoke(client: Any, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Make one call and return its answer; with DryRun an empty one, where the caller has the right.

    operation: as boto3 has it. request: in AWS's words. Raises Rejected, AccessDenied, NoCredentials, Unanswered, each
    naming the call and AWS's code.
    """
    from botocore import exceptions as aws

    what = call_name(client, operation)
    try:
        answer: dict[str, Any] = getattr(client, operation)(**request)
    except aws.ClientError as error:
        if error.response.get("Error", {}).get("Code") == "DryRunOperation":
            return {}
        raise failure(what, error.response) from error
    except (aws.NoCredentialsError, aws.UnauthorizedSSOTokenError) as error:
        raise NoCredentials(
            "give the instance a role, or set parameter 'profile': no AWS credentials on this node", f"{what}: {error}"
        ) from error
    except aws.ParamValidationError as error:
        raise RejectedForGood(shorten(f"{what}: {error}"), str(error), "ParamValidation") from error
    except Exception as error:
        # Time-outs, refused and broken connections, TLS, answers that no parser understands, and whatever else.
        text = without_password(str(error)) if "proxy" in str(error).lower() else str(error)
        raise Unanswered(shorten(f"{what}: {text or type(error).__name__}"), text) from error
    # Anything with status 200 passes for an answer in botocore, the page of a proxy's log-in too; EC2's have an id.
    if not isinstance(answer, dict) or not answer.get("ResponseMetadata", {}).get("RequestId"):
        raise Unanswered(f"{what}: what answered is not {what.partition(':')[0]}: is a proxy in between?")
    return answer


def call_name(client: Any, operation: str) -> str:
    """A call as IAM names it: ec2:ReplaceRoute."""
    return f"{client.meta.service_model.endpoint_prefix}:{client.meta.method_to_api_mapping[operation]}"


def _keys(credentials: Mapping[str, str]) -> dict[str, str]:
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def _core_session(access: Access, imds: Imds) -> Any:
    """A botocore session that takes a role's credentials through our own door to IMDS.

    botocore's door may go through a proxy, falls back to version 1, and waits 1 s a try without a bound on the whole.
    """
    import warnings

    from botocore.credentials import CredentialProvider, Credentials
    from botocore.session import Session

    # It would stand in the log of every action on Python 3.9, which RHEL 9 supports as long as RHEL 9 itself.
    warnings.filterwarnings("ignore", ".*Python 3.*", module="boto.*")

    class InstanceRole(CredentialProvider):  # type: ignore[misc]
        """The role of this instance, from IMDS."""

        METHOD = CANONICAL_NAME = "ocf-aws-instance-role"

        def load(self) -> Any:
            role = imds.role_credentials()
            if role is None:
                return None
            return Credentials(role["AccessKeyId"], role["SecretAccessKey"], role["Token"], self.METHOD)

    session = Session(profile=_existing_profile(Session, access.profile))
    # boto3 before 1.28 asks the one global STS, which a VPC endpoint does not serve.
    session.set_config_variable("sts_regional_endpoints", "regional")
    chain = session.get_component("credential_provider")
    chain.insert_before("iam-role", InstanceRole())
    chain.remove("iam-role")
    return session


def _existing_profile(session: Callable[[], Any], profile: str | None) -> str | None:
    # Definitions of aws-vpc-move-ip name the profile "default" because its AWS CLI wanted one to exist; a role does not.
    if profile == "default" and "default" not in session().available_profiles:
        return None
    return profile


class SharedSSLContext(SSLContext):
    """A context for several threads: the first connection makes its settings, later ones find them made.

    "An SSL_CTX object should not be changed after it is used to create any SSL objects or from multiple threads
    concurrently" (SSL_CTX_new(3)). The connections of a botocore client share one, and urllib3 makes its settings anew for
    each of them: calls made at the same time now and then crash the interpreter (https://github.com/boto/botocore/issues/3164,
    https://github.com/urllib3/urllib3/issues/3036). It also reads all of the authorities' certificates each time (35 ms).
    """

    def __init__(self, *arguments: Any):
        self._made: dict[str, tuple[Any, ...]] = {}
        self._lock = Lock()

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """As ssl.SSLContext's."""
        self._make_once(super().load_verify_locations, cafile, capath, cadata)

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """As ssl.SSLContext's."""
        self._make_once(super().set_alpn_protocols, tuple(alpn_protocols))

    def _make_once(self, setting: Callable[..., None], *values: Any) -> None:
        with self._lock:
            if self._made.get(setting.__name__) != values:
                setting(*values)
                self._made[setting.__name__] = values


def _share_ssl_context() -> None:
    """Let the clients that botocore makes from now on have such contexts; there is no parameter for it."""
    from botocore import httpsession

    httpsession.SSLContext = SharedSSLContext
