"""Callers: the credentials that the lab issued, and the principal of each."""

from __future__ import annotations

import base64
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from vpclab.ec2.errors import ApiError

ACCOUNT = "123456789012"
NODE_ROLE = "cluster-node"
"""The role in the instance profile of every instance."""

OPERATOR = "operator"

_CREDENTIAL = re.compile(r"Credential=(?P<key>[A-Z0-9]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/")


@dataclass(frozen=True)
class Principal:
    """The principal of an access key: a caller, as itself or in a role that it assumed."""

    caller: str
    role: str | None = None

    @property
    def is_operator(self) -> bool:
        """Whether the principal has all rights."""
        return self.caller == OPERATOR

    @property
    def arn(self) -> str:
        """As IAM writes it in its messages."""
        if self.is_operator:
            return f"arn:aws:iam::{ACCOUNT}:user/{OPERATOR}"
        account, name = ACCOUNT, NODE_ROLE
        if self.role:
            account, name = self.role.split(":")[4], self.role.rsplit("/", 1)[-1]
        return f"arn:aws:sts::{account}:assumed-role/{name}/{self.caller}"


@dataclass(frozen=True)
class Credentials:
    """A key, what goes with it, and whose it is."""

    principal: Principal
    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime

    @property
    def expired(self) -> bool:
        """Whether they are past their time."""
        return datetime.now(timezone.utc) >= self.expiration


@dataclass(frozen=True)
class Signature:
    """What a request's Authorization header says."""

    access_key_id: str
    region: str
    service: str


class Identities:
    """All credentials that the lab issued."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[str, Credentials] = {}
        self._current: dict[Principal, Credentials] = {}

    def of(self, principal: Principal) -> Credentials:
        """The current credentials of a principal; new ones if it has none that are valid."""
        with self._lock:
            current = self._current.get(principal)
            if current is None or current.expired:
                current = _make_credentials(principal)
                self._by_key[current.access_key_id] = current
                self._current[principal] = current
            return current

    def expire(self, principal: Principal) -> None:
        """End the current credentials of a principal, as their time does."""
        current = self.of(principal)
        ended = Credentials(
            current.principal,
            current.access_key_id,
            current.secret_access_key,
            current.session_token,
            datetime.now(timezone.utc),
        )
        with self._lock:
            self._by_key[ended.access_key_id] = ended
            del self._current[principal]

    def require(self, access_key_id: str, token: str | None) -> Principal:
        """The principal of a key, if the token belongs to it; raises ApiError as EC2 does."""
        with self._lock:
            found = self._by_key.get(access_key_id)
        if found is None or token != found.session_token:
            raise ApiError(
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
            )
        if found.expired:
            raise ApiError("RequestExpired", "Request has expired.")
        return found.principal


def read_signature(headers: Mapping[str, str]) -> Signature:
    """The key, region and service of a request's signature; raises ApiError without a signature."""
    found = _CREDENTIAL.search(headers.get("Authorization") or "")
    if not found:
        raise ApiError("AuthFailure", "The request is not signed.")
    return Signature(found["key"], found["region"], found["service"])


def _make_credentials(principal: Principal) -> Credentials:
    """Temporary credentials, which AWS gives keys that begin with ASIA."""
    letters = base64.b32encode(secrets.token_bytes(10)).decode()
    return Credentials(
        principal,
        access_key_id=f"ASIA{letters}",
        secret_access_key=secrets.token_urlsafe(30),
        session_token=secrets.token_urlsafe(60),
        expiration=datetime.now(timezone.utc) + timedelta(hours=6),
    )
