"""The instance metadata service (IMDS), version 2 only: who this instance is.

Every request is bounded and goes straight to the link-local address: never through a proxy, which would answer for
its own instance ("Configure the instance metadata service", EC2 user guide).
"""

from __future__ import annotations

# getaddrinfo() of any name or number loads it; but threads must not import (ocf_aws.threads).
import encodings.idna  # noqa: F401

# urllib would take a proxy from the environment; http.client knows none.
from http.client import HTTPConnection, HTTPException
from json import loads
from urllib.parse import urlsplit

from ocf_aws.ip import IpAddress, IpNetwork
from ocf_aws.ocf.errors import Unknown
from ocf_aws.threads import call_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocf_aws.ocf.deadline import Deadline
    from ocf_aws.ocf.runtime import Context

_ENDPOINT = "http://169.254.169.254"
_ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
"""The variable that the AWS SDKs read too; an instance with IPv6 alone sets it to http://[fd00:ec2::254]."""

_ATTEMPT_SECONDS = 1.0
_PATIENCE_SECONDS = 4.0
_TOKEN_SECONDS = "300"
"""How long a token is good: longer than a call that uses it takes, and no longer than it must be."""

_CREDENTIALS = "meta-data/iam/security-credentials/"
_INTERFACES = "meta-data/network/interfaces/macs/"


class Imds:
    """The metadata service as this process sees it.

    environ: the action's environment. deadline: of the action; 4 s of it are waited for an answer, once.
    """

    def __init__(self, environ: Mapping[str, str], deadline: Deadline):
        self._endpoint = environ.get(_ENDPOINT_VARIABLE) or _ENDPOINT
        self._deadline = deadline
        self._token: str | None = None
        self._answers: dict[str, str | None] = {}
        self._unavailable: Unknown | None = None

    def get(self, path: str) -> str | None:
        """The text at /latest/`path`, None where there is none. Raises Unknown without an answer."""
        if path not in self._answers:
            self._answers[path] = self._ask(path)
        return self._answers[path]

    def require(self, path: str) -> str:
        """As get; raises Unknown where there is none, too."""
        text = self.get(path)
        if not text:
            raise Unknown(f"IMDS has no {path}")
        return text

    @property
    def instance_id(self) -> str:
        """Id of this instance (i-...)."""
        return _dmi_instance_id() or self.require("meta-data/instance-id")

    @property
    def instance_type(self) -> str:
        """Type of this instance (m5.large)."""
        return self.require("meta-data/instance-type")

    @property
    def region(self) -> str:
        """The region this instance is in."""
        return self.require("meta-data/placement/region")

    @property
    def availability_zone(self) -> str:
        """The availability zone this instance is in."""
        return self.require("meta-data/placement/availability-zone")

    @property
    def primary_mac(self) -> str:
        """MAC of the primary ENI."""
        mac = self.require("meta-data/mac").strip().lower()
        if len(mac) != 17:
            raise Unknown(f"IMDS answers nonsense: '{mac}' is no MAC")
        return mac

    def interface(self, mac: str, fact: str) -> str | None:
        """A fact (`interface-id`, `vpc-id`, ...) about the ENI with this MAC, None where the instance has no such ENI."""
        return self.get(f"{_INTERFACES}{mac}/{fact}")

    def eni_mac(self, mac: str) -> str:
        """MAC of the ENI that packets for the link with this MAC come in by: its own, else the primary one. Raises Unknown."""
        return mac if self.interface(mac, "interface-id") else self.primary_mac

    def device_indexes(self) -> set[int]:
        """The device indexes that are taken on this instance, as far as IMDS knows. Raises Unknown."""
        found = set()
        for mac in (self.get(_INTERFACES) or "").split():
            number = self.interface(mac.strip("/"), "device-number") or ""
            if number.isdecimal():
                found.add(int(number))
        return found

    def addresses(self, mac: str) -> tuple[IpAddress, ...]:
        """The addresses of the ENI with this MAC, as far as IMDS tells them. Raises Unknown."""
        return tuple(network.first for network in self._networks(mac, "local-ipv4s", "ipv6s"))

    def prefixes(self, mac: str) -> tuple[IpNetwork, ...]:
        """The delegated prefixes of the ENI with this MAC, as far as IMDS tells them. Raises Unknown."""
        return self._networks(mac, "ipv4-prefix", "ipv6-prefix")

    def subnet_cidrs(self, mac: str) -> tuple[IpNetwork, ...]:
        """The blocks of the subnet of the ENI with this MAC, as far as IMDS tells them. Raises Unknown."""
        return self._networks(mac, "subnet-ipv4-cidr-block", "subnet-ipv6-cidr-blocks")

    def vpc_cidrs(self, mac: str) -> tuple[IpNetwork, ...]:
        """The blocks of the VPC of the ENI with this MAC, as far as IMDS tells them. Raises Unknown."""
        return self._networks(mac, "vpc-ipv4-cidr-blocks", "vpc-ipv6-cidr-blocks")

    def read_ahead(self, *facts: Callable[[Imds], object]) -> None:
        """Read facts that will be asked for, as far as IMDS answers. For a thread."""
        try:
            for fact in facts:
                fact(self)
        except Unknown:
            # Whoever asks for it is told.
            pass

    def read_role_ahead(self) -> None:
        """Read the credentials of the instance's role for the next who asks for them. Raises Unknown."""
        role = self._role(self.get(_CREDENTIALS))
        if role:
            self.get(f"{_CREDENTIALS}{role}")

    def role_credentials(self) -> dict[str, str] | None:
        """AccessKeyId, SecretAccessKey and Token of the instance's role, as IMDS has them now; None without a role."""
        role = self._role(self._get_once(_CREDENTIALS))
        if role is None:
            return None
        text = self._get_once(f"{_CREDENTIALS}{role}") or ""
        try:
            answer: dict[str, str] = loads(text)
            if answer.get("Code", "Success") != "Success":
                raise Unknown(f"IMDS gives no credentials for the role {role}: {answer['Code']}")
            return {name: answer[name] for name in ("AccessKeyId", "SecretAccessKey", "Token")}
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            # Never the text, which may be half of a secret.
            raise Unknown(f"IMDS gives no credentials for the role {role}: incomplete answer") from error

    @staticmethod
    def _role(roles: str | None) -> str | None:
        return next(iter((roles or "").split()), None)

    def _get_once(self, path: str) -> str | None:
        """As get, of what changes with time: what was read ahead is good for one time."""
        return self._answers.pop(path) if path in self._answers else self._ask(path)

    def _networks(self, mac: str, *facts: str) -> tuple[IpNetwork, ...]:
        words = [word for fact in facts for word in (self.interface(mac, fact) or "").split()]
        try:
            return tuple(IpNetwork.parse(word) for word in words)
        except ValueError as error:
            raise Unknown(f"IMDS answers nonsense: {error}") from error

    def _ask(self, path: str) -> str | None:
        if self._unavailable is not None:
            # It did not answer for as long as one may wait: asking for each fact anew would eat the action's time.
            raise self._unavailable
        deadline = self._deadline.within(_PATIENCE_SECONDS)
        problem = Unknown("IMDS was not asked: no time left")
        for _ in deadline.attempts():
            try:
                return self._ask_once(path, deadline)
            except Unknown as error:
                problem = error
            if self._unavailable is not None:
                break
        self._unavailable = problem
        raise problem

    def _ask_once(self, path: str, deadline: Deadline) -> str | None:
        if self._token is None:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_SECONDS}
            status, text = self._request("PUT", "api/token", lifetime, deadline)
            if status == 403:
                self._unavailable = Unknown("IMDS is disabled on this instance")
                raise self._unavailable
            if status != 200 or not _is_sound(text) or not text:
                raise Unknown(f"IMDS gives no token: HTTP status {status}")
            self._token = text
        status, text = self._request("GET", path, {"X-aws-ec2-metadata-token": self._token}, deadline)
        if status == 404:
            return None
        if status == 401:
            self._token = None
        if status != 200:
            raise Unknown(f"IMDS does not tell {path}: HTTP status {status}")
        if not _is_sound(text):
            raise Unknown(f"IMDS answers nonsense for {path}")
        return text

    def _request(self, method: str, path: str, headers: dict[str, str], deadline: Deadline) -> tuple[int, str]:
        """Status and text of one answer. Raises Unknown."""
        attempt = deadline.within(_ATTEMPT_SECONDS)
        # An answer that comes a byte at a time never meets the timeout of a socket.
        status, text = call_within(attempt, lambda: self._exchange(method, path, headers), "IMDS")
        return status, text

    def _exchange(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        place = urlsplit(self._endpoint).netloc
        connection = HTTPConnection(place, timeout=_ATTEMPT_SECONDS)
        try:
            connection.request(method, f"/latest/{path}", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise Unknown(f"IMDS at {place} does not answer: {str(error) or type(error).__name__}") from error
        except ValueError as error:
            # Of a token that no header can carry; the error would tell it.
            raise Unknown(f"IMDS answers nonsense for {path}") from error
        finally:
            connection.close()


def open_imds(context: Context, seconds: float | None = None) -> Imds:
    """The metadata service for an action. seconds: how long at most to wait for it; None: the action's own time."""
    return Imds(context.environ, context.deadline.within(seconds) if seconds else context.deadline)


def _is_sound(text: str) -> bool:
    """Whether a text can be one of IMDS's: no page of HTML, no binary garbage."""
    return "<" not in text and "\ufffd" not in text and all(c.isprintable() or c.isspace() for c in text)


def _dmi_instance_id() -> str | None:
    """The instance id that the Nitro hypervisor writes into the DMI table; None on Xen and outside of EC2.

    "Identify EC2 Linux instances", EC2 user guide.
    """
    try:
        # As text, it would load the codec, and this may be a thread.
        with open("/sys/devices/virtual/dmi/id/board_asset_tag", "rb") as file:
            tag = file.read().strip().decode("ascii")
    except (OSError, ValueError):
        return None
    return tag if tag.startswith("i-") else None
