"""Cloud access: the parameters that both agents have for it."""

from __future__ import annotations

from ocf_aws.declare import Parameter, positive_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocf_aws.cloud import Cloud
    from ocf_aws.instance import Imds
    from ocf_aws.runtime import Call


def _url(text: str) -> str:
    scheme, separator, host = text.partition("://")
    if scheme not in ("http", "https") or not separator or not host.strip("/"):
        raise ValueError(f"'{text}' is not a URL (http://... or https://...)")
    return text


PARAMETERS = (
    Parameter(
        "region",
        "AWS region",
        "Region of the EC2 API. When it is not given: the profile's, else the region that the instance metadata service (IMDS)"
        " tells.",
        reloadable=True,
    ),
    Parameter(
        "profile",
        "Profile with AWS credentials",
        "Profile in root's ~/.aws/credentials or ~/.aws/config to take credentials from. When it is not given: boto3's own"
        ' chain, which ends with the role of the instance. The profile "default" need not exist.',
        reloadable=True,
    ),
    Parameter(
        "endpoint_url",
        "URL of the EC2 API",
        "URL to reach the EC2 API at, for a VPC interface endpoint without private DNS.",
        parse=_url,
        reloadable=True,
    ),
    Parameter(
        "proxy",
        "Proxy for the EC2 API",
        "URL of the proxy through which the EC2 API is reached. The instance metadata service is never asked through it.",
        parse=_url,
        reloadable=True,
    ),
    Parameter(
        "api_timeout",
        "Seconds an API request may take",
        "Seconds that one request to EC2 may take, retries included, before its answer counts as unknown. What is unknown"
        " never makes a healthy resource fail: a monitor then says what the kernel says, and logs a warning.",
        type="integer",
        default="10",
        parse=positive_seconds,
        reloadable=True,
    ),
)


def open_cloud(call: Call, imds: Imds) -> Cloud:
    """EC2 by the parameters of the resource; nothing is asked yet, and boto3 not loaded."""
    from ocf_aws.cloud import Cloud, user_agent

    p = call.parameters
    return Cloud(
        imds,
        call.deadline,
        call.log,
        user_agent(call.agent.name, call.resource),
        region=p.region,
        profile=p.profile,
        endpoint_url=p.endpoint_url,
        proxy=p.proxy,
        api_timeout=p.api_timeout,
    )
