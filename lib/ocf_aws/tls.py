"""TLS for several threads at a time.

"An SSL_CTX object should not be changed after it is used to create any SSL objects or from multiple threads concurrently"
(SSL_CTX_new(3)). The connections of a botocore client share one, and urllib3 makes its settings anew for each of them:
calls made at the same time now and then crash the interpreter (https://github.com/boto/botocore/issues/3164,
https://github.com/urllib3/urllib3/issues/3036). It also reads all of the authorities' certificates each time (35 ms).
"""

from __future__ import annotations

from ssl import SSLContext
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class SettledContext(SSLContext):
    """A context whose settings are made by the first connection; later ones find them made."""

    def __init__(self, *arguments: Any):
        self._made: dict[str, tuple[Any, ...]] = {}
        self._turn = Lock()

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """As ssl.SSLContext's."""
        self._settle(super().load_verify_locations, cafile, capath, cadata)

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """As ssl.SSLContext's."""
        self._settle(super().set_alpn_protocols, tuple(alpn_protocols))

    def _settle(self, setting: Callable[..., None], *values: Any) -> None:
        with self._turn:
            if self._made.get(setting.__name__) != values:
                setting(*values)
                self._made[setting.__name__] = values


def settle_contexts() -> None:
    """Let the clients that botocore makes from now on have such contexts; there is no parameter for it."""
    from botocore import httpsession

    httpsession.SSLContext = SettledContext
