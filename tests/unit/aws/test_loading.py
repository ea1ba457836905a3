"""botocore with as little of it as EC2 needs: the TLS context that threads share. tests/aws has the real botocore."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from ocf_aws.aws.loading import SharedSSLContext


def test_a_setting_of_a_shared_context_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda self, *a: made.append(a))
    context = SharedSSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for bundle in ("a.pem", "a.pem", "b.pem", "b.pem"):
        context.load_verify_locations(bundle)
    context.load_verify_locations(cafile="b.pem")
    assert [files[0] for files in made] == ["a.pem", "b.pem"]


def test_a_setting_that_fails_is_made_again() -> None:
    context = SharedSSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            context.load_verify_locations("/nonexistent/ca.pem")


def test_protocols_are_set_once() -> None:
    context = SharedSSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for _ in range(2):
        context.set_alpn_protocols(["http/1.1"])
    with pytest.raises(ssl.SSLError):
        context.set_alpn_protocols([""])
