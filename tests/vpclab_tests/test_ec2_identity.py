"""The lab's EC2 and STS know who calls, and keep to IAM policies."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import trustme
from botocore.exceptions import ClientError

from vpclab.ec2 import Ec2
from vpclab.ec2.imds import Imds
from vpclab.plan import BuiltVpc

OVERLAY = "192.168.7.7/32"
ROLE = "arn:aws:iam::210987654321:role/overlay"
ARN = "arn:aws:ec2:eu-central-1:123456789012"


@pytest.fixture
def node(ec2: Ec2, hosts: dict[str, str]) -> Any:
    """node1's client."""
    return ec2.client(hosts["node1"])


@pytest.fixture
def route(vpc: BuiltVpc, hosts: dict[str, str]) -> dict[str, str]:
    """Parameters of a route to node1."""
    return {"RouteTableId": vpc.route_tables["a"], "DestinationCidrBlock": OVERLAY, "InstanceId": hosts["node1"]}


def refused(call: Any, **parameters: Any) -> dict[str, Any]:
    """The answer to a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return dict(caught.value.response)


def allow(*actions: str, on: Any = "*", **condition: Any) -> dict[str, Any]:
    """A statement that allows actions."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return {**statement, "Condition": condition} if condition else statement


def client_with(ec2: Ec2, key: str, secret: str, token: str | None, service: str = "ec2") -> Any:
    """A client with any credentials."""
    return botocore.session.Session().create_client(
        service,
        region_name="eu-central-1",
        endpoint_url=ec2.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def test_a_denied_call_says_who_what_and_on_which_resource(
    ec2: Ec2, hosts: dict[str, str], node: Any, route: dict[str, str]
) -> None:
    ec2.allow(hosts["node1"], {"Statement": [allow("ec2:Describe*")]})
    node.describe_route_tables()
    answer = refused(node.create_route, **route)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["Error"]["Code"] == "UnauthorizedOperation"
    message = answer["Error"]["Message"]
    arn = f"{ARN}:route-table/{route['RouteTableId']}"
    assert f"/{hosts['node1']} is not authorized to perform: ec2:CreateRoute on resource: {arn} because" in message
    assert len(message.rsplit(": ", 1)[1]) > 500


def test_a_dry_run_is_a_question_for_permission(
    ec2: Ec2, hosts: dict[str, str], node: Any, route: dict[str, str]
) -> None:
    assert refused(node.create_route, **route, DryRun=True)["Error"]["Code"] == "DryRunOperation"
    ec2.allow(hosts["node1"], {"Statement": []})
    assert refused(node.create_route, **route, DryRun=True)["Error"]["Code"] == "UnauthorizedOperation"
    ec2.allow(hosts["node1"], None)
    assert refused(node.create_route, **route, DryRun=True)["Error"]["Code"] == "DryRunOperation"


def test_a_policy_can_name_tables(
    ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], node: Any, route: dict[str, str]
) -> None:
    only_a = allow("ec2:CreateRoute", on=[f"{ARN}:route-table/{route['RouteTableId']}"])
    ec2.allow(hosts["node1"], {"Statement": only_a})
    node.create_route(**route)
    other = {**route, "RouteTableId": vpc.route_tables["b"]}
    assert refused(node.create_route, **other)["Error"]["Code"] == "UnauthorizedOperation"
    assert refused(node.describe_route_tables)["Error"]["Code"] == "UnauthorizedOperation"


def test_a_deny_outweighs_an_allow(ec2: Ec2, hosts: dict[str, str], node: Any, route: dict[str, str]) -> None:
    deny = {"Effect": "Deny", "Action": "ec2:CreateRoute", "Resource": "*"}
    ec2.allow(hosts["node1"], {"Statement": [allow("ec2:*"), deny]})
    assert "explicit deny" in refused(node.create_route, **route)["Error"]["Message"]


def test_a_detachment_needs_permission_on_both_ends(ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], node: Any) -> None:
    operator = ec2.operator()
    eni = operator.create_network_interface(SubnetId=vpc.subnets["a"])["NetworkInterface"]["NetworkInterfaceId"]
    wanted = {"NetworkInterfaceId": eni, "InstanceId": hosts["node1"], "DeviceIndex": 1}
    attachment = operator.attach_network_interface(**wanted)["AttachmentId"]
    action = "ec2:DetachNetworkInterface"
    ec2.allow(hosts["node1"], {"Statement": [allow(action, on=f"{ARN}:network-interface/{eni}")]})
    assert (
        f"instance/{hosts['node1']}"
        in refused(node.detach_network_interface, AttachmentId=attachment)["Error"]["Message"]
    )
    both = [f"{ARN}:network-interface/{eni}", f"{ARN}:instance/*"]
    ec2.allow(hosts["node1"], {"Statement": [allow(action, on=both)]})
    node.detach_network_interface(AttachmentId=attachment)


def test_a_condition_on_the_attribute_is_kept(ec2: Ec2, hosts: dict[str, str], node: Any) -> None:
    checked = allow("ec2:ModifyNetworkInterfaceAttribute", StringEquals={"ec2:Attribute": "SourceDestCheck"})
    ec2.allow(hosts["node1"], {"Statement": [checked]})
    eni = next(each.id for each in ec2.vpc().enis)
    node.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    answer = refused(node.modify_network_interface_attribute, NetworkInterfaceId=eni, Description={"Value": "x"})
    assert answer["Error"]["Code"] == "UnauthorizedOperation"


@pytest.mark.parametrize(
    "statement",
    [
        allow("ec2:*", NumericEquals={"ec2:Region": "1"}),
        allow("ec2:*", StringEquals={"aws:SourceIp": "10.0.0.1"}),
        {"Effect": "Allow", "NotAction": "ec2:*", "Resource": "*"},
        allow("ec2:*", on="arn:aws:ec2:*:*:instance/${aws:userid}"),
    ],
)
def test_what_the_lab_does_not_understand_in_a_policy_is_refused(ec2: Ec2, statement: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ec2.allow("i-12345678", {"Statement": [statement]})


def test_an_unknown_key_or_a_missing_token_is_an_auth_failure(ec2: Ec2, hosts: dict[str, str]) -> None:
    own = ec2.credentials(hosts["node1"])
    key, secret, token = own["AccessKeyId"], own["SecretAccessKey"], own["Token"]
    client_with(ec2, key, secret, token).describe_vpcs()
    for client in (client_with(ec2, key, secret, None), client_with(ec2, "AKIAUNKNOWNUNKNOWN00", secret, None)):
        answer = refused(client.describe_vpcs)
        assert answer["Error"]["Code"] == "AuthFailure"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 401
    assert ec2.calls[-1].caller == "AKIAUNKNOWNUNKNOWN00"


def test_expired_credentials_are_refused_until_new_ones_are_fetched(ec2: Ec2, hosts: dict[str, str]) -> None:
    old = ec2.credentials(hosts["node1"])
    assert ec2.credentials(hosts["node1"]) == old
    ec2.expire(hosts["node1"])
    answer = refused(client_with(ec2, old["AccessKeyId"], old["SecretAccessKey"], old["Token"]).describe_vpcs)
    assert answer["Error"]["Code"] == "RequestExpired"
    new = ec2.credentials(hosts["node1"])
    client_with(ec2, new["AccessKeyId"], new["SecretAccessKey"], new["Token"]).describe_vpcs()
    ec2.client(hosts["node1"]).describe_vpcs()


def test_an_instance_assumes_the_role_that_opens_a_shared_table(
    ec2: Ec2, hosts: dict[str, str], route: dict[str, str]
) -> None:
    sts = ec2.client(hosts["node1"], "sts")
    unknown = refused(sts.assume_role, RoleArn=ROLE, RoleSessionName="node")
    assert unknown["Error"]["Code"] == "AccessDenied" and unknown["ResponseMetadata"]["HTTPStatusCode"] == 403
    ec2.share([route["RouteTableId"]], ROLE)
    given = sts.assume_role(RoleArn=ROLE, RoleSessionName="node")["Credentials"]
    assumed = client_with(ec2, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assumed.create_route(**route)
    ec2.allow(hosts["node1"], {"Statement": [allow("ec2:*")]})
    assert "sts:AssumeRole" in refused(sts.assume_role, RoleArn=ROLE, RoleSessionName="node")["Error"]["Message"]
    identity = sts.get_caller_identity()
    assert identity["Arn"].endswith(f":assumed-role/cluster-node/{hosts['node1']}")


def test_what_the_lab_does_not_know_is_an_error_and_no_crash(ec2: Ec2, hosts: dict[str, str]) -> None:
    answer = refused(ec2.client(hosts["node1"]).describe_vpn_concentrators)
    assert answer["Error"]["Code"] in ("InvalidAction", "UnsupportedOperation")
    unknown = [{"Name": "banana", "Values": ["x"]}]
    answer = refused(ec2.client(hosts["node1"]).describe_subnets, Filters=unknown)
    assert answer["Error"]["Code"] == "UnsupportedOperation"


def test_another_regions_signature_is_refused(ec2: Ec2, hosts: dict[str, str]) -> None:
    own = ec2.credentials(hosts["node1"])
    client: Any = botocore.session.Session().create_client(
        "ec2",
        region_name="eu-west-1",
        endpoint_url=ec2.endpoint,
        aws_access_key_id=own["AccessKeyId"],
        aws_secret_access_key=own["SecretAccessKey"],
        aws_session_token=own["Token"],
    )
    assert refused(client.describe_vpcs)["Error"]["Code"] == "AuthFailure"


class RealNames:
    """The endpoint over TLS, and a Python that takes AWS's own names for it, and 169.254.169.254 for IMDS."""

    def __init__(self, ec2: Ec2, imds: Imds, folder: Path):
        authority = trustme.CA()
        certificate = authority.issue_cert("ec2.eu-central-1.amazonaws.com", "sts.eu-central-1.amazonaws.com")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        endpoint = socket.create_server(("127.0.0.1", 0))
        metadata = socket.create_server(("127.0.0.1", 0))
        ports = endpoint.getsockname()[1], metadata.getsockname()[1]
        ec2.listen(endpoint, context)
        imds.listen(metadata)
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        (folder / "sitecustomize.py").write_text(
            "import socket\n"
            "ask = socket.getaddrinfo\n"
            "def answer(host, port, *rest, **more):\n"
            "    known = {'169.254.169.254': %d}\n"
            "    if str(host).endswith('.amazonaws.com'):\n"
            "        known[host] = %d\n"
            "    if host in known:\n"
            "        host, port = '127.0.0.1', known[host]\n"
            "    return ask(host, port, *rest, **more)\n"
            "socket.getaddrinfo = answer\n" % (ports[1], ports[0])
        )
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(folder),
            "AWS_CA_BUNDLE": str(folder / "ca.pem"),
            "HOME": str(folder),
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a Python program that believes the names."""
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )


@pytest.fixture
def real_names(ec2: Ec2, hosts: dict[str, str], tmp_path: Path) -> Any:
    """AWS's names for the lab's EC2 and STS, on a machine that is node1."""
    imds = Imds(ec2, identify=lambda address: hosts["node1"])
    yield RealNames(ec2, imds, tmp_path)
    imds.close()


def test_boto3_finds_its_credentials_and_its_endpoint_by_the_real_names(
    ec2: Ec2, hosts: dict[str, str], real_names: RealNames
) -> None:
    program = (
        "import boto3\n"
        "client = boto3.client('ec2', region_name='eu-central-1')\n"
        "print(client.describe_vpcs()['Vpcs'][0]['CidrBlock'])\n"
        "sts = boto3.client('sts', region_name='eu-central-1', endpoint_url='https://sts.eu-central-1.amazonaws.com')\n"
        "print(sts.get_caller_identity()['Arn'])\n"
    )
    done = real_names.run(sys.executable, "-c", program)
    assert done.stdout.splitlines() == [
        "10.0.0.0/16",
        f"arn:aws:sts::123456789012:assumed-role/cluster-node/{hosts['node1']}",
    ], done.stderr
    assert ec2.calls.named("DescribeVpcs")[0].caller == hosts["node1"]


@pytest.mark.acceptance
def test_the_real_fence_aws_switches_a_node_off_and_on(ec2: Ec2, hosts: dict[str, str], real_names: RealNames) -> None:
    ec2.times.stop = ec2.times.start = 0.1
    agent = ["/usr/sbin/fence_aws", "--region=eu-central-1", f"--plug={hosts['node2']}"]

    def action(name: str) -> tuple[int, str]:
        done = real_names.run(*agent, f"--action={name}")
        return done.returncode, done.stdout + done.stderr

    assert action("status")[0] == 0
    assert action("off") == (0, "Success: Powered OFF\n")
    assert action("status")[0] == 2
    assert action("on") == (0, "Success: Powered ON\n")
    listed = real_names.run(*agent, "--action=list").stdout
    assert set(hosts.values()) == {line.split(",")[0] for line in listed.splitlines()}
    assert {call.outcome for call in ec2.calls.by(hosts["node1"])} == {"ok"}
