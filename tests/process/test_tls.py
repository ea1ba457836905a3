"""How an agent speaks TLS with EC2."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trustme

from vpclab.hosts.single_node import Result, SingleNode


def start(single_node: SingleNode, bundle: Path, **how: Any) -> Result:
    """Start an overlay IP in three route tables, with the authorities of this file. how: as in SingleNode.begin."""
    parameters = {
        "ip": "192.168.10.10",
        "routing_table": ",".join(single_node.vpc.route_tables.values()),
        "source_dest_check": "disable",
        "api_timeout": "2",
    }
    return single_node.run("aws-overlay-ip", "start", parameters, environ={"AWS_CA_BUNDLE": str(bundle)}, **how)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Where the certificates of the authorities are to be."""
    return tmp_path / "bundle.pem"


def test_the_certificates_of_the_authorities_are_read_once_for_all_connections(
    single_node: SingleNode, bundle: Path
) -> None:
    # What is written to a pipe can be read once; who opens it again waits for another writer.
    os.mkfifo(bundle)
    with subprocess.Popen(["sh", "-c", 'exec cat "$0" >"$1"', single_node.ca, bundle]) as writer:
        try:
            done = start(single_node, bundle)
        finally:
            writer.kill()
    assert done.status == 0, done.stderr
    assert {single_node.holder(table, "192.168.10.10/32") for table in single_node.vpc.route_tables} == {
        single_node.eni
    }


def test_an_endpoint_that_no_known_authority_certified_is_told_nothing(single_node: SingleNode, bundle: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(bundle))
    done = start(single_node, bundle)
    assert done.status == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.reason and "certificate verify failed" in done.stderr
    assert not single_node.ec2.calls


@pytest.mark.parametrize("is_known", [True, False])
def test_a_user_names_the_authorities_in_a_file_of_aws(single_node: SingleNode, bundle: Path, is_known: bool) -> None:
    trustme.CA().cert_pem.write_to_path(str(bundle))
    config = single_node.directory / ".aws/config"
    config.parent.mkdir()
    config.write_text(f"[default]\nca_bundle = {single_node.ca if is_known else bundle}\n")
    # Whatever else is trusted, the user's file alone counts.
    environ = ["env", "-u", "AWS_CA_BUNDLE", f"REQUESTS_CA_BUNDLE={bundle if is_known else single_node.ca}"]
    done = start(single_node, bundle, prefix=environ, timeout=8)
    assert done.status == (0 if is_known else 1), done.stderr
    assert bool(single_node.ec2.calls) == is_known
