"""What the link of a moved ENI is given, in a real kernel, by the distribution's pyroute2 and by today's.

    [ node ] ens5 10.0.1.11 --- e5 [ router ] lo 10.0.9.100 (a client)
             ens6 (the ENI) --- e6

Both ENIs lie in one subnet, and the router answers for all of it, as a VPC's does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from kernel.namespaces import INTERPRETERS, Namespace

MAC = "02:00:00:00:00:50"
TABLE = 1073741824 + 42
FIRST, SECOND, SIX = "10.0.1.50", "10.0.1.51", "2001:db8:1::50"
PREFIX, PREFIX6 = "10.0.1.64/28", "2001:db8:1:0:1::/80"
CLIENT, CLIENT6 = "10.0.9.100", "2001:db8:9::100"
NEIGHBOUR = "10.0.1.99"

PINGS = 5

CONFIG = f"""
import sys
from ocf_aws.ip import IpAddress, IpNetwork
from ocf_aws.kernel.link import find_link_by_mac, set_link
from ocf_aws.kernel.netlink import Rtnl
from ocf_aws.kernel.policy_routing import LinkConfig, find_marks
def ips(text):
    return tuple(map(IpAddress.parse, text.split()))
def networks(text):
    return tuple(map(IpNetwork.parse, text.split()))
link = find_link_by_mac("{MAC}")
config = LinkConfig(
    {TABLE}, ips("{FIRST} {SECOND} {SIX}"), networks("{PREFIX} {PREFIX6}"), networks("10.0.1.0/24 2001:db8:1::/64")
)
rtnl = Rtnl()
"""
APPLY = CONFIG + "set_link(rtnl, link, is_up=True); print(*config.apply(rtnl, link), sep='\\n')"
CHECK = CONFIG + "print(*config.check(link).missing, sep='\\n')"
REMOVE = CONFIG + "print(*config.remove(rtnl, link), sep='\\n')"
REMOVE_BY_MARKS = CONFIG + "print(*config.remove(rtnl, link, named=False), sep='\\n')"


class Node(Namespace):
    """The instance: a primary ENI that is configured, and the moved one as it is when just plugged in."""

    def __init__(self, router: Namespace) -> None:
        super().__init__()
        self.router = router
        for number, mac in ((5, "02:00:00:00:00:11"), (6, MAC)):
            pair = f"link add e{number} type veth peer name ens{number} address {mac} netns {self.pid}"
            router.ip(pair)
            router.ip(f"link set e{number} up")
            # Link-local addresses come some time after the link is up, in the middle of a comparison.
            self.ip(f"link set ens{number} addrgenmode none")
        self.ip("link set ens5 up")
        self.ip("address add 10.0.1.11/24 dev ens5")
        self.ip("address add 2001:db8:1::11/64 dev ens5 nodad")
        self.ip("route add default via 10.0.1.1")
        self.ip("route add default via 2001:db8:1::1")
        router.sysctl(
            "net.ipv4.conf.all.proxy_arp=1", "net.ipv4.neigh.e5.proxy_delay=0", "net.ipv4.neigh.e6.proxy_delay=0"
        )
        router.ip("route add 10.0.1.11 dev e5")
        for destination in (FIRST, SECOND, PREFIX, SIX):
            router.ip(f"route add {destination} dev e6")
        # A VPC knows whose a delegated prefix is, without asking the ENI.
        router.ip(f"route add {PREFIX6} via {SIX} dev e6 onlink")
        for address in (CLIENT, NEIGHBOUR, "10.0.1.1", CLIENT6):
            router.ip(f"address add {address} dev lo")
        for link in ("e5", "e6"):
            router.ip(f"address add 2001:db8:1::1/64 dev {link} nodad noprefixroute")
        router.sysctl("net.ipv6.conf.all.forwarding=1")

    def answers(self, destination: str, source: str) -> bool:
        """Whether the answers to some pings come back to the router."""
        command = f"ping -c {PINGS} -i 0.01 -W 1 -I {source} {destination}"
        return f", {PINGS} received" in self.router.run(*command.split(), check=False)

    def sent_by(self, link: str) -> int:
        """How many packets the node has sent by a link."""
        return int(self.run("cat", f"/proc/{self.pid}/net/dev").split(f"{link}:")[1].split()[9])


@pytest.fixture
def node(in_sandbox: None) -> Iterator[Node]:
    router = Namespace()
    node = Node(router)
    yield node
    node.close()
    router.close()


def test_all_is_added_once_and_nothing_is_missing_then(node: Node, python: str) -> None:
    assert len(node.python(python, CHECK)) == 14
    assert len(node.python(python, APPLY)) == 14
    assert node.python(python, CHECK) == []
    assert node.python(python, APPLY) == []


def test_after_removal_nothing_is_left(node: Node, python: str) -> None:
    before = node.snapshot()
    node.python(python, APPLY)
    assert node.snapshot() != before
    node.python(python, REMOVE + "; set_link(rtnl, link, is_up=False)")
    assert node.snapshot() == before


def test_marks_alone_are_enough_to_find_rules_and_routes(node: Node, python: str) -> None:
    node.python(python, APPLY)
    node.python(python, REMOVE_BY_MARKS)
    assert "proto 203" not in node.ip("rule") + node.ip("-6 rule") + node.ip("route show table all")
    assert "203" not in node.ip("-6 route show table all")


def test_addresses_are_found_by_the_marks_of_their_rules(node: Node, python: str) -> None:
    node.python(python, APPLY)
    node.python(python, REMOVE_BY_MARKS)
    assert FIRST not in node.ip("address show dev ens6") and SIX not in node.ip("address show dev ens6")


def test_addresses_carry_a_mark_of_their_own(node: Node, python: str) -> None:
    node.python(python, APPLY)
    node.ip("rule flush")
    node.ip("-6 rule flush")
    node.python(python, REMOVE_BY_MARKS)
    assert FIRST not in node.ip("address show dev ens6") and SIX not in node.ip("address show dev ens6")


def test_rules_of_an_eni_that_was_pulled_out_are_removed(node: Node, python: str) -> None:
    before = node.ip("rule") + node.ip("-6 rule")
    node.python(python, APPLY)
    node.router.ip("link del e6")
    assert node.ip("rule") != before
    node.python(python, CONFIG + "config.remove(rtnl, None)")
    assert node.ip("rule") + node.ip("-6 rule") == before


def test_what_others_have_on_the_link_and_in_the_rules_stays(node: Node, python: str) -> None:
    node.ip("link set ens6 up")
    node.ip("address add 172.16.0.1/24 dev ens6")
    node.ip(f"rule add from {FIRST} lookup 777 priority 4000")
    node.ip(f"route add 198.51.100.0/24 via 10.0.1.1 dev ens5 table {TABLE}")
    node.ip("route add local 10.0.1.240/28 dev ens6 table local")
    before = node.snapshot()
    node.python(python, APPLY)
    node.python(python, REMOVE)
    assert node.snapshot() == before


def test_what_an_earlier_start_added_and_the_eni_has_no_more_is_removed(node: Node, python: str) -> None:
    node.python(python, APPLY)
    node.python(python, CONFIG.replace(f" {SECOND}", "") + "config.apply(rtnl, link)")
    assert SECOND not in node.ip("address") and SECOND not in node.ip("rule")
    assert FIRST in node.ip("address") and FIRST in node.ip("rule")


@pytest.mark.parametrize("lost", [f"address del {FIRST}/32 dev ens6", f"rule del from {SECOND}", "rule flush"])
def test_what_somebody_takes_away_is_missed_and_put_back(node: Node, lost: str) -> None:
    node.python(sys.executable, APPLY)
    node.ip(lost)
    assert node.python(sys.executable, CHECK)
    node.python(sys.executable, APPLY)
    assert node.python(sys.executable, CHECK) == []


@pytest.mark.parametrize("filter", ["0", "1", "2"], ids=["no rp_filter", "strict", "loose"])
def test_replies_leave_by_the_moved_eni_although_another_is_in_the_subnet(node: Node, filter: str) -> None:
    node.sysctl(*(f"net.ipv4.conf.{name}.rp_filter={filter}" for name in ("all", "default", "ens5", "ens6")))
    node.python(INTERPRETERS["distribution"], APPLY)
    sent = node.sent_by("ens5")
    for source in (CLIENT, NEIGHBOUR):
        for destination in (FIRST, SECOND, "10.0.1.70"):
            assert node.answers(destination, source), (destination, source)
    # The kernel itself may have something to say there, about multicast groups for instance.
    assert node.sent_by("ens5") - sent < PINGS
    assert node.answers("10.0.1.11", CLIENT)


def test_ipv6_replies_leave_by_the_moved_eni(node: Node) -> None:
    node.python(INTERPRETERS["distribution"], APPLY)
    assert node.answers(SIX, CLIENT6) and node.answers("2001:db8:1:0:1::7", CLIENT6)
    assert "tentative" not in node.ip("-6 address show dev ens6 scope global")


def test_the_marks_in_the_kernel_tell_what_was_configured(node: Node, python: str) -> None:
    node.python(python, APPLY)
    compare = CONFIG + "found, index = find_marks(config.table)\n"
    compare += "print([set(a) == set(b) for a, b in zip(found[1:], config[1:])])"
    assert node.python(python, compare + "; print(index == link.index)") == ["[True, True, True]", "True"]
    assert node.python(python, CONFIG + "print(find_marks(config.table + 1))") == ["None"]


def test_the_link_of_the_node_s_own_default_route_is_known(node: Node, python: str) -> None:
    look = (
        "from ocf_aws.kernel.policy_routing import carries_default_route\nfrom ocf_aws.kernel.link import find_link\n"
    )
    look += "print(*(carries_default_route(find_link(name)) for name in ('ens5', 'ens6')))"
    node.python(python, APPLY)
    assert node.python(python, look) == ["True False"]
    # As NetworkManager and amazon-ec2-net-utils leave them.
    node.ip("route add default via 10.0.1.1 dev ens6 metric 512 onlink")
    node.ip("-6 route add default via fe80::1 dev ens6 metric 2048")
    node.ip("route add default via 10.0.1.1 dev ens6 table 10001 onlink")
    assert node.python(python, look) == ["True False"]
    node.ip("-6 route add default via fe80::1 dev ens6 metric 512")
    assert node.python(python, look) == ["True True"]


def test_two_enis_on_one_node_live_side_by_side(node: Node) -> None:
    other = CONFIG.replace(MAC, "02:00:00:00:00:11").replace(str(TABLE), str(TABLE + 1))
    for address in (FIRST, SECOND, SIX, PREFIX, PREFIX6):
        other = other.replace(address, address.replace("10.0.1.", "10.0.2.").replace("2001:db8:1:", "2001:db8:2:"))
    node.python(sys.executable, APPLY)
    before = node.snapshot()
    node.python(sys.executable, other + "config.apply(rtnl, link)")
    assert node.python(sys.executable, CHECK) == []
    node.python(sys.executable, other + "config.remove(rtnl, link)")
    assert node.snapshot() == before
