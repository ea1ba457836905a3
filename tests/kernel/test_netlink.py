"""Netlink with a real kernel and the pyroute2 that is installed."""

from __future__ import annotations

import pytest

from kernel.namespaces import INTERPRETERS, Namespace

CODE = """
import sys
from ocf_aws.kernel.netlink import (
    RTM_GETADDR, RTM_GETLINK, RTM_GETROUTE, RTM_GETRULE, RTM_NEWADDR, Rtnl, dump, encode, require_pyroute2
)
from ocf_aws.ocf.errors import SoftError
"""


def test_of_the_installed_pyroute2_only_the_message_classes_are_loaded(namespace: Namespace, python: str) -> None:
    code = CODE + "require_pyroute2(); print(hasattr(sys.modules['pyroute2'], 'IPRoute'))"
    assert namespace.python(python, code) == ["False"]


def test_after_the_message_classes_all_of_pyroute2_can_still_be_used(namespace: Namespace, python: str) -> None:
    whole = CODE + "encode('rtmsg', {'family': 2}, [('RTA_DST', '10.0.0.1')])\n"
    whole += "for name in [n for n in sys.modules if n.partition('.')[0] == 'pyroute2']: del sys.modules[name]\n"
    whole += "from pyroute2 import IPRoute; print(IPRoute().get_links()[0].get_attr('IFLA_IFNAME'))"
    assert namespace.python(python, whole) == ["lo"]


@pytest.mark.parametrize("request_name", ["RTM_GETLINK", "RTM_GETADDR", "RTM_GETROUTE", "RTM_GETRULE"])
def test_every_table_can_be_read(namespace: Namespace, request_name: str) -> None:
    found = namespace.python(INTERPRETERS["distribution"], f"{CODE}print(len(dump({request_name})))")
    assert int(found[0]) > 0


def test_a_change_that_the_kernel_refuses_is_told_in_its_words(namespace: Namespace) -> None:
    code = CODE + "try: Rtnl().request('add it', RTM_NEWADDR, b'\\x02\\x20\\0\\0\\0\\0\\0\\0')\n"
    assert namespace.python(INTERPRETERS["distribution"], code + "except SoftError as error: print(error)") == [
        "cannot add it: Invalid argument"
    ]


def test_a_table_that_changes_under_every_read_is_given_up_and_read_when_it_rests(namespace: Namespace) -> None:
    # So many addresses that an answer has several parts, between which they change.
    namespace.ip("link add ens6 type veth peer name e6")
    batch = "".join(f"address add 10.9.{high}.{low}/32 dev ens6\n" for high in range(8) for low in range(1, 251))
    namespace.run("sh", "-c", f"printf '%s' '{batch}' | ip -batch -")
    code = f"""{CODE}
from subprocess import Popen
churn = "while :; do ip address add 10.8.0.1/32 dev ens6; ip address del 10.8.0.1/32 dev ens6; done"
with Popen(["sh", "-c", churn]) as changes:
    try:
        for _ in range(200):
            dump(RTM_GETADDR)
    except SoftError as error:
        print(error)
    finally:
        changes.kill()
print(sum(1 for _, attributes in dump(RTM_GETADDR) if attributes.get(2, b"")[:2] == bytes((10, 9))))
"""
    assert namespace.python(INTERPRETERS["distribution"], code) == [
        "the kernel's tables change faster than they can be read",
        "2000",
    ]
