"""Several calls to EC2 at the same time, over TLS."""

from __future__ import annotations

import io
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from threading import Barrier

import pytest
import trustme

import ocf_aws
from ocf_aws.cloud import Cloud, Unanswered
from ocf_aws.deadline import Deadline
from ocf_aws.instance import Imds
from ocf_aws.log import Log
from ocf_aws.parallel import results
from vpclab.ec2 import Ec2


@pytest.fixture
def authority() -> trustme.CA:
    """Who certifies the endpoint."""
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the certificates that clients trust."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
    return path


@pytest.fixture
def cloud(ec2: Ec2, hosts: dict[str, str], authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """EC2 as node1 calls it by TLS."""
    credentials = ec2.credentials(hosts["node1"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", credentials["Token"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))
    ec2.listen(listener, context)
    deadline = Deadline(20)
    log = Log("an-agent", "a-resource", {}, io.StringIO())
    endpoint = f"https://localhost:{listener.getsockname()[1]}"
    return Cloud(Imds({}, deadline), deadline, log, "test", region=ec2.region, endpoint_url=endpoint)


def test_the_certificates_of_the_authorities_are_read_once_for_all_connections(cloud: Cloud, bundle: Path) -> None:
    cloud.call("describe_vpcs")
    bundle.unlink()
    begin = Barrier(8)

    def count_vpcs() -> int:
        begin.wait()
        return len(cloud.call("describe_vpcs", retry=False)["Vpcs"])

    assert results(*[count_vpcs] * 8) == [1] * 8


def test_an_endpoint_that_nobody_certified_is_not_spoken_to(cloud: Cloud, bundle: Path, ec2: Ec2) -> None:
    trustme.CA().cert_pem.write_to_path(str(bundle))
    with pytest.raises(Unanswered, match="certificate verify failed"):
        cloud.call("describe_vpcs", retry=False)
    assert not ec2.calls.named("DescribeVpcs")


def test_threads_that_connect_at_the_same_time_do_not_crash_the_interpreter(bundle: Path) -> None:
    # With contexts of ssl's own, four runs in five end by SIGSEGV.
    program = """if True:
        from threading import Barrier, Thread
        from botocore import httpsession
        from ocf_aws.tls import settle_contexts

        def renew():
            global context
            context = httpsession.create_urllib3_context()

        def load():
            for _ in range(3000):
                begin.wait()
                context.load_verify_locations(%r)
                end.wait()

        settle_contexts()
        begin, end = Barrier(8, renew), Barrier(8)
        threads = [Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    """
    done = subprocess.run(
        [sys.executable, "-c", program % str(bundle)],
        env={"PYTHONPATH": str(Path(ocf_aws.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
