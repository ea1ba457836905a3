"""One emulated AWS region: what a lab or a test sees of EC2 and STS."""

from __future__ import annotations

import functools
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import botocore.session
from botocore.config import Config

from vpclab.ec2.api import Api
from vpclab.ec2.backend import Backend
from vpclab.ec2.effects import Stale
from vpclab.ec2.faults import Faults
from vpclab.ec2.http_server import Server
from vpclab.ec2.identity import OPERATOR, Credentials, Identities, Principal
from vpclab.ec2.policy import Policy
from vpclab.ec2.routes import add_propagated_route
from vpclab.ec2.snapshot import take_snapshot
from vpclab.ec2.state import Power, State, Times
from vpclab.vpc import Vpc

_IMAGE = "ami-0123456789abcdef0"
_CREATING = threading.Lock()
"""botocore's sessions cannot make two clients at the same time."""


@functools.cache
def _session() -> botocore.session.Session:
    """A session that knows nothing of the user's configuration; one, because loading the service model is slow."""
    return botocore.session.Session(
        {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )


class Ec2:
    """EC2 and STS of one region, with nothing in it; listens on a loopback port of its own at once."""

    def __init__(self, region: str = "eu-central-1", page_size: int | None = None):
        """`page_size`: items in a page of a describe that does not say MaxResults; None: all."""
        self.region = region
        self.faults = Faults()
        self.lag = 0.0
        """How many seconds back IMDS may look."""

        self.state = State(region, self._reach)
        self.state.page_size = page_size
        self.identities = Identities()
        self._api = Api(self.state, self.identities, self.faults)
        self.calls = self._api.calls
        self.server = Server("ec2", self._api.answer)
        self._clients: dict[tuple[str, str], Any] = {}
        loopback = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{loopback.getsockname()[1]}"
        self.listen(loopback)

    def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Serve EC2 and STS on a bound, listening socket as well, until `close`."""
        self.server.listen(sock, tls)

    def close(self) -> None:
        """End every call that hangs, and all threads."""
        self.faults.clear()
        self.state.close()
        self.server.close()

    @property
    def times(self) -> Times:
        """How long attach, detach, stop and start take; may be changed at any time."""
        return self.state.times

    @property
    def stuck(self) -> set[str]:
        """ENIs that stay in `detaching` until they are detached by force."""
        return self.state.stuck

    @property
    def page_size(self) -> int | None:
        """Items in a page of a describe that does not say MaxResults; None: all. May be changed at any time."""
        return self.state.page_size

    @page_size.setter
    def page_size(self, size: int | None) -> None:
        self.state.page_size = size

    @property
    def power(self) -> Power:
        """What switches the instances."""
        return self.state.power

    @power.setter
    def power(self, power: Power) -> None:
        self.state.power = power

    @property
    def on_change(self) -> Callable[[], None]:
        """Called, without arguments, in the thread of each change and before its answer."""
        return self.state.on_change

    @on_change.setter
    def on_change(self, watch: Callable[[], None]) -> None:
        self.state.on_change = watch

    @contextmanager
    def view(self, lag: float = 0) -> Iterator[Backend]:
        """moto's backend as of `lag` seconds ago, to read; nothing changes meanwhile."""
        with self.state.view(lag) as backend:
            yield backend

    def vpc(self) -> Vpc:
        """What the network must do now."""
        with self.view() as backend:
            return take_snapshot(backend)

    def operator(self, service: str = "ec2") -> Any:
        """A client with all rights, without faults; its calls are not in the log."""
        return self.client(OPERATOR, service)

    def client(self, caller: str, service: str = "ec2", role: str | None = None) -> Any:
        """A client with the credentials of an instance, or of a role that it assumed; never retries."""
        credentials = self.identities.of(Principal(caller, role))
        key = credentials.access_key_id, service
        with _CREATING:
            if key not in self._clients:
                self._clients[key] = self._make_client(credentials, service)
            return self._clients[key]

    def credentials(self, instance_id: str) -> dict[str, str]:
        """AccessKeyId, SecretAccessKey, Token and Expiration of the instance's role, as IMDS returns them."""
        credentials = self.identities.of(Principal(instance_id))
        return {
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "Token": credentials.session_token,
            "Expiration": f"{credentials.expiration:%Y-%m-%dT%H:%M:%SZ}",
        }

    def expire(self, instance_id: str) -> None:
        """End the instance's present credentials: RequestExpired, until it fetches new ones."""
        self.identities.expire(Principal(instance_id))

    def allow(self, caller: str, policy: Mapping[str, Any] | None) -> None:
        """Let a policy document decide what an instance, or a role by its ARN, may do; None: everything.

        Raises ValueError for what the lab does not understand in a policy.
        """
        if policy is None:
            self._api.policies.pop(caller, None)
        else:
            self._api.policies[caller] = Policy(policy)

    def share(self, route_table_ids: Iterable[str], role_arn: str) -> None:
        """Let route tables belong to another account, which only this role opens."""
        for route_table_id in route_table_ids:
            self.state.shared[route_table_id] = role_arn

    def create_vpc(self, cidr: str, ipv6_cidr: str | None = None) -> str:
        """A VPC with exactly these blocks, which CreateVpc cannot promise; returns its id."""
        with self.state.change() as backend:
            vpc = backend.create_vpc(cidr)
            if ipv6_cidr:
                backend.add_ipv6_cidr(vpc, ipv6_cidr)
            return str(vpc.id)

    def run_instance(
        self,
        name: str,
        subnet_id: str,
        private_ip: str | None = None,
        ipv6: str | None = None,
        type: str = "m5.large",
    ) -> str:
        """A running instance with one ENI; without `private_ip` it gets a free one. Returns its id."""
        wanted: dict[str, Any] = {}
        if private_ip:
            wanted["PrivateIpAddress"] = private_ip
        if ipv6:
            wanted["Ipv6Addresses"] = [{"Ipv6Address": ipv6}]
        answer = self.operator().run_instances(
            ImageId=_IMAGE,
            MinCount=1,
            MaxCount=1,
            InstanceType=type,
            SubnetId=subnet_id,
            TagSpecifications=[
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": "Name", "Value": name}],
                }
            ],
            **wanted,
        )
        return str(answer["Instances"][0]["InstanceId"])

    def propagate(
        self,
        route_table_id: str,
        cidr: str,
        gateway: str,
        origin: str = "EnableVgwRoutePropagation",
    ) -> None:
        """Put an entry into a table that no call made, as a gateway does; `origin` may be Advertisement."""
        with self.state.change() as backend:
            table = backend.get_route_table(route_table_id)
            add_propagated_route(table, ip_network(cidr), gateway, origin)

    def _reach(self) -> float:
        """How many seconds back the slowest reader looks now."""
        stale = [e.seconds for e in self.faults.effects() if isinstance(e, Stale)]
        return max([self.lag, *stale])

    def _make_client(self, credentials: Credentials, service: str) -> Any:
        """A client on the loopback endpoint, whatever the environment says."""
        return _session().create_client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=Config(
                proxies={},
                retries={"total_max_attempts": 1},
                connect_timeout=5,
                read_timeout=60,
            ),
        )
