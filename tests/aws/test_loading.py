"""The part of the real botocore that is loaded, and the TLS context that its clients share."""

from __future__ import annotations

import subprocess
import sys
from json import loads
from pathlib import Path

import trustme

import ocf_aws


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the library in an interpreter of its own: what is loaded, and a crash, stay there."""
    environ = {"PYTHONPATH": str(Path(ocf_aws.__file__).parents[1])}
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


PROGRAM = """
from sys import argv
from threading import Barrier, Thread
from botocore import httpsession
from ocf_aws.aws.loading import share_ssl_context

def renew():
    global context
    context = httpsession.create_urllib3_context()

def load():
    for _ in range(3000):
        begin.wait()
        context.load_verify_locations(argv[1])
        end.wait()

share_ssl_context()
begin, end = Barrier(8, renew), Barrier(8)
threads = [Thread(target=load) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_connect_at_the_same_time_do_not_crash_the_interpreter(tmp_path: Path) -> None:
    # With contexts of ssl's own, most runs end by SIGSEGV.
    bundle = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))
    done = run(PROGRAM, str(bundle))
    assert (done.returncode, done.stderr) == (0, "")


REQUESTS = """
from json import dumps
from sys import argv
from ocf_aws.aws.loading import load_boto3

boto3 = load_boto3(is_whole=argv[1] == "whole")
from botocore.awsrequest import AWSResponse
from botocore.session import Session

session = Session()
session.set_credentials("AKID", "secret")
asked = []

class Empty:
    def stream(self):
        return iter([b"<a/>"])

def answer(request, **named):
    varying = {"X-Amz-Date", "Authorization", "User-Agent", "amz-sdk-invocation-id"}
    headers = {name: "" if name in varying else str(value) for name, value in request.headers.items()}
    asked.append((request.method, request.url, sorted(headers.items()), str(request.body)))
    return AWSResponse(request.url, 400, {}, Empty())

session.get_component("event_emitter").register("before-send", answer)

def ask(service, operation, **request):
    client = session.create_client(service, region_name="eu-central-1")
    try:
        getattr(client, operation)(**request)
    except client.exceptions.ClientError:
        pass

ask("ec2", "describe_route_tables", Filters=[{"Name": "vpc-id", "Values": ["vpc-1"]}])
ask("ec2", "replace_route", RouteTableId="rtb-1", DestinationCidrBlock="192.168.10.10/32", NetworkInterfaceId="eni-1")
ask("sts", "assume_role", RoleArn="arn:aws:iam::123456789012:role/a", RoleSessionName="ab", DurationSeconds=900)
# How a user's profile may give credentials.
role = {"RoleArn": "arn:aws:iam::123456789012:role/a", "RoleSessionName": "ab"}
ask("sts", "assume_role_with_web_identity", WebIdentityToken="abcd", **role)
ask("sso", "get_role_credentials", roleName="a", accountId="1", accessToken="b")
ask("sso-oidc", "create_token", clientId="a", clientSecret="b", grantType="refresh_token")
print(dumps(asked))
"""


def test_the_part_of_botocore_that_is_loaded_asks_as_all_of_it() -> None:
    part, whole = (run(REQUESTS, how) for how in ("part", "whole"))
    assert (part.returncode, whole.returncode) == (0, 0), part.stderr + whole.stderr
    asked = loads(whole.stdout)
    assert len(asked) >= 6
    assert loads(part.stdout) == asked


LOADS = """
import sys
from ocf_aws.aws.loading import load_boto3

part = load_boto3()
whole = load_boto3(is_whole=True)
assert whole is not part and "botocore.docs.docstring" in sys.modules
# Who looks each second, as `ocf-aws status --watch`, would otherwise keep each of them in memory.
assert load_boto3(is_whole=True) is whole and load_boto3() is whole
"""


def test_boto3_is_loaded_whole_once() -> None:
    done = run(LOADS)
    assert (done.returncode, done.stderr) == (0, "")
