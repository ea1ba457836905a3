"""How an agent speaks TLS with EC2."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import trustme

from vpclab.solo import Result, Solo


def start(solo: Solo, bundle: Path) -> Result:
    """Start an overlay IP in three route tables, with the authorities of this file."""
    parameters = {
        "ip": "192.168.10.10",
        "routing_table": ",".join(solo.vpc.route_tables.values()),
        "source_dest_check": "disable",
        "api_timeout": "2",
    }
    return solo.run("aws-overlay-ip", "start", parameters, environ={"AWS_CA_BUNDLE": str(bundle)})


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Where the certificates of the authorities are to be."""
    return tmp_path / "bundle.pem"


def test_the_certificates_of_the_authorities_are_read_once_for_all_connections(solo: Solo, bundle: Path) -> None:
    # What is written to a pipe can be read once; who opens it again waits for another writer.
    os.mkfifo(bundle)
    with subprocess.Popen(["sh", "-c", 'exec cat "$0" >"$1"', solo.ca, bundle]) as writer:
        try:
            done = start(solo, bundle)
        finally:
            writer.kill()
    assert done.status == 0, done.stderr
    assert {solo.holder(table, "192.168.10.10/32") for table in solo.vpc.route_tables} == {solo.eni}


def test_an_endpoint_that_no_known_authority_certified_is_told_nothing(solo: Solo, bundle: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(bundle))
    done = start(solo, bundle)
    assert done.status == 1
    assert "certificate verify failed" in done.reason
    assert not solo.ec2.calls
