"""An ENI in a real cluster: whatever an operator or a disaster does, one node has it, and its addresses answer there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from vpclab.client.consensus import wait_served_by
from vpclab.client.watch import Watch
from vpclab.ec2.call_log import Call
from vpclab.hosts.instance import Instance
from vpclab.lab import Lab
from vpclab.plan import ONE_ZONE
from vpclab.waiting import wait_until

PLAN = ONE_ZONE
"""Of the module's lab."""

ADDRESSES = "10.0.1.50", "10.0.1.51", "10.0.1.52", "2001:db8:100:1::50"

STRICT = """\
#!/bin/sh
sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
"""
"""What RHEL's and SLES's defaults are: a packet must come in by the link by which the answer would leave."""

LOOKS = "-oneline link", "-oneline address", "rule", "-6 rule", "route show table all", "-6 route show table all"


@dataclass(frozen=True)
class Service:
    """A resource of the agent, and the client of its ENI's addresses."""

    lab: Lab
    name: str
    eni: str
    watch: Watch

    def wait_served_by(self, node: str) -> None:
        """Wait until the cluster, EC2, the kernels and the client agree that this node, and no other, has all of it."""
        for address in self.watch.addresses:
            wait_served_by(self.lab, self.watch, node, self.name, address)


@contextmanager
def service(
    lab: Lab, name: str, *addresses: str, subnet: str = "a", parameters: str = "", options: str = ""
) -> Iterator[Service]:
    """A new ENI and a resource for it, with a monitor that a test can wait for; both end with the context."""
    eni = lab.create_eni(subnet, *addresses)
    with lab.watch(*addresses) as watch:
        lab.cluster.pcs(
            *f"resource create {name} ocf:aws:aws-eni-move eni_id={eni} {parameters}".split(),
            *"op start timeout=60 op stop timeout=60 op monitor interval=2 timeout=20".split(),
            *options.split(),
        )
        try:
            yield Service(lab, name, eni, watch)
        finally:
            lab.cluster.pcs("resource", "delete", name, "--force")


@pytest.fixture(scope="module")
def clean(lab: Lab) -> dict[str, str]:
    """What each node shows of its network before anything of the agent's has been there."""
    return {name: look(node) for name, node in lab.nodes.items()}


@pytest.fixture(scope="module")
def moving(lab: Lab, clean: dict[str, str]) -> Iterator[Service]:
    """The resource `eni`, created with pcs, in an EC2 that takes its time, on nodes that filter strictly."""
    lab.ec2.times.attach, lab.ec2.times.detach = 1.0, 1.5
    for node in lab.nodes.values():
        node.enable("strict", STRICT)
        node.run("/etc/vpclab/boot.d/strict")
    lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")
    with service(lab, "eni", *ADDRESSES, options="meta migration-threshold=5000") as moving:
        yield moving


@pytest.fixture(autouse=True)
def here(lab: Lab, moving: Service) -> str:
    """The node that has the ENI; whatever the test before has done, both nodes are online and nothing failed."""
    lab.ec2.stuck.clear()
    for node in lab.nodes.values():
        lab.network.heal(node.id)
    lab.ec2.operator().start_instances(InstanceIds=[node.id for node in lab.nodes.values()])
    lab.cluster.wait_online(90)
    if lab.cluster.failures():
        lab.cluster.pcs("resource", "cleanup")
        lab.cluster.settled()
    lab.cluster.wait_until(lambda: len(lab.cluster.resource_runs_on("eni")) == 1, 60)
    (here,) = lab.cluster.resource_runs_on("eni")
    moving.wait_served_by(here)
    lab.ec2.calls.clear()
    return here


@pytest.fixture
def there(lab: Lab, here: str) -> str:
    """The other node."""
    return lab.other(here)


# --- where it runs ----------------------------------------------------------------------------------------------------


def test_every_address_of_the_eni_answers_where_the_cluster_started_it(lab: Lab, moving: Service, here: str) -> None:
    for address in ADDRESSES:
        lab.client.run("ping", "-c1", "-W2", address)
    assert not lab.cluster.failures()


def test_a_move_by_an_operator_takes_the_eni_along_and_leaves_nothing(
    lab: Lab, moving: Service, here: str, there: str, clean: dict[str, str]
) -> None:
    assert look(lab.nodes[here]) != clean[here] and look(lab.nodes[there]) == clean[there]
    lab.cluster.pcs("resource", "move", "eni", there)
    moving.wait_served_by(there)
    assert look(lab.nodes[here]) == clean[here] and look(lab.nodes[there]) != clean[there]
    assert not lab.cluster.failures()


def test_a_node_in_standby_gives_the_eni_away(lab: Lab, moving: Service, here: str, there: str) -> None:
    lab.cluster.crm("node", "standby", here)
    try:
        moving.wait_served_by(there)
    finally:
        lab.cluster.crm("node", "online", here)
    lab.cluster.settled()
    moving.wait_served_by(there)
    assert not lab.cluster.failures()


def test_a_node_that_loses_its_power_is_fenced_and_replaced(lab: Lab, moving: Service, here: str, there: str) -> None:
    with fencing_by_off(lab):
        lab.nodes[here].off()
        moving.wait_served_by(there)
    assert {call.caller for call in lab.ec2.calls.named("StopInstances")} == {lab.nodes[there].id}


def test_a_node_that_is_cut_off_is_fenced_and_replaced(lab: Lab, moving: Service, here: str, there: str) -> None:
    lab.network.cut(lab.nodes[here].id)
    moving.wait_served_by(there)
    lab.network.heal(lab.nodes[here].id)
    lab.cluster.wait_online(90)
    moving.wait_served_by(there)


def test_an_eni_that_somebody_detached_is_missed_by_the_next_monitor_and_brought_back(
    lab: Lab, moving: Service, here: str
) -> None:
    detach(lab, moving.eni)
    lab.cluster.wait_until(lambda: has_failed(lab, "eni", "monitor"), 30)
    lab.cluster.settled()
    # It ran nowhere, so the cluster was free to choose a node.
    (found,) = lab.cluster.resource_runs_on("eni")
    moving.wait_served_by(found)
    assert [failure.node for failure in lab.cluster.failures()] == [here]


# --- what stands in its way -------------------------------------------------------------------------------------------


def test_an_eni_that_is_stuck_to_a_holder_without_power_is_taken_by_force(
    lab: Lab, moving: Service, here: str, there: str
) -> None:
    # A holder that has been started again counts as running: nobody takes anything from it by force.
    with fencing_by_off(lab):
        lab.ec2.stuck.add(moving.eni)
        lab.nodes[here].off()
        moving.wait_served_by(there)
    assert forced_by(lab) == {lab.nodes[there].id}


def test_an_eni_that_is_stuck_to_a_running_holder_is_taken_by_force_after_half_of_starts_time(
    lab: Lab, moving: Service, there: str
) -> None:
    lab.cluster.pcs(*"resource update eni force_detach=after op start timeout=10".split())
    lab.cluster.settled()
    lab.ec2.stuck.add(moving.eni)
    lab.cluster.pcs("resource", "move", "eni", there)
    moving.wait_served_by(there)
    assert forced_by(lab) == {lab.nodes[there].id}
    assert not lab.cluster.failures()
    lab.cluster.pcs(*"resource update eni force_detach= op start timeout=60".split())


def test_a_device_index_that_is_taken_is_passed_over_although_imds_does_not_know(
    lab: Lab, moving: Service, there: str
) -> None:
    node = lab.nodes[there]
    other = lab.create_eni("a", "10.0.1.90")
    lab.imds.lag(node.id, 600)
    lab.ec2.operator().attach_network_interface(NetworkInterfaceId=other, InstanceId=node.id, DeviceIndex=1)
    try:
        lab.cluster.pcs("resource", "move", "eni", there)
        moving.wait_served_by(there)
        assert not lab.cluster.failures()
        assert [call.parameters["DeviceIndex"] for call in attachments(lab)] == [1, 2]
    finally:
        lab.imds.lag(node.id, 0)
        detach(lab, other)


def test_an_eni_of_another_zone_is_refused_untouched(lab: Lab) -> None:
    with service(lab, "far", "10.0.2.90", subnet="b") as far:
        wait_given_up(lab, "far", "is in eu-central-1b, this node in eu-central-1a")
        assert lab.eni_holder(far.eni) is None
        writes = attachments(lab) + lab.ec2.calls.named("DetachNetworkInterface")
        assert not [call for call in writes if call.parameters.get("NetworkInterfaceId") == far.eni]


def test_an_eni_that_was_deleted_is_given_up_with_a_reason(lab: Lab) -> None:
    with service(lab, "doomed", "10.0.1.80") as doomed:
        lab.cluster.wait_until(lambda: doomed.watch.answering("10.0.1.80") is not None, 60)
        lab.cluster.settled()
        detach(lab, doomed.eni)
        lab.cluster.wait_until(lambda: is_free(lab, doomed.eni), 30)
        lab.ec2.operator().delete_network_interface(NetworkInterfaceId=doomed.eni)
        wait_given_up(lab, "doomed", f"EC2 knows no ENI {doomed.eni}")


# --- what it leaves alone ---------------------------------------------------------------------------------------------


def test_replies_leave_by_the_eni_that_was_asked_past_a_strict_filter(
    lab: Lab, moving: Service, here: str, there: str
) -> None:
    node = lab.nodes[here]
    assert node.run("sysctl", "-n", "net.ipv4.conf.all.rp_filter").stdout == "1\n"
    with lab.network.capture(moving.eni) as moved, lab.network.capture(lab.primary_eni(here)) as primary:
        for asking in (lab.client, lab.nodes[there]):
            for address in ADDRESSES:
                asking.run("ping", "-c1", "-W2", address)
    for address in ADDRESSES:
        replies = [line for line in moved if f" {address} > " in line and "echo reply" in line]
        assert len(replies) == 2, moved
        assert not [line for line in primary if f" {address} > " in line or f" {address}." in line]


def test_nothing_but_the_link_is_left_where_the_eni_stays_attached(lab: Lab, here: str) -> None:
    node = lab.nodes[here]
    with service(
        lab, "staying", "10.0.1.70", "2001:db8:100:1::70", parameters="detach_on_stop=false", options="--disabled"
    ) as staying:
        lab.cluster.pcs("constraint", "location", "staying", "prefers", here)
        lab.ec2.operator().attach_network_interface(NetworkInterfaceId=staying.eni, InstanceId=node.id, DeviceIndex=3)
        lab.cluster.wait_until(lambda: lab.eni_holder(staying.eni) == here, 30)
        before = look(node)
        lab.cluster.pcs("resource", "enable", "staying")
        staying.wait_served_by(here)
        assert look(node) != before
        lab.cluster.pcs("resource", "disable", "staying", "--wait=60")
        assert look(node) == before
        assert lab.eni_holder(staying.eni) == here
        # A node of this type has no room for more.
        detach(lab, staying.eni)


def test_two_enis_of_one_subnet_live_on_one_node_and_leave_it_one_by_one(
    lab: Lab, moving: Service, here: str, there: str
) -> None:
    address = "10.0.1.60"
    with service(lab, "second", address, "2001:db8:100:1::60", options="--disabled") as second:
        lab.cluster.pcs("constraint", "location", "second", "prefers", f"{here}=100")
        lab.cluster.pcs("resource", "enable", "second")
        second.wait_served_by(here)
        start = moving.watch.record.end
        with lab.network.capture(moving.eni) as first, lab.network.capture(second.eni) as other:
            lab.client.run("ping", "-c1", "-W2", address)
        assert [line for line in other if f" {address} > " in line and "echo reply" in line]
        assert not [line for line in first if address in line]
        lab.cluster.pcs("resource", "move", "second", there)
        second.wait_served_by(there)
        moving.wait_served_by(here)
        assert moving.watch.outages(since=start) == []


# --- looking and meddling ---------------------------------------------------------------------------------------------


def look(node: Instance) -> str:
    """Links, addresses, rules and routes of a node, but for the queue that the kernel gives a link that is up."""
    shown = "".join(node.run("ip", *words.split()).stdout for words in LOOKS)
    return re.sub(r" qdisc \S+| state \S+| qlen \d+", "", shown)


@contextmanager
def fencing_by_off(lab: Lab) -> Iterator[None]:
    """Let fencing end with a node that is off.

    On EC2 a node takes a minute to be back. Here it can be back before anything has started elsewhere.
    """
    lab.cluster.pcs("property", "set", "stonith-action=off")
    yield
    lab.cluster.pcs("property", "set", "stonith-action=reboot")


def detach(lab: Lab, eni: str) -> None:
    """Detach an ENI, as a hand or a tool outside of the cluster might."""
    operator = lab.ec2.operator()
    found = operator.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    operator.detach_network_interface(AttachmentId=found["Attachment"]["AttachmentId"])


def is_free(lab: Lab, eni: str) -> bool:
    """Whether EC2 is done with detaching an ENI."""
    found = lab.ec2.operator().describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    return "Attachment" not in found


def attachments(lab: Lab) -> list[Call]:
    """The calls that asked for an attachment, and not whether it is allowed."""
    return [call for call in lab.ec2.calls.named("AttachNetworkInterface") if not call.parameters.get("DryRun")]


def forced_by(lab: Lab) -> set[str]:
    """Who detached by force."""
    return {call.caller for call in lab.ec2.calls.named("DetachNetworkInterface") if call.parameters.get("Force")}


def has_failed(lab: Lab, resource: str, action: str) -> bool:
    """Whether the cluster remembers that this action of the resource failed."""
    return any((failure.resource, failure.action) == (resource, action) for failure in lab.cluster.failures())


def wait_given_up(lab: Lab, resource: str, reason: str) -> None:
    """Wait until a start has failed on each node, with this reason, and the cluster has nothing more to try."""

    def refusals() -> list[str]:
        return [
            failure.node
            for failure in lab.cluster.failures()
            if (failure.resource, failure.action) == (resource, "start") and reason in failure.reason
        ]

    wait_until(lambda: sorted(refusals()) == sorted(lab.nodes), 60, lambda: f"{lab.cluster.failures()}")
    lab.cluster.settled()
    assert sorted(refusals()) == sorted(lab.nodes)
    assert lab.cluster.resource_runs_on(resource) == set()
