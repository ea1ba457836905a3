"""What the parameters of the agents may say, and the parameters for access to AWS, which both agents have."""

from __future__ import annotations

from ocf_aws.ip import IpAddress
from ocf_aws.ocf.agent import Parameter, integer
from ocf_aws.record import Record

LABEL_LENGTH = 15
"""Characters that the kernel keeps of an address's label, the link's name included (IFNAMSIZ less the final zero)."""


_LINK_NAME_LENGTH = 127
"""Characters of an alternative name of a link (ALTIFNAMSIZ less the final zero)."""

_ACCOUNT_LENGTH = 12
_HOST_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.-:"


def _is_word(text: str) -> bool:
    """Whether it is plain text without blanks."""
    return text.isascii() and text.isprintable() and " " not in text


def link_name(text: str) -> str:
    """What can be the name of a link (dev_valid_name() in Linux). Raises ValueError."""
    if len(text) > _LINK_NAME_LENGTH or not text.isprintable() or any(c.isspace() or c == "/" for c in text):
        raise ValueError(f"'{text}' cannot be the name of an interface")
    return text


def profile_name(text: str) -> str:
    """What can be the name of a profile in ~/.aws/config. Raises ValueError."""
    if not text.isprintable():
        raise ValueError(f"'{text}' cannot be the name of a profile")
    return text


def label(text: str) -> str:
    """What follows the name of a link and a colon in a label. Raises ValueError."""
    if len(text) > LABEL_LENGTH - 2 or not text.isprintable() or not text.isascii() or " " in text:
        raise ValueError(f"'{text}' and the link's name are longer than {LABEL_LENGTH} characters, or not plain text")
    return text


def positive_seconds(text: str) -> int:
    """Whole seconds, as Pacemaker writes times ("10" or "10s"). Raises ValueError."""
    number = integer(text[:-1] if text.endswith("s") else text)
    if number < 1:
        raise ValueError(f"'{text}' is not at least 1 second")
    return number


def url(text: str) -> str:
    """The URL of an HTTP server. Raises ValueError that shows no password."""
    from urllib.parse import urlsplit

    wrong = ValueError(f"'{without_password(text)}' is not a URL (http://... or https://...)")
    if not _is_word(text):
        raise wrong
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong from None
    # As botocore has it (botocore.utils.is_valid_endpoint_url); a port of None is the scheme's own.
    if parts.scheme not in ("http", "https") or port == 0 or not host.strip(".") or host.strip(_HOST_CHARACTERS):
        raise wrong
    return text


def without_password(url: str) -> str:
    """A URL without the user's name and password that it may contain."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def region(text: str) -> str:
    """The name of a region (eu-central-1, us-gov-west-1). Raises ValueError."""
    words = text.split("-")
    if (
        len(words) < 3
        or not words[-1].isdecimal()
        or not all(w.isalnum() and w.isascii() for w in words)
        or text.lower() != text
    ):
        raise ValueError(f"'{text}' is not a region (like eu-central-1)")
    return text


def role_arn(text: str) -> str:
    """The ARN of an IAM role, in any partition. Raises ValueError."""
    parts = text.split(":")
    account = parts[4] if len(parts) == 6 and _is_word(text) else ""
    is_role = parts[0] == "arn" and parts[2:4] == ["iam", ""] and parts[-1].startswith("role/") and parts[-1] != "role/"
    if not (account.isdigit() and len(account) == _ACCOUNT_LENGTH) or not is_role:
        raise ValueError(f"'{text}' is not the ARN of an IAM role (arn:aws:iam::ACCOUNT:role/NAME)")
    return text


def overlay_ip(text: str) -> IpAddress:
    """An address that a route table can send to an instance. Raises ValueError."""
    ip = IpAddress.parse(text)
    first, start = ip.packed[0], ip.packed[:4].hex()
    # "Route table concepts" and "Reserved addresses" in the VPC user guide: 169.254.0.0/16 and fd00:ec2::/32 are AWS's own.
    if ip.is_ipv6:
        is_reserved = first == 0xFF or start in ("00000000", "fd000ec2") or start[:3] in ("fe8", "fe9", "fea", "feb")
    else:
        is_reserved = first in (0, 127) or first >= 224 or start[:4] == "a9fe"
    if is_reserved:
        raise ValueError(f"{ip} lies in a reserved range, which no route table can send to an instance")
    return ip


def eni_id(text: str) -> str:
    """The id of an ENI. Raises ValueError."""
    start, dash, number = text.partition("-")
    if (start, dash) != ("eni", "-") or not 8 <= len(number) <= 17 or number.strip("0123456789abcdef"):
        raise ValueError(f"'{text}' is not the id of an ENI (eni-...)")
    return text


def ip_list(text: str) -> tuple[IpAddress, ...]:
    """Addresses, separated by commas, spaces or both. Raises ValueError."""
    return tuple(dict.fromkeys(IpAddress.parse(word) for word in text.replace(",", " ").split()))


def device_index(text: str) -> int:
    """A device index that an ENI which is not the primary one can have. Raises ValueError."""
    number = integer(text)
    if not 1 <= number <= 31:
        raise ValueError(f"'{text}' is not a device index from 1 to 31: 0 is the primary ENI's")
    return number


def routing_table_number(text: str) -> int:
    """A routing table of which the kernel has no use of its own. Raises ValueError."""
    number = integer(text)
    if not 1 <= number < 1 << 31 or number in (253, 254, 255):
        raise ValueError(f"'{text}' is not the number of a routing table that is free to use")
    return number


def mtu(text: str) -> int:
    """An MTU that EC2 carries, in bytes. Raises ValueError."""
    number = integer(text)
    if not 576 <= number <= 9001:
        raise ValueError(f"'{text}' is not an MTU from 576 to 9001")
    return number


class RouteTableSelector(Record):
    """The route tables that a definition names. ids: `rtb-...`. tags: (key, value) of tags that select tables of this VPC."""

    ids: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> RouteTableSelector:
        """A list of `rtb-...` and `tag:KEY=VALUE`, separated by commas, spaces or both. Raises ValueError."""
        words = text.replace(",", " ").split()
        ids = tuple(dict.fromkeys(word for word in words if word.startswith("rtb-")))
        if not words:
            raise ValueError("no route table is named")
        for table_id in ids:
            if not table_id[4:].isalnum() or not table_id.isascii():
                raise ValueError(f"'{table_id}' is not the id of a route table")
        return cls(ids, tuple(_tag(word) for word in words if not word.startswith("rtb-")))


def _tag(word: str) -> tuple[str, str]:
    kind, colon, pair = word.partition(":")
    key, equals, value = pair.partition("=")
    if kind != "tag" or not key or not equals:
        raise ValueError(f"'{word}' is neither the id of a route table (rtb-...) nor tag:KEY=VALUE")
    return key, value


AWS_ACCESS = (
    Parameter(
        "region",
        "AWS region",
        "Region of the EC2 API. Default: the region of the profile, then the region of the instance, "
        "which the instance metadata service (IMDS) tells.",
        reloadable=True,
        parse=region,
    ),
    Parameter(
        "profile",
        "Profile with AWS credentials",
        "Profile in root's ~/.aws/credentials or ~/.aws/config that gives the credentials. "
        "Default: boto3's own chain, which ends with the role of the instance. "
        'The profile "default" need not exist.',
        parse=profile_name,
        reloadable=True,
    ),
    Parameter(
        "endpoint_url",
        "URL of the EC2 API",
        "URL of the EC2 API, for a VPC interface endpoint without private DNS.",
        parse=url,
        reloadable=True,
    ),
    Parameter(
        "proxy",
        "Proxy for the EC2 API",
        "URL of the proxy for the EC2 API. The agent never asks the instance metadata service through a proxy.",
        parse=url,
        reloadable=True,
    ),
    Parameter(
        "api_timeout",
        "Seconds for an EC2 request",
        "Seconds for one request to EC2, retries included. After that the answer is unknown: a monitor then "
        "reports what the kernel says and logs a warning; start tries again until its own timeout ends.",
        type="integer",
        default="10",
        parse=positive_seconds,
        reloadable=True,
    ),
)
