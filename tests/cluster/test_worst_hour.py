"""AWS's worst hour in a real cluster: whatever passes by itself costs no failure, no ban, no cleanup and no node."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Timer

import pytest

from vpclab.client.consensus import has_address, wait_served_by
from vpclab.client.watch import Watch
from vpclab.ec2 import effects
from vpclab.ec2.effects import Effect
from vpclab.lab import Lab
from vpclab.plan import ONE_ZONE
from vpclab.waiting import wait_until

PLAN = ONE_ZONE
"""Of the module's lab: both agents can run there."""

OVERLAY_IP, ENI_IP = "192.168.10.10", "10.0.1.50"
# How an ENI's start outlasts trouble is told by tests/faults in less time.
each_agent = pytest.mark.parametrize(
    "agent", ["aws-overlay-ip", pytest.param("aws-eni-move", marks=pytest.mark.acceptance)]
)

OF_AGENTS = "*Route*", "*NetworkInterface*", "*Address*", "DescribeSubnets", "DescribeInstanceTypes"
"""The EC2 actions of the agents without those on instances, which fence_aws needs.

EC2 limits the rate of each action on its own, so this can happen; and where fencing fails too, nothing may start.
"""

LOG = "var/log/pacemaker/pacemaker.log"
"""Of a node."""

FAILURE_TIMEOUT = 25
"""Seconds, where a test waits for it. It must be longer than the start may take; the examples say 600, and 180."""


@dataclass(frozen=True)
class Service:
    """A resource, the address that it carries, and the client of that address."""

    lab: Lab
    name: str
    address: str
    watch: Watch

    def wait_served_by(self, node: str, timeout: float = 90) -> None:
        """Wait until the cluster, EC2, the kernels and the client agree that this node, and no other, has it."""
        wait_served_by(self.lab, self.watch, node, self.name, self.address, timeout)

    @property
    def node(self) -> str:
        """The node that runs it."""
        (node,) = self.lab.cluster.resource_runs_on(self.name)
        return node

    def require_no_failure(self) -> None:
        """No action of it has failed since it was created, and Pacemaker counts no failure."""
        assert [failure for failure in self.lab.cluster.failures() if failure.resource == self.name] == []
        assert self.lab.cluster.fail_counts(self.name) == {}
        history = [(op.node, op.action, op.status) for op in self.lab.cluster.history(self.name)]
        # 193: the action has not ended yet.
        assert [entry for entry in history if entry[2] not in (0, 7, 193)] == [], history


@pytest.fixture(scope="module", autouse=True)
def configured(lab: Lab) -> None:
    """Fencing leaves a node off: on EC2 it takes a minute to be back; here it can be before anything has started."""
    lab.cluster.pcs("property", "set", "stonith-action=off")
    # Without it the cluster moves a healthy address, to balance the nodes, when a dead API fails the fencing device.
    lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")


@pytest.fixture(autouse=True)
def healthy(lab: Lab) -> Iterator[None]:
    """After each test: no fault, no resource, both nodes online."""
    yield
    lab.ec2.faults.clear()
    lab.imds.dead.clear()
    lab.ec2.operator().start_instances(InstanceIds=[node.id for node in lab.nodes.values()])
    lab.cluster.wait_online(90)
    lab.cluster.run("crm_resource", "--cleanup")
    lab.cluster.settled()
    lab.ec2.calls.clear()


@contextmanager
def service(
    lab: Lab, agent: str, *options: str, more: str = "", start_timeout: int = 180, failure_timeout: int = 600
) -> Iterator[Service]:
    """A resource with the values of the examples, and more parameters, running; it ends with the context."""
    name, address, needed = definition(lab, agent)
    timeouts = {"start_timeout": start_timeout, "failure_timeout": failure_timeout}
    with lab.watch(address) as watch, resource(lab, name, agent, f"{needed} {more}", *options, **timeouts):
        running = Service(lab, name, address, watch)
        lab.cluster.wait_until(lambda: len(lab.cluster.resource_runs_on(name)) == 1, 60)
        running.wait_served_by(running.node)
        # The route tables may know the node from the test before, and the start not be done yet.
        lab.cluster.settled()
        yield running


def definition(lab: Lab, agent: str) -> tuple[str, str, str]:
    """Name, address and parameters of a resource of that agent; the ENI is made at the first use."""
    if agent == "aws-overlay-ip":
        return "ip", OVERLAY_IP, f"ip={OVERLAY_IP} routing_table={','.join(lab.route_tables.values())}"
    enis = [eni.id for eni in lab.ec2.vpc().enis if ENI_IP in eni.addresses]
    return "eni", ENI_IP, f"monapi=true eni_id={enis[0] if enis else lab.create_eni('a', ENI_IP)}"


@contextmanager
def resource(
    lab: Lab,
    name: str,
    agent: str,
    parameters: str,
    *options: str,
    start_timeout: int = 180,
    failure_timeout: int = 600,
) -> Iterator[None]:
    """Create a resource as the examples do, with a monitor that a test can wait for; delete it in the end."""
    lab.cluster.pcs(
        *f"resource create {name} ocf:aws:{agent} {parameters} op start timeout={start_timeout}".split(),
        *"op stop timeout=180".split(),
        *(options or "op monitor interval=2 timeout=60".split()),
        *f"meta failure-timeout={failure_timeout} migration-threshold=3".split(),
    )
    try:
        yield
    finally:
        lab.ec2.faults.clear()
        lab.imds.dead.clear()
        lab.cluster.pcs("resource", "delete", name, "--force")


# --- a node is lost meanwhile -----------------------------------------------------------------------------------------


@each_agent
def test_a_survivor_takes_over_in_one_start_while_ec2_throttles_and_imds_is_silent(lab: Lab, agent: str) -> None:
    with service(lab, agent) as running:
        lost = running.node
        survivor = lab.other(lost)
        throttle(lab, seconds=60)
        lab.nodes[lost].off()
        # fence_aws gets its credentials from IMDS. Once the node is being stopped it needs IMDS no more, and the start
        # has not begun yet.
        lab.cluster.wait_until(lambda: bool(lab.ec2.calls.named("StopInstances")), 90)
        silence_imds(lab, survivor, seconds=20)
        running.wait_served_by(survivor, timeout=150)
        lab.cluster.settled()
        running.require_no_failure()
        (start,) = [op for op in lab.cluster.history(running.name) if (op.node, op.action) == (survivor, "start")]
        assert 20 < start.seconds < 120


@each_agent
def test_the_address_comes_back_by_itself_after_an_api_that_was_dead_for_longer_than_a_start_may_take(
    lab: Lab, agent: str
) -> None:
    with service(lab, agent, start_timeout=15, failure_timeout=FAILURE_TIMEOUT) as running:
        lost = running.node
        survivor = lab.other(lost)
        for action in OF_AGENTS:
            lab.ec2.faults.add(action, effect=effects.Reset())
        lab.nodes[lost].off()
        lab.cluster.wait_until(lambda: lab.cluster.fail_counts(running.name) == {survivor: "INFINITY"}, 120)
        lab.cluster.settled()
        assert lab.cluster.resource_runs_on(running.name) == set()
        (failure,) = [failure for failure in lab.cluster.failures() if failure.resource == running.name]
        # A start that Pacemaker had to kill would say nothing.
        assert (failure.action, failure.node) == ("start", survivor) and failure.reason
        lab.ec2.faults.clear()
        running.wait_served_by(survivor, timeout=FAILURE_TIMEOUT + 60)
        lab.cluster.wait_until(lambda: lab.cluster.fail_counts(running.name) == {}, 30)


def test_a_fencing_device_that_failed_while_the_api_was_dead_still_fences_once_the_api_is_back(lab: Lab) -> None:
    with service(lab, "aws-overlay-ip") as running:
        lost = running.node
        lab.cluster.pcs(*"stonith update fence op monitor interval=3 timeout=20".split())
        lab.ec2.faults.add(effect=effects.Error("InternalError", 400))
        lab.cluster.wait_until(lambda: set(lab.cluster.fail_counts("fence")) == set(lab.nodes), 150)
        running.wait_served_by(lost)
        lab.ec2.faults.clear()
        lab.nodes[lost].off()
        running.wait_served_by(lab.other(lost))
        running.require_no_failure()
        lab.cluster.pcs(*"stonith update fence op monitor interval=60 timeout=60".split())


# --- nothing else happens ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "level", "effect"),
    [
        ("aws-overlay-ip", 10, effects.Hang()),
        ("aws-eni-move", 10, effects.Reset()),
        # tests/cluster/test_overlay_ip.py has the first in short.
        pytest.param("aws-overlay-ip", 0, effects.Reset(), marks=pytest.mark.acceptance),
        pytest.param("aws-eni-move", 0, effects.Hang(), marks=pytest.mark.acceptance),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_healthy_resource_stays_where_it_is_while_the_api_is_dead(
    lab: Lab, agent: str, level: int, effect: Effect
) -> None:
    monitor = f"op monitor interval=2 timeout=60 OCF_CHECK_LEVEL={level}".split()
    # Each monitor waits that long for EC2.
    with service(lab, agent, *monitor, more="api_timeout=3") as running:
        node, since = running.node, running.watch.record.end
        warned = monitors_that_warned(lab, node)
        lab.ec2.faults.add(effect=effect)
        wait_until(lambda: monitors_that_warned(lab, node) >= warned + 3, 150, partial(story, lab))
        lab.ec2.faults.clear()
        running.wait_served_by(node)
        running.require_no_failure()
        assert running.watch.outages(since=since) == []
    assert stopped_instances(lab) == set()


# --- a typing error ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["node1", "node2"])
def test_the_address_of_a_node_is_refused_with_a_reason_and_stays_on_the_node(lab: Lab, node: str) -> None:
    address = next(host.address for host in lab.plan.nodes if host.name == node)
    tables = ",".join(lab.route_tables.values())
    with resource(lab, "wrong", "aws-overlay-ip", f"ip={address} routing_table={tables}"):
        reason = f"ip {address} is this node's own address"
        # The node's own probe finds it out: its 2 is not shown, and the node is not tried (pcmk_xe_mask_probe_failure()).
        wait_refused(lab, "wrong", reason, *(set(lab.nodes) - {node}))
        assert reason in (lab.nodes[node].root / LOG).read_text(errors="replace")
    require_untouched(lab)


@pytest.mark.parametrize("has_second_link", [False, True])
def test_the_primary_eni_of_a_node_is_refused_with_a_reason_and_stays_on_the_node(
    lab: Lab, has_second_link: bool
) -> None:
    eni, second = lab.primary_eni("node1"), lab.create_eni("a", "10.0.1.77")
    operator = lab.ec2.operator()
    if has_second_link:
        # Only a node with more than one link has to find out which of them is the ENI.
        operator.attach_network_interface(NetworkInterfaceId=second, InstanceId=lab.nodes["node1"].id, DeviceIndex=1)
        lab.cluster.wait_until(lambda: lab.eni_holder(second) == "node1", 30)
    try:
        with resource(lab, "wrong", "aws-eni-move", f"eni_id={eni}"):
            reason = f"create an ENI for the service: {eni}"
            # The probe finds it out on a node with two links. Pacemaker takes its 2 for "not running", without showing
            # it (pcmk_xe_mask_probe_failure()), and does not try the node.
            wait_refused(lab, "wrong", reason, *(["node2"] if has_second_link else lab.nodes))
            assert reason in (lab.nodes["node1"].root / LOG).read_text(errors="replace")
    finally:
        if has_second_link:
            found = operator.describe_network_interfaces(NetworkInterfaceIds=[second])["NetworkInterfaces"][0]
            operator.detach_network_interface(AttachmentId=found["Attachment"]["AttachmentId"])
            lab.cluster.wait_until(lambda: lab.eni_holder(second) is None, 30)
        operator.delete_network_interface(NetworkInterfaceId=second)
    require_untouched(lab)


# --- faults and looks -------------------------------------------------------------------------------------------------


def throttle(lab: Lab, seconds: float) -> None:
    """Let EC2 refuse what the agents ask for some time, as it does when an account asks too often."""
    for action in OF_AGENTS:
        fault = lab.ec2.faults.add(action, effect=effects.Error("RequestLimitExceeded", 503))
        in_background(seconds, partial(lab.ec2.faults.remove, fault))


def silence_imds(lab: Lab, node: str, seconds: float) -> None:
    """Let IMDS not answer a node for some time."""
    lab.imds.dead.add(lab.nodes[node].id)
    in_background(seconds, lambda: lab.imds.dead.discard(lab.nodes[node].id))


def in_background(seconds: float, end: Callable[[], object]) -> None:
    """Call something after some seconds."""
    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()


def story(lab: Lab) -> str:
    """What crm_mon shows, and the last of what Pacemaker and the agents have logged of the agents."""
    told = [lab.cluster.status()]
    for node in lab.nodes.values():
        log = (node.root / LOG).read_text(errors="replace")
        lines = [line for line in log.splitlines() if re.search(r"aws-|\b(ip|eni|wrong)_", line)]
        told += [node.name, *lines[-40:]]
    return "\n".join(told)


def monitors_that_warned(lab: Lab, node: str) -> int:
    """How many monitors have said on this node so far that EC2's part is unknown."""
    log = lab.nodes[node].root / LOG
    return log.read_text(errors="replace").count("what EC2 does is unknown")


def stopped_instances(lab: Lab) -> set[str]:
    """The instances that somebody has fenced since the calls were cleared."""
    return {each for call in lab.ec2.calls.named("StopInstances") for each in call.parameters["InstanceIds"]}


def wait_refused(lab: Lab, name: str, reason: str, *nodes: str) -> None:
    """Wait until these nodes have refused the resource with this reason, and the cluster has nothing more to try."""

    def refusing() -> set[str]:
        failures = lab.cluster.failures()
        return {failure.node for failure in failures if failure.resource == name and reason in failure.reason}

    wait_until(lambda: refusing() >= set(nodes), 60, partial(story, lab))
    lab.cluster.settled()
    assert lab.cluster.resource_runs_on(name) == set()


def require_untouched(lab: Lab) -> None:
    """Each node is online with its own address, which the client reaches; nobody was fenced or cut off."""
    assert stopped_instances(lab) == set()
    assert lab.cluster.online() == set(lab.nodes)
    for host in lab.plan.nodes:
        assert has_address(lab, host.name, f"{host.address}/24")
        assert lab.eni_holder(lab.primary_eni(host.name)) == host.name
        lab.client.run("ping", "-c1", "-W2", host.address)
