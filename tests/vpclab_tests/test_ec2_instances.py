"""The lab's EC2 runs, stops, starts and ends instances as AWS does, and their power follows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from vpclab.ec2 import Ec2
from vpclab.plan import BuiltVpc

OVERLAY = "192.168.7.7/32"


class PowerRecord:
    """Power whose switching is written down, with EC2's view of the instance at that moment."""

    def __init__(self, ec2: Ec2):
        self.ec2 = ec2
        self.switched: list[tuple[str, str]] = []
        self.block = threading.Event()
        self.block.set()

    def off(self, instance_id: str) -> None:
        assert self.block.wait(5)
        self.switched.append(("off", state(self.ec2, instance_id)))

    def on(self, instance_id: str) -> None:
        self.switched.append(("on", state(self.ec2, instance_id)))


def state(ec2: Ec2, instance_id: str) -> str:
    """An instance's state, as EC2 tells it."""
    answer = ec2.operator().describe_instances(InstanceIds=[instance_id])
    return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])


def error_of(call: Any, **parameters: Any) -> str:
    """The error code of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def power(ec2: Ec2) -> PowerRecord:
    """The power of all instances; they switch fast."""
    record = PowerRecord(ec2)
    ec2.power = record
    ec2.times.stop = ec2.times.start = 0.05
    return record


@pytest.fixture
def reaches(ec2: Ec2) -> Callable[[str, str], None]:
    """Waits until an instance is in a state."""
    changed = threading.Event()
    ec2.on_change = changed.set

    def wait(instance_id: str, wanted: str) -> None:
        deadline = time.monotonic() + 5
        while state(ec2, instance_id) != wanted:
            assert changed.wait(deadline - time.monotonic()), f"never {wanted}"
            changed.clear()

    return wait


def test_stopping_tells_stopped_only_once_the_power_is_off(
    ec2: Ec2, hosts: dict[str, str], power: PowerRecord, reaches: Callable[[str, str], None]
) -> None:
    power.block.clear()
    answer = ec2.operator().stop_instances(InstanceIds=[hosts["node1"]], Force=True)
    (change,) = answer["StoppingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    # Longer than times.stop: it is the power that is waited for.
    assert not threading.Event().wait(0.15) and state(ec2, hosts["node1"]) == "stopping"
    power.block.set()
    reaches(hosts["node1"], "stopped")
    assert power.switched == [("off", "stopping")]


def test_starting_boots_when_ec2_says_running(
    ec2: Ec2, hosts: dict[str, str], power: PowerRecord, reaches: Callable[[str, str], None]
) -> None:
    operator = ec2.operator()
    operator.stop_instances(InstanceIds=[hosts["node1"]])
    assert error_of(operator.start_instances, InstanceIds=[hosts["node1"]]) == "IncorrectInstanceState"
    reaches(hosts["node1"], "stopped")
    operator.start_instances(InstanceIds=[hosts["node1"]])
    assert state(ec2, hosts["node1"]) == "pending"
    reaches(hosts["node1"], "running")
    ec2.close()
    assert power.switched == [("off", "stopping"), ("on", "running")]


def test_a_reboot_cuts_the_power_and_ec2_tells_running(ec2: Ec2, hosts: dict[str, str], power: PowerRecord) -> None:
    ec2.operator().reboot_instances(InstanceIds=[hosts["node1"]])
    deadline = time.monotonic() + 5
    while len(power.switched) < 2 and time.monotonic() < deadline:
        assert state(ec2, hosts["node1"]) == "running"
    assert power.switched == [("off", "running"), ("on", "running")]


def test_the_routes_of_a_stopped_instance_are_blackholes_until_it_starts(
    ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], power: PowerRecord, reaches: Callable[[str, str], None]
) -> None:
    operator = ec2.operator()
    table = vpc.route_tables["a"]
    operator.create_route(RouteTableId=table, DestinationCidrBlock=OVERLAY, InstanceId=hosts["node1"])

    def told() -> str:
        routes = operator.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return str(routes[-1]["State"])

    operator.stop_instances(InstanceIds=[hosts["node1"]])
    reaches(hosts["node1"], "stopped")
    assert told() == "blackhole"
    operator.start_instances(InstanceIds=[hosts["node1"]])
    reaches(hosts["node1"], "running")
    assert told() == "active"


def test_a_terminated_instance_takes_its_primary_eni_along_and_frees_the_others(
    ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], power: PowerRecord, reaches: Callable[[str, str], None]
) -> None:
    operator = ec2.operator()
    eni = operator.create_network_interface(SubnetId=vpc.subnets["a"])["NetworkInterface"]["NetworkInterfaceId"]
    operator.attach_network_interface(NetworkInterfaceId=eni, InstanceId=hosts["node1"], DeviceIndex=1)
    operator.terminate_instances(InstanceIds=[hosts["node1"]])
    reaches(hosts["node1"], "terminated")
    assert {e.id for e in ec2.vpc().enis if e.subnet_id == vpc.subnets["a"]} == {eni}
    answer = operator.describe_instances(InstanceIds=[hosts["node1"]])
    assert answer["Reservations"][0]["Instances"][0]["NetworkInterfaces"] == []
    assert error_of(operator.stop_instances, InstanceIds=[hosts["node1"]]) == "IncorrectInstanceState"
    # Its address is free again.
    ec2.run_instance("again", vpc.subnets["a"], private_ip="10.0.1.11")


def test_an_eni_that_is_to_end_with_its_instance_does(
    ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str], power: PowerRecord, reaches: Callable[[str, str], None]
) -> None:
    operator = ec2.operator()
    eni = operator.create_network_interface(SubnetId=vpc.subnets["a"])["NetworkInterface"]["NetworkInterfaceId"]
    wanted = {"NetworkInterfaceId": eni, "InstanceId": hosts["node1"], "DeviceIndex": 1}
    attachment = operator.attach_network_interface(**wanted)["AttachmentId"]
    operator.modify_network_interface_attribute(
        NetworkInterfaceId=eni, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True}
    )
    operator.terminate_instances(InstanceIds=[hosts["node1"]])
    reaches(hosts["node1"], "terminated")
    unknown = error_of(operator.describe_network_interfaces, NetworkInterfaceIds=[eni])
    assert unknown == "InvalidNetworkInterfaceID.NotFound"


def test_stopping_several_instances_is_all_or_nothing(ec2: Ec2, hosts: dict[str, str], power: PowerRecord) -> None:
    both = [hosts["node1"], "i-00000000000000000"]
    assert error_of(ec2.operator().stop_instances, InstanceIds=both) == "InvalidInstanceID.NotFound"
    assert state(ec2, hosts["node1"]) == "running"


def test_instances_are_found_by_name_state_and_address(ec2: Ec2, vpc: BuiltVpc, hosts: dict[str, str]) -> None:
    operator = ec2.operator()

    def found(**filters: str) -> list[str]:
        conditions = [{"Name": n.replace("_", "-"), "Values": [v]} for n, v in filters.items()]
        reservations = operator.describe_instances(Filters=conditions)["Reservations"]
        return [i["InstanceId"] for reservation in reservations for i in reservation["Instances"]]

    assert found(**{"tag:Name": "node1"}) == [hosts["node1"]]
    assert found(instance_state_name="running", vpc_id=vpc.vpc_id, private_ip_address="10.0.2.12") == [hosts["node2"]]
    assert found(instance_id=hosts["client"]) == [hosts["client"]]
    assert error_of(found, banana="x") == "UnsupportedOperation"


def test_closing_does_not_wait_for_what_has_not_happened(region: Ec2, vpc: BuiltVpc) -> None:
    region.times.stop = 60
    instance = region.run_instance("slow", vpc.subnets["a"])
    region.operator().stop_instances(InstanceIds=[instance])
    began = time.monotonic()
    region.close()
    assert time.monotonic() - began < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "ec2-later"]
