"""IMDSv2 for all instances: the source address of a request identifies the instance."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from moto.ec2.models.instances import Instance

from vpclab.ec2.backend import Backend, Interface
from vpclab.ec2.call_log import Call, CallLog
from vpclab.ec2.errors import ApiError
from vpclab.ec2.faults import Faults
from vpclab.ec2.http_server import Request, Response, Server, Silent
from vpclab.ec2.identity import ACCOUNT, NODE_ROLE
from vpclab.ec2.region import Ec2

Tree = Mapping[str, "Tree | str"]
"""Metadata: a directory with its children, or the text at the end of a path."""

_TOKEN = "X-aws-ec2-metadata-token"
_TOKEN_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
_LONGEST_TTL = 21600


class Imds:
    """Answers instances about themselves, as EC2 knows them."""

    def __init__(self, ec2: Ec2, identify: Callable[[str], str | None] | None = None):
        """`identify` returns the instance id of a source address; by default, that of the ENI with this address."""
        self._ec2 = ec2
        self._identify = identify or self._find_instance
        self.faults = Faults()
        """Faults of requests, whose action is their path (/latest/meta-data/mac)."""

        self.calls = CallLog()
        """The requests, by the same names."""

        self.server = Server("imds", self._answer)
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lags: dict[str, float] = {}
        self.dead: set[str] = set()
        """Instances whose requests are never answered."""

        self.disabled: set[str] = set()
        """Instances whose metadata endpoint is switched off: 403."""

    def listen(self, sock: socket.socket) -> None:
        """Serve on a bound, listening socket until `close`."""
        self.server.listen(sock)

    def close(self) -> None:
        """Cut all connections, those of the dead too, and end all threads."""
        self.faults.clear()
        self.server.close()

    def lag(self, instance_id: str, seconds: float) -> None:
        """Tell the instance about its ENIs as they were so many seconds ago; 0: as they are."""
        with self._lock:
            self._lags[instance_id] = seconds
            self._ec2.lag = max(self._lags.values())

    def forget_tokens(self) -> None:
        """Make every token invalid: 401, until the instance fetches a new one."""
        with self._lock:
            self._tokens.clear()

    def _find_instance(self, address: str) -> str | None:
        """The instance that has an ENI with the address."""
        with self._ec2.view() as backend:
            eni = backend.eni_with(address)
            return eni.holder if eni else None

    def _answer(self, request: Request) -> Response:
        """The response to a request of an instance."""
        instance_id = self._identify(request.peer)
        if instance_id is None:
            raise Silent
        path = request.target.partition("?")[0]
        exchange = _Exchange(self, request, instance_id, path)
        fault = self.faults.catch(instance_id, path, {})
        try:
            answer = fault.effect.around(exchange, fault.released) if fault else exchange.execute()
        except ApiError as error:
            exchange.record(str(error.status))
            return Response(error.status)
        exchange.record(str(answer.status))
        return answer

    def answer_now(self, request: Request, instance_id: str, path: str, lag: float) -> Response:
        """The answer, faults apart. lag: seconds back, for what it tells of the ENIs."""
        if instance_id in self.dead:
            raise Silent
        if instance_id in self.disabled:
            return Response(403)
        if path == "/latest/api/token":
            return self._give_token(request, instance_id)
        if request.method != "GET":
            return Response(405)
        if not self._is_valid(request.headers.get(_TOKEN), instance_id):
            return Response(401)
        return self._tell(instance_id, path, lag)

    def _give_token(self, request: Request, instance_id: str) -> Response:
        """A token for the time asked; a request that came through a proxy gets 403."""
        if request.method != "PUT":
            return Response(405)
        if "X-Forwarded-For" in request.headers:
            return Response(403)
        ttl = request.headers.get(_TOKEN_TTL, "")
        if not ttl.isdigit() or not 1 <= int(ttl) <= _LONGEST_TTL:
            return Response(400)
        token = secrets.token_urlsafe(40)
        with self._lock:
            self._tokens[token] = (instance_id, time.monotonic() + int(ttl))
        return Response(200, token.encode(), headers={_TOKEN_TTL: ttl})

    def _is_valid(self, token: str | None, instance_id: str) -> bool:
        """Whether this instance was given the token, and recently enough."""
        with self._lock:
            owner, end = self._tokens.get(token or "", ("", 0.0))
        return owner == instance_id and time.monotonic() < end

    def _tell(self, instance_id: str, path: str, lag: float) -> Response:
        """The metadata at a path."""
        node: Tree | str | None = self._metadata(instance_id, lag)
        for name in filter(None, path.split("/")):
            node = node.get(name) if isinstance(node, Mapping) else None
        if node is None:
            return Response(404)
        if isinstance(node, str):
            return Response(200, node.encode())
        listing = (f"{name}/" if isinstance(child, Mapping) else name for name, child in node.items())
        return Response(200, "\n".join(listing).encode())

    def _metadata(self, instance_id: str, lag: float) -> Tree:
        """Everything that an instance can read."""
        credentials = self._ec2.credentials(instance_id)
        with self._ec2.view() as backend:
            instance = backend.get_instance(instance_id)
            facts = _instance_facts(instance)
            document = _identity_document(instance)
        with self._ec2.view(lag or self._lags.get(instance_id, 0)) as backend:
            interfaces = _interfaces(backend, instance_id)
        facts["iam"] = {
            "info": _json(
                Code="Success",
                InstanceProfileArn=f"arn:aws:iam::{ACCOUNT}:instance-profile/{NODE_ROLE}",
            ),
            "security-credentials": {NODE_ROLE: _json(Code="Success", Type="AWS-HMAC", **credentials)},
        }
        facts["network"] = {"interfaces": {"macs": interfaces}}
        return {
            "latest": {
                "dynamic": {"instance-identity": {"document": document}},
                "meta-data": facts,
            }
        }


class _Exchange:
    """A request between its arrival and its answer, as the effects of faults have it."""

    def __init__(self, imds: Imds, request: Request, caller: str, path: str):
        self._imds = imds
        self._request = request
        self._caller = caller
        self._path = path
        self._time = time.time()
        self._recorded = False

    def execute(self, lag: float = 0) -> Response:
        """The answer, as of `lag` seconds ago."""
        return self._imds.answer_now(self._request, self._caller, self._path, lag)

    def record(self, outcome: str) -> None:
        """Enter the request in the log; only the first record counts."""
        if not self._recorded:
            self._recorded = True
            agent = self._request.headers.get("User-Agent") or ""
            self._imds.calls.append(Call(self._time, self._caller, self._path, {}, outcome, agent, "", ()))


def _instance_facts(instance: Instance) -> dict[str, Tree | str]:
    """The part of the metadata that does not change while an instance runs."""
    primary = instance.nics[0]
    return {
        "ami-id": instance.image_id,
        "hostname": instance.private_dns_name,
        "instance-id": instance.id,
        "instance-type": instance.instance_type,
        "local-hostname": instance.private_dns_name,
        "local-ipv4": primary.private_ip_address or "",
        "mac": primary.mac_address,
        "placement": {
            "availability-zone": instance.availability_zone or "",
            "region": instance.region_name,
        },
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }


def _identity_document(instance: Instance) -> str:
    """The signed statement of who the instance is, without the signature."""
    return _json(
        accountId=ACCOUNT,
        architecture=instance.architecture,
        availabilityZone=instance.availability_zone or "",
        imageId=instance.image_id,
        instanceId=instance.id,
        instanceType=instance.instance_type,
        pendingTime=f"{instance.launch_time:%Y-%m-%dT%H:%M:%SZ}",
        privateIp=instance.private_ip_address or "",
        region=instance.region_name,
        version="2017-09-30",
    )


def _interfaces(backend: Backend, instance_id: str) -> Tree:
    """The ENIs that an instance has, by MAC."""
    return {eni.mac_address: _interface(backend, eni) for eni in backend.enis.values() if eni.holder == instance_id}


def _interface(backend: Backend, eni: Interface) -> Tree:
    """The metadata of an ENI; as in EC2, a path that would be empty does not exist."""
    vpc = backend.get_vpc(eni.vpc_id)
    blocks = [b["cidr_block"] for b in vpc.get_cidr_block_association_set(ipv6=False)]
    blocks6 = [b["cidr_block"] for b in vpc.get_cidr_block_association_set(ipv6=True)]
    subnet = eni.subnet
    ipv4 = [a for a in eni.addresses if ":" not in a]
    several = {
        "ipv4-prefix": [item["Ipv4Prefix"] for item in eni.ipv4_prefixes],
        "ipv6-prefix": [item["Ipv6Prefix"] for item in eni.ipv6_prefixes],
        "ipv6s": eni.ipv6_addresses,
        "local-ipv4s": ipv4,
        "security-group-ids": [group.id for group in eni.group_set],
        "subnet-ipv6-cidr-blocks": [
            association["ipv6CidrBlock"] for association in subnet.ipv6_cidr_block_associations.values()
        ],
        "vpc-ipv4-cidr-blocks": blocks,
        "vpc-ipv6-cidr-blocks": blocks6,
    }
    single = {
        "device-number": str(eni.device_index),
        "interface-id": eni.id,
        "mac": eni.mac_address,
        "network-card": str(eni.network_card_index),
        "owner-id": str(eni.owner_id),
        "subnet-id": subnet.id,
        "subnet-ipv4-cidr-block": str(subnet.cidr_block),
        "vpc-id": str(eni.vpc_id),
        "vpc-ipv4-cidr-block": vpc.cidr_block,
    }
    texts = {name: _lines(values) for name, values in several.items() if values}
    return dict(sorted({**single, **texts}.items()))


def _lines(values: Iterable[str]) -> str:
    """One value a line."""
    return "\n".join(values)


def _json(**facts: str) -> str:
    """A JSON document as IMDS writes it."""
    return json.dumps(facts, indent=2)
