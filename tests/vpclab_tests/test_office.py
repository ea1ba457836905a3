"""The way from an office into the VPC, as the emulated EC2 describes it: real packets, namespaces in place of hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from vpclab import sandbox
from vpclab.ec2 import Ec2
from vpclab.network import iproute
from vpclab.network.network import Network
from vpclab.network.on_premises import OnPremises
from vpclab.plan import DEFAULT, OFFICE, BuiltVpc, build_vpc, run_hosts
from vpclab.waiting import wait_until
from vpclab_tests.answers import answer_at, inside, says_its_name

pytestmark = pytest.mark.skipif(
    not sandbox.inside(),
    reason="needs root and a sandbox: python3 tests/vpclab/sandbox.py pytest ...",
)

IP = "192.168.10.10"
CIDR = f"{IP}/32"
NODES = {"node1": "10.0.1.11", "node2": "10.0.2.12"}


@dataclass
class Way:
    """An emulated EC2 with an office, the network that follows it, and who answers."""

    ec2: Ec2
    vpc: BuiltVpc
    ids: dict[str, str]

    def send(self, table: str, host: str) -> None:
        """Let a route table send the overlay IP to a host."""
        eni = next(e.id for e in self.ec2.vpc().enis if e.instance_id == self.ids[host])
        try:
            self.ec2.operator().delete_route(RouteTableId=self.vpc.route_tables[table], DestinationCidrBlock=CIDR)
        except self.ec2.operator().exceptions.ClientError:
            pass
        self.ec2.operator().create_route(
            RouteTableId=self.vpc.route_tables[table], DestinationCidrBlock=CIDR, NetworkInterfaceId=eni
        )

    @property
    def transit_gateway_table(self) -> dict[str, str]:
        """The parameter of calls that names it."""
        assert self.vpc.office
        return {"TransitGatewayRouteTableId": self.vpc.office.transit_gateway_route_table_id}


@pytest.fixture
def way() -> Iterator[Way]:
    """A VPC and an office; both nodes have the overlay IP, and no table has a route for it."""
    plan = replace(DEFAULT, office=OFFICE)
    with ExitStack() as stack:
        ec2 = Ec2(plan.region)
        stack.callback(ec2.close)
        network = Network()
        stack.callback(network.close)
        vpc = build_vpc(ec2, plan)
        assert vpc.office
        ids = run_hosts(ec2, plan, vpc)
        network.sync(ec2.vpc())
        ec2.on_change = lambda: network.sync(ec2.vpc())
        office = OnPremises(network, vpc.office.vpn_attachment_id, OFFICE.cidr, OFFICE.address)
        stack.callback(office.close)
        for name in (*NODES, "office"):
            iproute.add_namespace(name)
            stack.callback(iproute.delete_namespace, name)
            if name == "office":
                office.connect(name, name)
                continue
            network.connect(ids[name], name)
            stack.enter_context(says_its_name(name, "0.0.0.0"))
            iproute.ip(name, [f"address add {CIDR} dev ens5"])
            eni = next(e.id for e in ec2.vpc().enis if e.instance_id == ids[name])
            ec2.operator().modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
        yield Way(ec2, vpc, ids)


def wait_answer(address: str, host: str) -> None:
    """Wait until a host answers the office at an address: five links away, and on a busy machine, that can take a while."""
    wait_until(lambda: answer_at(address, "office") == host, 10, lambda: f"{host} does not answer at {address}")


@pytest.mark.parametrize("host", NODES)
def test_the_office_reaches_the_vpcs_own_addresses(way: Way, host: str) -> None:
    wait_answer(NODES[host], host)


def test_the_tables_of_the_attachments_subnets_decide_who_answers_the_office(way: Way) -> None:
    way.send("clients", "node1")
    assert answer_at(IP, "office") is None

    for host in ("node1", "node2", "node1"):
        for table in ("a", "b"):
            way.send(table, host)
        wait_answer(IP, host)


def test_without_a_static_route_packets_for_the_address_vanish_in_the_transit_gateway(way: Way) -> None:
    for table in way.vpc.route_tables:
        way.send(table, "node1")
    way.ec2.operator().delete_transit_gateway_route(
        **way.transit_gateway_table, DestinationCidrBlock=OFFICE.overlay_cidr
    )
    said = inside("office", "ping", "-nc1", "-W", "0.3", IP).stdout
    assert "100% packet loss" in said and "nreachable" not in said
    wait_answer(NODES["node1"], "node1")

    assert way.vpc.office
    way.ec2.operator().create_transit_gateway_route(
        **way.transit_gateway_table,
        DestinationCidrBlock=CIDR,
        TransitGatewayAttachmentId=way.vpc.office.vpc_attachment_id,
    )
    wait_answer(IP, "node1")


def test_a_blackhole_in_the_transit_gateway_wins_over_a_wider_route(way: Way) -> None:
    for table in way.vpc.route_tables:
        way.send(table, "node1")
    way.ec2.operator().create_transit_gateway_route(
        **way.transit_gateway_table, DestinationCidrBlock=CIDR, Blackhole=True
    )
    assert answer_at(IP, "office") is None


def test_replies_need_a_route_to_the_office_in_the_table_of_the_nodes_subnet(way: Way) -> None:
    for table in way.vpc.route_tables:
        way.send(table, "node1")
    wait_answer(IP, "node1")

    way.ec2.operator().delete_route(RouteTableId=way.vpc.route_tables["a"], DestinationCidrBlock=OFFICE.cidr)
    assert answer_at(IP, "office") is None
    wait_answer(NODES["node2"], "node2")


def test_replies_need_the_attachment_in_the_zone_of_the_node(way: Way) -> None:
    for table in way.vpc.route_tables:
        way.send(table, "node2")
    wait_answer(IP, "node2")

    assert way.vpc.office
    way.ec2.operator().modify_transit_gateway_vpc_attachment(
        TransitGatewayAttachmentId=way.vpc.office.vpc_attachment_id, RemoveSubnetIds=[way.vpc.subnets["b"]]
    )
    assert answer_at(IP, "office") is None
    wait_answer(NODES["node1"], "node1")

    way.ec2.operator().modify_transit_gateway_vpc_attachment(
        TransitGatewayAttachmentId=way.vpc.office.vpc_attachment_id, AddSubnetIds=[way.vpc.subnets["b"]]
    )
    wait_answer(IP, "node2")
