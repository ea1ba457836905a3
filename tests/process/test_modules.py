"""Which modules each action of an installed agent loads: each costs time in every action, and creeps in unseen.

Of the standard library, what a local action may load is named; of an action that asks EC2, what it must not.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from vpclab.hosts.installation import Installation
from vpclab.hosts.single_node import PYTHON, SingleNode

IP = "192.168.10.10"
ENI = "eni-0123456789abcdef0"

START_UP = set(
    "_abc _codecs _frozen_importlib_external _io _signal abc codecs encodings encodings.aliases encodings.utf_8 io marshal"
    " posix time zipimport _bootlocale encodings.ascii encodings.latin_1".split()
)
"""What an interpreter loads before anything else, in whatever version."""

LIBRARY = set("__future__ _operator _socket _stat _struct errno faulthandler gc resource stat struct".split())
"""What both agents need of the standard library at least."""

AGENT = set(
    "ocf_aws ocf_aws.ip ocf_aws.kernel ocf_aws.kernel.address ocf_aws.kernel.link ocf_aws.kernel.netlink ocf_aws.ocf"
    " ocf_aws.ocf.agent ocf_aws.ocf.deadline ocf_aws.ocf.errors ocf_aws.ocf.log ocf_aws.ocf.runtime ocf_aws.parameters"
    " ocf_aws.record".split()
)
OVERLAY_IP = AGENT | {"ocf_aws.aws_overlay_ip"}
ENI_MOVE = AGENT | {"ocf_aws.aws_eni_move", "ocf_aws.eni_state", "ocf_aws.kernel.policy_routing"}

NEVER = set(
    "requests chardet charset_normalizer s3transfer s3transfer.futures html.parser boto3.resources.base botocore.waiter"
    " botocore.paginate botocore.docs.method boto3.docs.base awscrt OpenSSL"
    " asyncio unittest xml.sax sqlite3 pyroute2.iproute pyroute2.ndb pyroute2.ipdb".split()
)
"""What no action needs, however much it asks."""


class Loader:
    """Runs an action and tells which modules it loaded."""

    def __init__(self, single_node: SingleNode, installation: Installation):
        self._single_node, self._installation = single_node, installation
        self._tables = ",".join(single_node.vpc.route_tables.values())

    def __call__(self, agent: str, action: str, status: int, **parameters: str) -> set[str]:
        if agent == "aws-overlay-ip":
            parameters = {"ip": IP, "routing_table": self._tables, **parameters}
        else:
            parameters = {"eni_id": ENI, **parameters}
        prefix = [PYTHON, "-ISB", "-X", "importtime"]
        path = self._installation.agent(agent)
        process = self._single_node.begin(path, action, parameters, interval=10, timeout=30, prefix=prefix)
        _, told = process.communicate()
        assert process.returncode == status, told
        loaded = {line.split("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}
        return loaded - {"imported package"}  # the head of the table


@pytest.fixture
def load(single_node: SingleNode, installation: Installation) -> Loader:
    return Loader(single_node, installation)


@pytest.fixture
def address(single_node: SingleNode) -> Iterator[None]:
    subprocess.run(["ip", "address", "add", f"{IP}/32", "dev", single_node.link], check=True)
    yield


def ours(modules: set[str]) -> set[str]:
    return {each for each in modules if each.partition(".")[0] == "ocf_aws"}


def others(modules: set[str]) -> set[str]:
    """What is neither ours nor the interpreter's own."""
    return modules - ours(modules) - START_UP


# --- local actions ----------------------------------------------------------------------------------------------------


def test_a_local_monitor_of_an_overlay_ip(load: Loader, address: None) -> None:
    modules = load("aws-overlay-ip", "monitor", 0, monapi="false")
    assert ours(modules) == OVERLAY_IP
    assert others(modules) <= LIBRARY


@pytest.mark.parametrize("action, status", [("monitor", 7), ("stop", 0)])
def test_an_overlay_ip_that_is_not_here(load: Loader, action: str, status: int) -> None:
    modules = load("aws-overlay-ip", action, status)
    assert ours(modules) == OVERLAY_IP
    assert others(modules) - {"syslog"} <= LIBRARY


@pytest.mark.parametrize("action, status", [("monitor", 7), ("stop", 0)])
def test_an_eni_that_is_not_here(load: Loader, action: str, status: int) -> None:
    modules = load("aws-eni-move", action, status)
    # Here is a second link, so that IMDS is asked whose it is.
    assert ours(modules) == ENI_MOVE | {"ocf_aws.aws", "ocf_aws.aws.imds", "ocf_aws.threads"}
    assert not modules & (NEVER | {"boto3", "botocore", "pyroute2.common", "urllib3", "logging"})


@pytest.mark.parametrize("agent, names", [("aws-overlay-ip", OVERLAY_IP), ("aws-eni-move", ENI_MOVE)])
def test_meta_data(load: Loader, agent: str, names: set[str]) -> None:
    modules = load(agent, "meta-data", 0)
    assert ours(modules) == names | {"ocf_aws.ocf.metadata"}
    assert others(modules) <= LIBRARY


def test_a_stop_of_an_overlay_ip(load: Loader, address: None) -> None:
    modules = load("aws-overlay-ip", "stop", 0)
    assert ours(modules) == OVERLAY_IP
    assert others(modules) - {"syslog"} <= LIBRARY


# --- actions that ask EC2 ---------------------------------------------------------------------------------------------

OVERLAY_IP_AND_EC2 = OVERLAY_IP | {
    f"ocf_aws.{name}"
    for name in (
        "aws aws.client aws.errors aws.imds aws.loading aws.network_interfaces aws.route_tables aws.route_update aws.session"
        " aws.source_dest_check site_packages threads"
    ).split()
}


def test_a_start_and_a_monitor_of_an_overlay_ip(load: Loader, single_node: SingleNode) -> None:
    single_node.disable_source_dest_check()
    for action, more in (("start", set()), ("monitor", {"ocf_aws.ocf.contradiction"})):
        modules = load("aws-overlay-ip", action, 0)
        assert ours(modules) == OVERLAY_IP_AND_EC2 | more
        assert "botocore.client" in modules
        assert modules & NEVER == set()


def test_what_is_never_needed_is_what_a_whole_boto3_loads() -> None:
    # Else a module that was renamed would be looked for in vain.
    code = "import sys, boto3, pyroute2; print(*sys.modules)"
    loaded = set(subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert {"botocore.docs.method", "html.parser", "pyroute2.iproute"} <= loaded
