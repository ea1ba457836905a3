"""The only door to boto3: complete clients (region, credentials, TLS), and calls whose errors are Failures."""

from __future__ import annotations

from ocf_aws.aws.errors import NoCredentials, RejectedForGood, Unanswered, failure
from ocf_aws.aws.loading import load_boto3, read_authorities, use_service_models
from ocf_aws.ocf.errors import Failure, FatalError, HardError, NotInstalled, NotPermitted
from ocf_aws.record import Record
from ocf_aws.threads import call_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ocf_aws.aws.imds import Imds
    from ocf_aws.ocf.deadline import Deadline

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
_CONNECTIONS = 24


class Access(Record):
    """How a definition has EC2 and STS reached; None for what boto3's own chain and IMDS say.

    user_agent: the words by which CloudTrail shows which resource made a call.
    """

    region: str | None
    profile: str | None
    endpoint_url: str | None
    proxy: str | None
    user_agent: str


def require_boto3(is_whole: bool = False) -> Any:
    """The module boto3; is_whole as below. Raises NotInstalled where it is missing."""
    try:
        return load_boto3(is_whole)
    except ImportError as error:
        raise NotInstalled(
            f"install python3-boto3: boto3 cannot be loaded on this node ({error})", str(error)
        ) from error


def make_client(
    service: str,
    access: Access,
    imds: Imds,
    deadline: Deadline,
    credentials: Mapping[str, str] | None = None,
    *,
    is_whole: bool = False,
) -> Any:
    """A client that is complete: what it needs to sign its first request is known.

    service: `ec2` or `sts`. imds: gives region and role credentials where the definition does not.
    credentials: of a role that was assumed (AccessKeyId, SecretAccessKey, SessionToken).
    is_whole: with all of botocore, which this does by itself where a part is not enough.
    Raises NotInstalled without boto3, FatalError, HardError or NotPermitted for what is wrong with definition or node,
    NoCredentials, Unknown.
    """
    boto3 = require_boto3(is_whole)
    from botocore import exceptions as aws
    from botocore.config import Config

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
        core = _core_session(access, imds)
        if not is_whole:
            use_service_models(core)
            authorities = read_authorities(core)
        session = boto3.Session(botocore_session=core)
        keys = _keys(credentials) if credentials else {}
        if not keys and call_within(deadline, session.get_credentials, "credentials") is None:
            raise NoCredentials("give the instance a role, or set parameter 'profile': no AWS credentials on this node")
        client = session.client(
            service,
            region_name=access.region or session.region_name or imds.region,
            endpoint_url=access.endpoint_url if service == "ec2" else None,
            config=config,
            **keys,
        )
        if not is_whole:
            authorities.wait()
        return client
    except Failure:
        raise
    except (AttributeError, LookupError, TypeError):
        # This botocore is made otherwise than `loading` expects.
        if is_whole:
            raise
        return make_client(service, access, imds, deadline, credentials, is_whole=True)
    except aws.ProfileNotFound as error:
        raise NotPermitted(f"drop parameter 'profile' to use the instance's role, or correct it: {error}") from error
    except (aws.InvalidRegionError, aws.InvalidProxiesConfigError) as error:
        raise FatalError(f"correct the definition: {error}") from error
    except (aws.ConfigParseError, aws.InvalidConfigError, aws.PartialCredentialsError, UnicodeDecodeError) as error:
        raise HardError(f"correct root's ~/.aws on this node: {error}", str(error)) from error
    except ValueError as error:
        raise FatalError(f"correct the definition: {error}") from error
    except Exception as error:
        # Providers of credentials fail in ways of their own, and for a moment: a process, a file, IMDS, STS.
        raise Unanswered(f"no client for {service}: {str(error) or type(error).__name__}", str(error)) from error


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
        raise RejectedForGood(f"{what}: {error}", str(error), "ParamValidation") from error
    except Exception as error:
        # Time-outs, refused and broken connections, TLS, answers that no parser understands, and whatever else.
        raise Unanswered(f"{what}: {str(error) or type(error).__name__}", str(error)) from error
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

        METHOD = "ocf-aws-instance-role"
        CANONICAL_NAME = "Ec2InstanceMetadata"

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
    # A profile names it by its canonical name (credential_source), and then with a list of its own.
    sourcer = getattr(chain.get_provider("assume-role"), "_credential_sourcer", None)
    named = getattr(sourcer, "_providers", [])
    named[:] = [InstanceRole() if each.METHOD == "iam-role" else each for each in named]
    return session


def _existing_profile(session: Callable[[], Any], profile: str | None) -> str | None:
    # Definitions of aws-vpc-move-ip name the profile "default" because its AWS CLI wanted one to exist; a role does not.
    if profile == "default" and "default" not in session().available_profiles:
        return None
    return profile
