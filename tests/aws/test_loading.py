"""The TLS context that threads share, in the real botocore."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import trustme

import ocf_aws

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
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(bundle)],
        env={"PYTHONPATH": str(Path(ocf_aws.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
