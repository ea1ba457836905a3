"""botocore, with as little of it as EC2 needs: half the time of an action that asks EC2 was for what it never uses.

This leans on how botocore is made inside. Wherever a version is made otherwise, botocore is loaded the ordinary way.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from json import loads
from ssl import SSLContext
from threading import Lock

from ocf_aws.site_packages import load
from ocf_aws.threads import BackgroundThread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SERVICE_MODELS = os.path.join(os.path.dirname(__file__), "service_models")
"""Where packaging/service_models.py writes the parts of botocore's models that describe OPERATIONS: a fiftieth."""

OPERATIONS = {
    "ec2": frozenset(
        "AttachNetworkInterface CreateRoute DeleteRoute DescribeInstanceTypes DescribeInstances DescribeNetworkAcls"
        " DescribeNetworkInterfaces DescribeRouteTables DescribeSecurityGroups DescribeSubnets DescribeVpcs"
        " DetachNetworkInterface ModifyNetworkInterfaceAttribute ReplaceRoute".split()
    ),
    # By the second, a provider of credentials takes a role.
    "sts": frozenset(("AssumeRole", "AssumeRoleWithWebIdentity")),
}
"""What the library calls, by service."""

# botocore loads them where they are installed, and uses neither for EC2: the one signs for S3 (botocore.compat.HAS_CRT), the
# other was for interpreters without SNI (botocore.httpsession).
_NOT_NEEDED = ("awscrt", "OpenSSL")

# What an action never does with a client: write its documentation (html.parser and textwrap come along), wait and page by
# botocore's models (jmespath), make resources of it, move files to S3.
_UNUSED = (
    "botocore.docs botocore.docs.docstring botocore.docs.utils boto3.docs boto3.docs.docstring boto3.docs.utils"
    " botocore.waiter botocore.paginate boto3.resources.factory s3transfer s3transfer.manager".split()
)

# botocore has a hundred handlers of events. Of those for one service alone, these are needed: of the services that the library
# calls, and of those that may give credentials to a profile of the user's.
_HANDLED = frozenset(("*", "ec2", "sts", "sso", "sso-oidc", "signin"))

# Debian's botocore takes four exceptions from it, which takes 37 ms to load.
_REQUESTS = "requests requests.exceptions requests.packages".split()


def load_boto3(is_whole: bool = False) -> Any:
    """The module boto3, whose clients threads may share. is_whole: with all that it loads by itself. Raises ImportError."""
    for module in _NOT_NEEDED:
        # "If the value is None, then a ModuleNotFoundError is raised": The Python Language Reference, 5.3.1.
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]
    if not is_whole:
        try:
            return _load_part()
        except Exception:
            # This version needs something of what was left out; if it lacks something else, that is told below.
            pass
    if not _is_whole():
        _forget("boto3", "botocore", "requests", "s3transfer")
    boto3 = load("boto3")
    share_ssl_context()
    return boto3


def _is_whole() -> bool:
    """Whether boto3 is loaded, and nothing was left out of it."""
    return "boto3" in sys.modules and not isinstance(sys.modules.get("botocore.docs"), _StandIn)


def _load_part() -> Any:
    if "boto3" not in sys.modules:
        urllib3 = load("urllib3")
        sys.modules.update({name: _StandIn(name) for name in (*_UNUSED, *_REQUESTS)})
        sys.modules["requests"].exceptions = sys.modules["requests.exceptions"]  # type: ignore[attr-defined]
        sys.modules["requests.packages"].urllib3 = urllib3  # type: ignore[attr-defined]
        load("botocore.httpsession")
        share_ssl_context()
        # While a thread reads them, the rest loads. Only a file of the user's may name others ("ca_bundle").
        _context_with(_authorities(os.environ.get("AWS_CA_BUNDLE")))
        load("boto3")
        _forget("requests")
        handlers = load("botocore.handlers")
        handlers.BUILTIN_HANDLERS = [each for each in handlers.BUILTIN_HANDLERS if _is_needed(each[0])]
    return sys.modules["boto3"]


def _is_needed(event: str) -> bool:
    """Whether a handler of this event of botocore's (`before-call.s3.DeleteObjects`) may have something to do."""
    kind, _, place = event.partition(".")
    return kind != "docs" and (not place or place.partition(".")[0] in _HANDLED)


def _forget(*packages: str) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] in packages]:
        del sys.modules[name]


class _StandIn(type(sys)):  # type: ignore[misc]
    """A module of which nothing is needed but that it has whatever names are imported from it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # Exceptions are derived from it, or its methods registered.
        return type(name, (_Nothing,), {})


class _Nothing(Exception):
    """A class, or an exception, that does nothing."""

    def __init__(self, *arguments: Any, **named: Any):
        pass

    def __getattr__(self, name: str) -> Any:
        return lambda **named: None


def use_service_models(session: Any) -> None:
    """Let a botocore session take the models of EC2 and STS from here, unless the user has some (data_path, ~/.aws/models)."""
    from botocore.loaders import Loader

    class PartLoader(Loader):  # type: ignore[misc]
        """botocore's own, which looks through the directories of all services for any model."""

        def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
            model = _service_model(service_name)
            if model is None:
                return super().load_service_model(service_name, type_name, api_version)
            if type_name == "service-2":
                return model
            version = api_version or self.determine_latest_version(service_name, type_name)
            return self.load_data(f"{service_name}/{version}/{type_name}")

    if session.get_config_variable("data_path") is None and not os.path.isdir(Loader.CUSTOMER_DATA_PATH):
        session.register_component("data_loader", PartLoader())


def _service_model(service: str) -> Any:
    """The model of a service that is here; None where it is not, or of no use."""
    if service not in OPERATIONS:
        return None
    try:
        with open(f"{SERVICE_MODELS}/{service}.json", encoding="utf-8") as file:
            model = loads(file.read())
        is_complete = model["metadata"] and model["shapes"] and OPERATIONS[service] <= model["operations"].keys()
        return model if is_complete else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


class SharedSSLContext(SSLContext):
    """A context for several threads: the first connection makes its settings, later ones find them made.

    "An SSL_CTX object should not be changed after it is used to create any SSL objects or from multiple threads
    concurrently" (SSL_CTX_new(3)). The connections of a botocore client share one, and urllib3 makes its settings anew for
    each of them: calls made at the same time now and then crash the interpreter (https://github.com/boto/botocore/issues/3164,
    https://github.com/urllib3/urllib3/issues/3036). It also reads all of the authorities' certificates each time (35 ms).
    """

    def __init__(self, *arguments: Any):
        self._made: dict[str, tuple[Any, ...]] = {}
        self._lock = Lock()

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """As ssl.SSLContext's."""
        self._make_once(super().load_verify_locations, cafile, capath, cadata)

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """As ssl.SSLContext's."""
        self._make_once(super().set_alpn_protocols, tuple(alpn_protocols))

    def _make_once(self, setting: Callable[..., None], *values: Any) -> None:
        with self._lock:
            if self._made.get(setting.__name__) != values:
                setting(*values)
                self._made[setting.__name__] = values


def share_ssl_context() -> None:
    """Let the clients that botocore makes from now on have such contexts; there is no parameter for it."""
    from botocore import httpsession

    httpsession.SSLContext = SharedSSLContext


def read_authorities(session: Any) -> BackgroundThread:
    """Let all clients have one context, for which a thread reads the authorities' certificates (30 ms). Returns the thread.

    session: a botocore session. No client may call before the thread has ended.
    """
    from botocore import httpsession

    context, thread = _context_with(_authorities(session.get_config_variable("ca_bundle")))
    httpsession.create_urllib3_context = lambda *arguments, **named: context
    return thread


def _authorities(configured: str | None) -> str:
    """The file with the authorities' certificates, in the order of botocore.endpoint.EndpointCreator."""
    from botocore import httpsession

    file: str = httpsession.get_cert_path(configured or os.environ.get("REQUESTS_CA_BUNDLE") or True)
    return file


@cache
def _context_with(file: str) -> tuple[SSLContext, BackgroundThread]:
    """A context, and the thread that reads a file of certificates for it, which no connection has to do again."""
    from botocore import httpsession

    context = httpsession.create_urllib3_context()
    return context, BackgroundThread(lambda: context.load_verify_locations(file))
