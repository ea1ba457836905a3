"""Who this instance is: the instance metadata service (IMDS), version 2 only.

Every request is bounded and goes straight to the link-local address: never through a proxy, which would answer for
its own instance ("Configure the instance metadata service", EC2 user guide).
"""

from __future__ import annotations

from ocf_aws.status import Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocf_aws.deadline import Deadline

_ENDPOINT = "http://169.254.169.254"
_ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
"""The variable that the AWS SDKs read too; an instance with IPv6 alone sets it to http://[fd00:ec2::254]."""

_ATTEMPT_SECONDS = 1.0
_PATIENCE_SECONDS = 4.0
_TOKEN_SECONDS = "300"
"""How long a token is good: longer than any action, and no longer than it must be."""


class Imds:
    """The metadata service as this process sees it.

    environ: the action's environment. deadline: of the action; silence is waited for 4 s of it, once.
    """

    def __init__(self, environ: Mapping[str, str], deadline: Deadline):
        self._endpoint = environ.get(_ENDPOINT_VARIABLE) or _ENDPOINT
        self._deadline = deadline
        self._token: str | None = None
        self._answers: dict[str, str | None] = {}
        self._silence: Unknown | None = None

    def find(self, path: str) -> str | None:
        """The text at /latest/`path`, None where there is none. Raises Unknown without an answer."""
        if path not in self._answers:
            self._answers[path] = self._ask(path)
        return self._answers[path]

    def require(self, path: str) -> str:
        """As find; raises Unknown where there is none, too."""
        text = self.find(path)
        if text is None:
            raise Unknown(f"IMDS has no {path}")
        return text

    @property
    def instance_id(self) -> str:
        """Id of this instance (i-...)."""
        return _dmi_instance_id() or self.require("meta-data/instance-id")

    @property
    def region(self) -> str:
        """The region this instance is in."""
        return self.require("meta-data/placement/region")

    @property
    def primary_mac(self) -> str:
        """MAC of the primary ENI."""
        return self.require("meta-data/mac")

    def eni(self, mac: str, fact: str) -> str | None:
        """A fact (`interface-id`, `vpc-id`, ...) about the ENI with this MAC, None where the instance has no such ENI."""
        return self.find(f"meta-data/network/interfaces/macs/{mac}/{fact}")

    def role_credentials(self) -> dict[str, str] | None:
        """AccessKeyId, SecretAccessKey and Token of the instance's role; None where it has none."""
        from json import loads

        roles = self.find("meta-data/iam/security-credentials/")
        if not roles:
            return None
        role = roles.split()[0]
        answer: dict[str, str] = loads(self.require(f"meta-data/iam/security-credentials/{role}"))
        if answer.get("Code", "Success") != "Success":
            raise Unknown(f"IMDS gives no credentials for the role {role}: {answer['Code']}")
        return answer

    def _ask(self, path: str) -> str | None:
        if self._silence is not None:
            # It was silent for as long as one may wait: asking for each fact anew would eat the action's time.
            raise self._silence
        deadline = self._deadline.within(_PATIENCE_SECONDS)
        silence = Unknown("IMDS was not asked: no time left")
        for _ in deadline.pauses():
            try:
                return self._ask_once(path, deadline)
            except Unknown as error:
                silence = error
            if self._silence is not None:
                break
        self._silence = silence
        raise silence

    def _ask_once(self, path: str, deadline: Deadline) -> str | None:
        if self._token is None:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_SECONDS}
            status, text = self._request("PUT", "api/token", lifetime, deadline)
            if status == 403:
                self._silence = Unknown("IMDS is disabled on this instance")
                raise self._silence
            if status != 200:
                raise Unknown(f"IMDS gives no token: HTTP status {status}")
            self._token = text
        token = {"X-aws-ec2-metadata-token": self._token}
        status, text = self._request("GET", path, token, deadline)
        if status == 404:
            return None
        if status == 401:
            self._token = None
        if status != 200:
            raise Unknown(f"IMDS does not tell {path}: HTTP status {status}")
        return text

    def _request(self, method: str, path: str, headers: dict[str, str], deadline: Deadline) -> tuple[int, str]:
        # urllib would take a proxy from the environment; http.client knows none.
        from http.client import HTTPConnection, HTTPException
        from urllib.parse import urlsplit

        seconds = max(0.05, min(_ATTEMPT_SECONDS, deadline.left()))
        place = urlsplit(self._endpoint).netloc
        connection = HTTPConnection(place, timeout=seconds)
        try:
            connection.request(method, f"/latest/{path}", headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Unknown(f"IMDS at {place} does not answer: {reason}") from error
        finally:
            connection.close()


def _dmi_instance_id() -> str | None:
    """The instance id that the Nitro hypervisor writes into the DMI table; None on Xen and outside of EC2.

    "Identify EC2 Linux instances", EC2 user guide.
    """
    try:
        with open("/sys/devices/virtual/dmi/id/board_asset_tag", encoding="ascii") as file:
            tag = file.read().strip()
    except (OSError, ValueError):
        return None
    return tag if tag.startswith("i-") else None
