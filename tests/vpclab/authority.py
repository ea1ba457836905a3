"""The lab's own certificate authority, so that AWS's real host names can be reached by TLS."""

from __future__ import annotations

import ssl

import trustme


class Authority:
    """Certifies the endpoints of EC2 and STS in one region.

    names: their host names. pem: the certificate that clients have to trust.
    """

    def __init__(self, region: str):
        self.names = tuple(f"{service}.{region}.amazonaws.com" for service in ("ec2", "sts"))
        self._authority = trustme.CA()
        self.pem = self._authority.cert_pem.bytes().decode()

    def context(self) -> ssl.SSLContext:
        """The server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*self.names).configure_cert(context)
        return context
