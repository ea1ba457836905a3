"""The lab's IMDS answers each instance about itself, as version 2 does."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from vpclab.ec2 import Ec2, effects
from vpclab.ec2.imds import Imds
from vpclab.plan import BuiltVpc

MACS = "/latest/meta-data/network/interfaces/macs"


class Metadata:
    """The service as an instance asks it."""

    def __init__(self, ec2: Ec2, instance_id: str):
        self.instance_id = instance_id
        self.imds = Imds(ec2, identify=lambda address: self.instance_id)
        sock = socket.create_server(("127.0.0.1", 0))
        self._port = sock.getsockname()[1]
        self.imds.listen(sock)

    def ask(self, method: str, path: str, timeout: float = 5, **headers: Any) -> tuple[int, str]:
        """Status and text of one answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request(method, path, headers={n.replace("_", "-"): v for n, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def token(self, ttl: str = "60") -> str:
        """A new token."""
        status, text = self.ask("PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds=ttl)
        assert status == 200
        return text

    def read(self, path: str) -> str:
        """What is at a path."""
        status, text = self.ask("GET", path, X_aws_ec2_metadata_token=self.token())
        assert status == 200, path
        return text


@pytest.fixture
def metadata(ec2: Ec2, hosts: dict[str, str]) -> Iterator[Metadata]:
    """node1's metadata."""
    service = Metadata(ec2, hosts["node1"])
    yield service
    service.imds.close()


def test_the_identity_document_says_what_ec2_says(metadata: Metadata, hosts: dict[str, str]) -> None:
    document = json.loads(metadata.read("/latest/dynamic/instance-identity/document"))
    assert document["instanceId"] == hosts["node1"]
    assert document["region"] == "eu-central-1" and document["availabilityZone"] == "eu-central-1a"
    assert document["privateIp"] == "10.0.1.11" and document["accountId"] == "123456789012"


def test_the_instances_facts_are_there(metadata: Metadata, hosts: dict[str, str]) -> None:
    assert metadata.read("/latest/meta-data/instance-id") == hosts["node1"]
    assert metadata.read("/latest/meta-data/instance-type") == "m5.large"
    assert metadata.read("/latest/meta-data/local-ipv4") == "10.0.1.11"
    assert metadata.read("/latest/meta-data/hostname") == "ip-10-0-1-11.eu-central-1.compute.internal"
    assert metadata.read("/latest/meta-data/placement/region") == "eu-central-1"
    assert metadata.read("/latest/meta-data/placement/availability-zone") == "eu-central-1a"


def test_nothing_is_told_without_a_token_of_ones_own(metadata: Metadata, hosts: dict[str, str]) -> None:
    path = "/latest/meta-data/instance-id"
    token = metadata.token()
    assert metadata.ask("GET", path)[0] == 401
    assert metadata.ask("GET", path, X_aws_ec2_metadata_token="banana")[0] == 401
    metadata.instance_id = hosts["node2"]
    assert metadata.ask("GET", path, X_aws_ec2_metadata_token=token)[0] == 401
    metadata.instance_id = hosts["node1"]
    assert metadata.ask("GET", path, X_aws_ec2_metadata_token=token)[0] == 200
    metadata.imds.forget_tokens()
    assert metadata.ask("GET", path, X_aws_ec2_metadata_token=token)[0] == 401


def test_a_token_ends_with_its_time(metadata: Metadata) -> None:
    token = metadata.token(ttl="1")
    deadline = time.monotonic() + 3
    while metadata.ask("GET", "/latest/meta-data/mac", X_aws_ec2_metadata_token=token)[0] == 200:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("ttl", [{}, {"X_aws_ec2_metadata_token_ttl_seconds": "0"}])
def test_a_token_needs_a_time_to_live(metadata: Metadata, ttl: dict[str, Any]) -> None:
    assert metadata.ask("PUT", "/latest/api/token", **ttl)[0] == 400


def test_a_proxys_request_gets_no_token(metadata: Metadata) -> None:
    headers: dict[str, Any] = {"X_aws_ec2_metadata_token_ttl_seconds": "60", "X_Forwarded_For": "10.0.1.11"}
    assert metadata.ask("PUT", "/latest/api/token", **headers)[0] == 403


def test_directories_list_their_children_and_unknown_paths_are_not_found(ec2: Ec2, metadata: Metadata) -> None:
    listed = metadata.read("/latest/meta-data/").splitlines()
    assert "instance-id" in listed and "placement/" in listed
    mac = metadata.read("/latest/meta-data/mac")
    assert metadata.read(f"{MACS}/") == f"{mac}/"
    for path in ("/latest/meta-data/banana", "/latest/meta-data/instance-id/x", f"{MACS}/{mac}/ipv4-prefix"):
        assert metadata.ask("GET", path, X_aws_ec2_metadata_token=metadata.token())[0] == 404


def test_an_eni_is_described_by_its_mac(ec2: Ec2, vpc: BuiltVpc, metadata: Metadata, hosts: dict[str, str]) -> None:
    operator = ec2.operator()
    created = operator.create_network_interface(
        SubnetId=vpc.subnets["a"],
        PrivateIpAddresses=[{"PrivateIpAddress": f"10.0.1.{n}", "Primary": n == 50} for n in (50, 51)],
        Ipv6Addresses=[{"Ipv6Address": "2001:db8:100:1::50"}],
        Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.224/28"}],
        Ipv6Prefixes=[{"Ipv6Prefix": "2001:db8:100:1:fffe::/80"}],
    )["NetworkInterface"]
    eni, mac = created["NetworkInterfaceId"], created["MacAddress"]
    operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=hosts["node1"], DeviceIndex=1)
    names = metadata.read(f"{MACS}/{mac}/").splitlines()
    told = {name: metadata.read(f"{MACS}/{mac}/{name}") for name in names}
    del told["security-group-ids"]
    assert told == {
        "device-number": "1",
        "interface-id": eni,
        "ipv4-prefix": "10.0.1.224/28",
        "ipv6-prefix": "2001:db8:100:1:fffe::/80",
        "ipv6s": "2001:db8:100:1::50",
        "local-ipv4s": "10.0.1.50\n10.0.1.51",
        "mac": mac,
        "network-card": "0",
        "owner-id": "123456789012",
        "subnet-id": vpc.subnets["a"],
        "subnet-ipv4-cidr-block": "10.0.1.0/24",
        "subnet-ipv6-cidr-blocks": "2001:db8:100:1::/64",
        "vpc-id": vpc.vpc_id,
        "vpc-ipv4-cidr-block": "10.0.0.0/16",
        "vpc-ipv4-cidr-blocks": "10.0.0.0/16",
        "vpc-ipv6-cidr-blocks": "2001:db8:100::/56",
    }


def test_the_roles_credentials_are_those_that_ec2_knows(ec2: Ec2, metadata: Metadata, hosts: dict[str, str]) -> None:
    folder = "/latest/meta-data/iam/security-credentials/"
    assert metadata.read(folder) == "cluster-node"
    told = json.loads(metadata.read(folder + "cluster-node"))
    assert told["Code"] == "Success"
    assert {**told, **ec2.credentials(hosts["node1"])} == told
    assert "instance-profile/cluster-node" in metadata.read("/latest/meta-data/iam/info")


def test_a_slow_service_tells_of_an_eni_late(
    ec2: Ec2, vpc: BuiltVpc, metadata: Metadata, hosts: dict[str, str]
) -> None:
    metadata.imds.lag(hosts["node1"], 0.5)
    operator = ec2.operator()
    created = operator.create_network_interface(SubnetId=vpc.subnets["a"])["NetworkInterface"]
    operator.attach_network_interface(
        NetworkInterfaceId=created["NetworkInterfaceId"], InstanceId=hosts["node1"], DeviceIndex=1
    )
    attached = time.monotonic()
    assert created["MacAddress"] not in metadata.read(f"{MACS}/")
    while created["MacAddress"] not in metadata.read(f"{MACS}/"):
        assert time.monotonic() < attached + 3
    assert time.monotonic() > attached + 0.4


def test_a_dead_service_never_answers_and_does_not_hold_up_its_end(
    ec2: Ec2, metadata: Metadata, hosts: dict[str, str]
) -> None:
    metadata.imds.dead.add(hosts["node1"])
    with pytest.raises(TimeoutError):
        metadata.ask("GET", "/latest/meta-data/mac", timeout=0.2)
    ended: list[Any] = []

    def wait() -> None:
        with pytest.raises((OSError, http.client.HTTPException)):
            metadata.ask("GET", "/latest/meta-data/mac", timeout=5)
        ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    threading.Event().wait(0.1)
    metadata.imds.close()
    thread.join(1)
    assert ended == [True]
    assert not [each for each in threading.enumerate() if each.name.startswith("imds-")]


def test_a_disabled_service_forbids(metadata: Metadata, hosts: dict[str, str]) -> None:
    metadata.imds.disabled.add(hosts["node1"])
    assert metadata.ask("PUT", "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="60")[0] == 403


def test_an_instance_is_known_by_any_address_of_its_enis(ec2: Ec2, hosts: dict[str, str]) -> None:
    imds = Imds(ec2)
    assert imds._find_instance("10.0.2.12") == hosts["node2"]
    assert imds._find_instance("2001:db8:100:2:0::12") == hosts["node2"]
    assert imds._find_instance("10.0.2.99") is None


def test_a_fault_catches_the_paths_that_it_names(metadata: Metadata) -> None:
    token = {"X_aws_ec2_metadata_token": metadata.token()}
    with metadata.imds.faults.add("/latest/meta-data/*", effect=effects.Error("InternalError", 500)):
        assert metadata.ask("GET", "/latest/meta-data/mac", **token)[0] == 500
        assert metadata.token()
    assert metadata.ask("GET", "/latest/meta-data/mac", **token)[0] == 200
    assert [call.outcome for call in metadata.imds.calls] == ["200", "500", "200", "200"]
