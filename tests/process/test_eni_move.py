"""aws-eni-move, each action as Pacemaker runs it: a process of its own, a real kernel, the emulated EC2."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from vpclab.checkout import CHECKOUT
from vpclab.ec2 import effects
from vpclab.hosts.pci_hotplug import PciHotplug
from vpclab.hosts.single_node import PYTHON, Result, SingleNode
from vpclab.plan import ONE_ZONE

IPV4 = ["10.0.1.50", "10.0.1.51", "10.0.1.52"]
IPV6 = "2001:db8:100:1::50"
PREFIX = "10.0.1.64/28"
LOOKS = "-brief link", "-oneline address", "rule", "-6 rule", "route show table all", "-6 route show table all"


def ip(command: str) -> str:
    return subprocess.run(["ip", *command.split()], check=True, capture_output=True, text=True).stdout


def snapshot() -> list[str]:
    """All that the agent could leave behind, but for what the kernel numbers anew with each link."""
    lines = "\n".join(ip(look) for look in LOOKS).splitlines()
    # The kernel's multicast routes come some time after a link is up, too.
    return [re.sub(r"@\S+|^\d+: ", "", line) for line in lines if not line.startswith("multicast")]


class Resource:
    """A resource of the agent for an ENI with three IPv4 addresses, an IPv6 one and a delegated prefix."""

    def __init__(self, single_node: SingleNode, hotplug: PciHotplug, **parameters: str):
        self.single_node, self.hotplug = single_node, hotplug
        self.ec2 = single_node.ec2
        self.operator = single_node.ec2.operator()
        self.id = self.operator.create_network_interface(
            SubnetId=single_node.vpc.subnets["a"],
            PrivateIpAddresses=[{"PrivateIpAddress": a, "Primary": a == IPV4[0]} for a in IPV4],
            Ipv6Addresses=[{"Ipv6Address": IPV6}],
            Ipv4Prefixes=[{"Ipv4Prefix": PREFIX}],
        )["NetworkInterface"]["NetworkInterfaceId"]
        self.parameters = {"eni_id": self.id, **parameters}
        self.state = single_node.directory / "state"
        self.environ = {"HA_RSCTMP": str(self.state)}
        single_node.ec2.calls.clear()

    def __call__(self, action: str, **how: Any) -> Result:
        parameters = {**self.parameters, **how.pop("parameters", {})}
        environ = {**self.environ, **how.pop("environ", {})}
        return self.single_node.run("aws-eni-move", action, parameters, environ=environ, **how)

    def monitor(self, **how: Any) -> Result:
        return self("monitor", interval=10, **how)

    @property
    def state_file(self) -> Path:
        return self.state / f"aws-eni-move-{self.id}"

    @property
    def holder(self) -> str | None:
        found = self.operator.describe_network_interfaces(NetworkInterfaceIds=[self.id])["NetworkInterfaces"][0]
        attachment = found.get("Attachment") or {}
        return str(attachment["InstanceId"]) if attachment.get("Status") in ("attaching", "attached") else None

    def attach(self, host: str, index: int = 1) -> str:
        answer = self.operator.attach_network_interface(
            NetworkInterfaceId=self.id, InstanceId=self.single_node.hosts[host], DeviceIndex=index
        )
        return str(answer["AttachmentId"])

    def detach(self) -> None:
        found = self.operator.describe_network_interfaces(NetworkInterfaceIds=[self.id])["NetworkInterfaces"][0]
        self.operator.detach_network_interface(AttachmentId=found["Attachment"]["AttachmentId"])


@pytest.fixture
def resource(in_sandbox: None, tmp_path: Path) -> Iterator[Resource]:
    # Link-local addresses come some time after a link is up, in the middle of a comparison.
    subprocess.run(["sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1"], check=True)
    with SingleNode(tmp_path, ONE_ZONE) as single_node:
        ip("address add 10.0.1.11/24 dev ens5")
        hotplug = PciHotplug(single_node)
        yield Resource(single_node, hotplug)
        hotplug.close()
        for family in ("", "-6 "):
            subprocess.run(f"ip {family}rule flush protocol 203", shell=True, check=True)


# --- the life of a resource -------------------------------------------------------------------------------------------


def test_start_brings_the_eni_here_with_all_its_addresses_and_stop_leaves_nothing(resource: Resource) -> None:
    before = snapshot()
    resource.attach("node2")
    resource.ec2.calls.clear()
    assert resource.monitor().status == 7
    started = resource("start")
    assert started.status == 0, started.stderr
    assert resource.holder == resource.single_node.instance_id
    assert {f"{address}/32" for address in IPV4} | {f"{IPV6}/128"} <= resource.single_node.addresses()
    assert resource.monitor().status == resource("monitor", level=10).status == 0
    stopped = resource("stop")
    assert stopped.status == 0, stopped.stderr
    assert resource.holder is None and not resource.state_file.exists()
    assert snapshot() == before
    assert resource.monitor().status == 7


def test_start_and_stop_may_be_repeated(resource: Resource) -> None:
    assert [resource(action).status for action in ("start", "start", "stop", "stop")] == [0, 0, 0, 0]


def test_a_start_looks_at_the_eni_once_before_it_acts(resource: Resource) -> None:
    resource("start")
    actions = [call.action for call in resource.ec2.calls if not call.parameters.get("DryRun")]
    assert actions[: actions.index("AttachNetworkInterface")].count("DescribeNetworkInterfaces") == 1
    resource.ec2.calls.clear()
    resource("start")
    assert [call.action for call in resource.ec2.calls].count("DescribeNetworkInterfaces") == 1


def test_monitor_at_level_0_asks_neither_ec2_nor_imds(resource: Resource) -> None:
    resource("start")
    resource.ec2.calls.clear()
    resource.single_node.imds.dead.add(resource.single_node.instance_id)
    monitored = resource.monitor()
    assert monitored.status == 0 and monitored.seconds < 0.5 and not resource.ec2.calls


@pytest.mark.parametrize(
    "lost", [f"address del {IPV4[1]}/32 dev ens6", f"rule del from {IPV4[0]}", "link set ens6 down"]
)
def test_monitor_notices_what_is_taken_away_and_start_repairs_it(resource: Resource, lost: str) -> None:
    resource("start")
    ip(lost)
    monitored = resource.monitor()
    assert monitored.status == 1 and "missing" in monitored.reason
    assert resource("start").status == 0
    assert resource.monitor().status == 0


def test_an_eni_that_is_detached_behind_the_clusters_back_is_not_running_and_comes_back(resource: Resource) -> None:
    before = snapshot()
    resource("start")
    resource.detach()
    assert resource.monitor().status == 7
    assert resource("stop").status == 0
    assert snapshot() == before
    assert resource("start").status == 0


def test_monitor_at_level_10_believes_ec2_where_it_contradicts_the_kernel(resource: Resource) -> None:
    resource("start")
    resource.single_node.ec2.on_change = lambda: None
    resource.detach()
    assert resource.monitor().status == 0
    monitored = resource.monitor(level=10)
    assert monitored.status == 1 and "attached to no instance" in monitored.reason
    assert resource("monitor", level=10).status == 1
    assert resource.monitor(parameters={"monapi": "true"}).status == 1


def test_two_resources_on_one_instance_do_not_meddle(resource: Resource) -> None:
    ip("address add 10.0.1.200/32 dev lo")
    subnet = resource.single_node.vpc.subnets["a"]
    other = resource.operator.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.1.60")
    second = {"eni_id": other["NetworkInterface"]["NetworkInterfaceId"]}
    resource("start")
    before = snapshot()
    assert resource("start", parameters=second).status == 0
    assert resource.monitor().status == resource.monitor(parameters=second).status == 0
    assert resource("stop", parameters=second).status == 0
    assert snapshot() == before
    assert resource.monitor().status == 0
    ip("address del 10.0.1.200/32 dev lo")


# --- parameters -------------------------------------------------------------------------------------------------------


def test_only_the_addresses_named_are_configured(resource: Resource) -> None:
    assert resource("start", parameters={"addresses": f"{IPV4[0]}, {IPV6}"}).status == 0
    assert f"{IPV4[1]}/32" not in resource.single_node.addresses() and f"{IPV6}/128" in resource.single_node.addresses()
    assert PREFIX not in ip("rule")
    assert resource("reload-agent", parameters={"addresses": IPV4[1]}).status == 0
    assert (
        f"{IPV4[0]}/32" not in resource.single_node.addresses() and f"{IPV4[1]}/32" in resource.single_node.addresses()
    )


def test_an_address_that_the_eni_does_not_have_is_refused_before_anything_is_touched(resource: Resource) -> None:
    started = resource("start", parameters={"addresses": "10.0.1.99"})
    assert started.status == 2 and "10.0.1.99" in started.reason
    assert started.seconds > 10
    assert resource.holder is None


@pytest.mark.parametrize("action", ["start", "reload-agent"])
def test_an_address_that_was_just_assigned_is_waited_for(resource: Resource, action: str) -> None:
    resource("start", parameters={"addresses": IPV4[0]})
    added = {"addresses": f"{IPV4[0]} 10.0.1.53"}
    with resource.ec2.faults.add("DescribeNetworkInterfaces", effect=effects.Stale(60), times=2):
        resource.operator.assign_private_ip_addresses(NetworkInterfaceId=resource.id, PrivateIpAddresses=["10.0.1.53"])
        result = resource(action, parameters=added)
    assert result.status == 0, result.reason
    assert "10.0.1.53/32" in resource.single_node.addresses()
    assert resource.monitor(parameters=added).status == 0


def test_a_reload_with_an_address_that_the_eni_does_not_have_leaves_the_service_alone(resource: Resource) -> None:
    resource("start")
    reloaded = resource("reload-agent", parameters={"addresses": "10.0.1.99"})
    assert reloaded.status == 0 and "10.0.1.99 is none of the ENI's addresses" in reloaded.stderr
    assert resource.monitor().status == 0


def test_mtu_table_and_index_are_as_given_and_stop_restores_the_mtu(resource: Resource) -> None:
    wanted = {"mtu": "1500", "table": "4711", "device_index": "2", "detach_on_stop": "false"}
    assert resource("start", parameters=wanted).status == 0
    assert "mtu 1500" in ip("link show ens7") and "lookup 4711" in ip("rule")
    assert resource.monitor(parameters=wanted).status == 0
    assert resource("stop", parameters=wanted).status == 0
    assert "mtu 9001" in ip("link show ens7") and "4711" not in ip("rule")
    assert resource.holder == resource.single_node.instance_id
    assert resource.monitor(parameters=wanted).status == 7


def test_with_configure_false_start_waits_for_the_operating_systems_tool(resource: Resource) -> None:
    left = {"configure": "false", "addresses": IPV4[0]}
    started = resource("start", parameters=left, timeout=4)
    assert started.status == 1 and "configure=false" in started.reason
    ip("link set ens6 up")
    ip(f"address add {IPV4[0]}/24 dev ens6")
    assert resource("start", parameters=left).status == 0
    assert "203" not in ip("rule")
    assert resource.monitor(parameters=left).status == 0
    assert resource("stop", parameters={**left, "detach_on_stop": "false"}).status == 0
    assert resource.monitor(parameters=left).status == 7


@pytest.mark.parametrize(
    "name, value",
    [
        ("eni_id", "i-0123456789"),
        ("eni_id", ""),
        ("device_index", "0"),
        ("table", "254"),
        ("addresses", "banana"),
        ("mtu", "x"),
    ],
)
def test_a_parameter_that_is_wrong_is_fatal_but_for_stop(resource: Resource, name: str, value: str) -> None:
    for action in ("start", "monitor", "validate-all"):
        result = resource(action, parameters={name: value})
        assert result.status == 6 and name in result.reason
    assert resource("stop", parameters={name: value}).status == 0


def test_validate_all_knows_what_it_does_not_know(resource: Resource) -> None:
    assert resource("validate-all").status == 0
    assert resource("validate-all", parameters={"eni": "x"}).status == 6
    assert not resource.ec2.calls


# --- refusals ---------------------------------------------------------------------------------------------------------


def refused(resource: Resource, words: str, status: int = 2, **parameters: str) -> None:
    """Both start and a deep validation refuse, with these words, and change nothing."""
    before, holder = snapshot(), resource.holder
    for action, level in (("start", 0), ("validate-all", 10)):
        result = resource(action, level=level, parameters=parameters)
        assert (result.status, words in result.reason) == (status, True), result.reason
    writes = [call for call in resource.ec2.calls if not call.action.startswith("Describe")]
    assert all(call.parameters.get("DryRun") or call.outcome == "UnauthorizedOperation" for call in writes)
    assert (snapshot(), resource.holder) == (before, holder)
    assert resource.monitor(parameters=parameters).status == 7
    assert resource("stop", parameters=parameters).status == 0


def test_an_eni_of_another_zone_is_refused(resource: Resource) -> None:
    subnet = resource.single_node.vpc.subnets["b"]
    other = resource.operator.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    refused(resource, "availability zone", eni_id=other)


def test_a_primary_eni_is_refused(resource: Resource) -> None:
    refused(resource, "primary ENI", eni_id=resource.single_node.primary_eni("node2"))


def test_the_nodes_own_primary_eni_is_refused_and_never_touched(resource: Resource) -> None:
    resource.attach("node1")
    before = snapshot()
    own = {"eni_id": resource.single_node.eni}
    for how in ({}, {"interval": 10}):
        probed = resource("monitor", parameters=own, **how)
        assert probed.status == 2 and "create an ENI for the service" in probed.reason
    assert resource("start", parameters=own).status == 2
    stopped = resource("stop", parameters=own)
    assert stopped.status == 0 and "nothing is removed" in stopped.stderr
    assert snapshot() == before


def test_a_link_that_carries_the_default_route_is_never_touched(resource: Resource) -> None:
    resource.attach("node1")
    ip("link set ens6 up")
    ip("address add 10.0.1.50/24 dev ens6")
    ip("route add default via 10.0.1.1 dev ens6")
    before = snapshot()
    assert resource("monitor").status == 2
    assert resource("stop").status == 0
    assert snapshot() == before


@pytest.mark.parametrize("route", ["metric 512", "table 10001"], ids=["a worse metric", "a table of its own"])
def test_a_default_route_that_the_node_does_not_use_makes_no_life_line(resource: Resource, route: str) -> None:
    resource.attach("node1")
    ip("link set ens6 up")
    ip(f"address add {IPV4[0]}/24 dev ens6")
    ip("route add default via 10.0.1.1 dev ens5 metric 100")
    ip(f"route add default via 10.0.1.1 dev ens6 {route}")
    left = {"configure": "false", "addresses": IPV4[0]}
    probed = resource("monitor", parameters=left)
    assert probed.status == 0, probed.reason
    assert resource("stop", parameters=left).status == 0
    assert resource.holder is None


def test_an_eni_that_was_deleted_is_refused(resource: Resource) -> None:
    resource.operator.delete_network_interface(NetworkInterfaceId=resource.id)
    resource.parameters["eni_id"] = gone = resource.id
    for action in ("start", "validate-all"):
        result = resource(action, level=10)
        assert result.status == 2 and gone in result.reason
    assert resource("stop").status == 0


def test_a_node_that_is_full_is_refused_before_the_holder_loses_it(resource: Resource) -> None:
    for index in (1, 2):
        other = resource.operator.create_network_interface(SubnetId=resource.single_node.vpc.subnets["a"])[
            "NetworkInterface"
        ]
        resource.operator.attach_network_interface(
            NetworkInterfaceId=other["NetworkInterfaceId"],
            InstanceId=resource.single_node.instance_id,
            DeviceIndex=index,
        )
    resource.attach("node2")
    refused(resource, "its type allows 3")


def test_enis_on_another_network_card_leave_room_on_the_first(
    resource: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [{"NetworkCardIndex": card, "MaximumNetworkInterfaces": 4} for card in (0, 1)]
    network = INSTANCE_TYPES["m5.large"]["NetworkInfo"]
    monkeypatch.setitem(network, "NetworkCards", cards)
    monkeypatch.setitem(network, "MaximumNetworkInterfaces", 8)
    for index in (1, 2, 3):
        other = resource.operator.create_network_interface(SubnetId=resource.single_node.vpc.subnets["a"])
        resource.operator.attach_network_interface(
            NetworkInterfaceId=other["NetworkInterface"]["NetworkInterfaceId"],
            InstanceId=resource.single_node.instance_id,
            DeviceIndex=index,
            NetworkCardIndex=1,
        )
    resource.attach("node2")
    assert resource("validate-all", level=10).status == 0
    started = resource("start")
    assert started.status == 0, started.reason
    assert resource.holder == resource.single_node.instance_id


def test_a_node_that_may_not_attach_is_refused_before_the_holder_loses_it(resource: Resource) -> None:
    resource.attach("node2")
    allowed = ["ec2:Describe*", "ec2:DetachNetworkInterface"]
    statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
    resource.ec2.allow(resource.single_node.instance_id, {"Version": "2012-10-17", "Statement": [statement]})
    refused(resource, "ec2:AttachNetworkInterface", status=4)


def test_a_start_of_an_eni_that_is_here_needs_no_right_to_attach(resource: Resource) -> None:
    resource("start")
    statement = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}
    resource.ec2.allow(resource.single_node.instance_id, {"Version": "2012-10-17", "Statement": [statement]})
    started = resource("start", timeout=15)
    assert started.status == 0, started.reason
    assert resource("validate-all", level=10).status == 4


def test_validation_at_level_10_warns_of_networkmanager(resource: Resource) -> None:
    systemd = Path("/run/systemd/system")
    (systemd / "multi-user.target.wants").mkdir(parents=True)
    (systemd / "multi-user.target.wants/NetworkManager.service").touch()
    try:
        result = resource("validate-all", level=10)
        assert result.status == 0
        assert "NetworkManager configures the ENI's link too" in result.stderr and "ocf-aws check" in result.stderr
    finally:
        shutil.rmtree(systemd)
    assert "NetworkManager" not in resource("validate-all", level=10).stderr


def test_validation_at_level_10_passes_where_a_start_would(resource: Resource) -> None:
    resource.attach("node2")
    result = resource("validate-all", level=10)
    assert result.status == 0, result.reason
    assert resource.holder == resource.single_node.hosts["node2"]


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dead", ["EC2", "IMDS", "EC2 hanging", "boto3"])
def test_stop_takes_the_addresses_off_whatever_is_dead(resource: Resource, dead: str) -> None:
    resource("start")
    environ = {}
    if dead == "EC2":
        resource.ec2.faults.add(effect=effects.Reset())
    elif dead == "EC2 hanging":
        resource.ec2.faults.add(effect=effects.Hang())
    elif dead == "IMDS":
        resource.single_node.imds.dead.add(resource.single_node.instance_id)
    else:
        broken = resource.single_node.directory / "broken"
        broken.mkdir()
        (broken / "boto3.py").write_text("raise ImportError('no boto3 here')\n")
        environ["PYTHONPATH"] = f"{broken}:{CHECKOUT / 'lib'}"
    stopped = resource("stop", environ=environ, timeout=20)
    assert stopped.status == 0 and "is not detached" in stopped.stderr
    assert not resource.single_node.addresses() & {f"{address}/32" for address in IPV4}
    assert "proto 203" not in ip("rule") + ip("route show table all")
    assert "state DOWN" in ip("link show ens6")
    assert resource.monitor().status == 7
    assert resource.holder == resource.single_node.instance_id


@pytest.mark.parametrize("dead", ["EC2", "IMDS"])
def test_a_start_of_a_complete_eni_succeeds_while_nobody_answers(resource: Resource, dead: str) -> None:
    resource("start")
    if dead == "EC2":
        resource.ec2.faults.add(effect=effects.Reset())
    else:
        resource.single_node.imds.dead.add(resource.single_node.instance_id)
    started = resource("start", parameters={"api_timeout": "1"}, timeout=30)
    assert started.status == 0 and "WARNING" in started.stderr


def test_a_single_old_read_fails_no_monitor_at_level_10(resource: Resource) -> None:
    resource("start")
    with resource.ec2.faults.add("DescribeNetworkInterfaces", effect=effects.Stale(60), times=1):
        monitored = resource.monitor(level=10)
    assert monitored.status == 0, monitored.reason


def test_stop_finds_what_is_its_own_without_what_start_kept(resource: Resource) -> None:
    before = snapshot()
    resource("start")
    resource.state_file.unlink()
    resource.single_node.imds.dead.add(resource.single_node.instance_id)
    assert resource.monitor().status == 0
    stopped = resource("stop", parameters={"detach_on_stop": "false"})
    assert stopped.status == 0, stopped.stderr
    resource.detach()
    assert snapshot() == before


def test_a_probe_without_a_record_believes_imds_about_an_eni_that_came_with_the_boot(resource: Resource) -> None:
    resource.attach("node1")
    assert resource("monitor").status == 7
    ip("link set ens6 up")
    ip(f"address add {IPV4[0]}/24 dev ens6")
    probed = resource("monitor")
    assert probed.status == 1 and "missing" in probed.reason
    assert resource("stop").status == 0
    assert f"{IPV4[0]}/24" not in resource.single_node.addresses()


LEFT = {"configure": "false", "addresses": " ".join(IPV4)}


def configure_by_hand(resource: Resource) -> None:
    """What the operating system's own tool does."""
    ip("address replace 10.0.1.11/24 dev ens5")
    ip("link set ens6 up")
    for address in IPV4:
        ip(f"address replace {address}/24 dev ens6")


def test_an_eni_that_came_configured_with_the_boot_is_recorded_and_needs_imds_no_more(resource: Resource) -> None:
    resource.attach("node1")
    configure_by_hand(resource)
    before = snapshot()
    probed = resource("monitor", parameters=LEFT)
    assert probed.status == 0, probed.reason
    assert resource.state_file.stat().st_mode & 0o777 == 0o600 and snapshot() == before
    resource.single_node.imds.dead.add(resource.single_node.instance_id)
    monitored = resource.monitor(parameters=LEFT)
    assert monitored.status == 0 and monitored.seconds < 0.5 and not monitored.stderr
    stopped = resource("stop", parameters=LEFT)
    assert stopped.status == 0 and "is not detached" in stopped.stderr
    assert "state DOWN" in ip("link show ens6") and not resource.state_file.exists()


def test_the_record_of_such_an_eni_follows_what_ec2_takes_from_it(resource: Resource) -> None:
    resource.attach("node1")
    configure_by_hand(resource)
    ip(f"address replace {IPV6}/64 dev ens6 nodad")
    anything = {"configure": "false"}
    assert resource("monitor", parameters=anything).status == 0
    resource.operator.unassign_private_ip_addresses(NetworkInterfaceId=resource.id, PrivateIpAddresses=[IPV4[1]])
    ip(f"address del {IPV4[1]}/24 dev ens6")
    assert resource.monitor(parameters=anything).status == 0
    assert IPV4[1] not in resource.state_file.read_text()
    ip(f"address del {IPV4[0]}/24 dev ens6")
    result = resource.monitor(parameters=anything)
    assert result.status == 1 and IPV4[0] in result.reason


@pytest.mark.parametrize("lost", ["address del 10.0.1.51/24 dev ens6", "link set ens6 down"])
def test_an_eni_that_is_not_complete_is_not_recorded(resource: Resource, lost: str) -> None:
    resource.attach("node1")
    configure_by_hand(resource)
    ip(lost)
    assert resource("monitor", parameters=LEFT).status in (1, 7)
    assert not resource.state_file.exists()


@pytest.mark.parametrize("addresses", [LEFT["addresses"], ""], ids=["some addresses", "all addresses"])
def test_without_record_and_imds_a_monitor_fails_only_by_what_the_kernel_lacks(
    resource: Resource, addresses: str
) -> None:
    left = {"configure": "false", "addresses": addresses}
    resource.single_node.directory.joinpath("file").touch()
    resource.environ = {"HA_RSCTMP": str(resource.single_node.directory / "file" / "state")}
    resource.attach("node1")
    configure_by_hand(resource)
    for address in (f"{IPV6}/64", "10.0.1.70/24"):
        ip(f"address add {address} dev ens6")
    started = resource("start", parameters=left)
    assert started.status == 0 and "cannot be recorded" in started.stderr
    resource.single_node.imds.dead.add(resource.single_node.instance_id)
    for level in (0, 10):
        monitored = resource.monitor(parameters=left, level=level)
        assert monitored.status == 0 and "IMDS does not tell whether it is here" in monitored.stderr
    before = snapshot()
    # To say so on two nodes would stop both; and with configure=true the agent's rules are missing for certain.
    assert resource("monitor", parameters=left).status == 7
    assert resource.monitor(parameters={"configure": "true"}).status == 7
    stopped = resource("stop", parameters=left)
    assert stopped.status == 0 and "nothing is removed" in stopped.stderr
    assert snapshot() == before
    ip("link set ens6 down")
    assert resource.monitor(parameters=left).status == 7
    resource.detach()
    assert resource.monitor(parameters=left).status == 7


def test_what_start_keeps_is_for_root_alone(resource: Resource) -> None:
    resource("start")
    assert resource.state_file.stat().st_mode & 0o777 == 0o600
    resource.state_file.chmod(0o666)
    assert resource.monitor().status == 0
    resource.state_file.write_text("mac 00:00:00:00:00:01\n")
    assert resource.monitor().status == 0


def test_start_fails_softly_where_the_kernel_never_shows_the_link(resource: Resource) -> None:
    resource.hotplug.is_stuck = True
    started = resource("start", timeout=5)
    assert started.status == 1 and "the kernel shows no link" in started.reason
    assert resource("stop").status == 0
    assert resource.holder is None


def test_imds_may_lag_behind_the_attachment(resource: Resource) -> None:
    resource.single_node.imds.lag(resource.single_node.instance_id, 60)
    resource.ec2.lag = 60
    assert resource("start").status == 0
    assert resource.monitor().status == 0


def test_an_eni_that_would_be_deleted_with_its_holder_is_kept(resource: Resource) -> None:
    change = {"AttachmentId": resource.attach("node1"), "DeleteOnTermination": True}
    resource.operator.modify_network_interface_attribute(NetworkInterfaceId=resource.id, Attachment=change)
    assert resource("start").status == 0
    assert resource.ec2.calls.named("ModifyNetworkInterfaceAttribute")


@pytest.mark.parametrize("action", ["start", "stop"])
def test_an_action_that_is_killed_at_any_moment_leaves_what_the_next_ones_can_tidy_up(
    resource: Resource, action: str
) -> None:
    before = snapshot()
    for step in range(8):
        if action == "stop":
            assert resource("start").status == 0
        kill(resource, action, step / 8)
        assert resource("monitor").status in (0, 1, 7)
        assert resource("stop").status == 0
        if resource.holder == resource.single_node.instance_id:
            # Killed before anything could be recorded, or with the detach on its way.
            resource.detach()
        assert snapshot() == before, step


def kill(resource: Resource, action: str, seconds: float) -> None:
    """Begin an action and end it like Pacemaker ends one that is late, children and all."""
    environ = {f"OCF_RESKEY_{name}": value for name, value in resource.parameters.items()}
    process = subprocess.Popen(
        [PYTHON, "-B", str(CHECKOUT / "agents/aws-eni-move"), action],
        env={
            "PYTHONPATH": str(CHECKOUT / "lib"),
            "AWS_CA_BUNDLE": str(resource.single_node.ca),
            **environ,
            **resource.environ,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
