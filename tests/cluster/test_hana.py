"""The shape of an SAP HANA cluster, with the constraints of AWS's guides: addresses that follow the database's roles.

One follows the promoted instance; a second one, for readers, follows the other instance while there is one.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vpclab.client.consensus import wait_served_by
from vpclab.client.watch import Watch
from vpclab.hosts.cib_restore import restore_cib_after
from vpclab.lab import Lab

DATABASE = "rsc_SAPHana_HDB_HDB00"
PRIMARY, PRIMARY_IP = "rsc_ip_HDB_HDB00", "172.16.52.1"
READER, READER_IP = "rsc_ip_HDB_HDB00_readenabled", "172.16.52.2"

PCS = """\
resource defaults update resource-stickiness=1000 migration-threshold=5000
resource op defaults update timeout=600
resource create rsc_SAPHanaTopology_HDB_HDB00 ocf:pacemaker:Dummy clone
resource meta rsc_SAPHanaTopology_HDB_HDB00-clone clone-node-max=1 interleave=true
resource create rsc_SAPHana_HDB_HDB00 ocf:pacemaker:Stateful meta priority=100 promotable
resource meta rsc_SAPHana_HDB_HDB00-clone notify=true clone-max=2 clone-node-max=1 interleave=true
resource create rsc_ip_HDB_HDB00 ocf:aws:aws-overlay-ip ip=172.16.52.1 routing_table={tables} interface=ens5 \
 op start interval=0 timeout=180 op stop interval=0 timeout=180 op monitor interval=60 timeout=60
resource create rsc_ip_HDB_HDB00_readenabled ocf:aws:aws-overlay-ip ip=172.16.52.2 routing_table={tables} \
 interface=ens5 op start interval=0 timeout=180 op stop interval=0 timeout=180 op monitor interval=60 timeout=60
constraint order start rsc_SAPHanaTopology_HDB_HDB00-clone then rsc_SAPHana_HDB_HDB00-clone symmetrical=false
constraint colocation add rsc_ip_HDB_HDB00 with Promoted rsc_SAPHana_HDB_HDB00-clone 2000
constraint colocation add rsc_ip_HDB_HDB00_readenabled with Unpromoted rsc_SAPHana_HDB_HDB00-clone 2000
"""

CRM = """\
rsc_defaults rsc-options: resource-stickiness=1000 migration-threshold=5000
op_defaults op-options: timeout=600
primitive rsc_SAPHanaTopology_HDB_HDB00 ocf:pacemaker:Dummy op monitor interval=10 timeout=600
clone cln_SAPHanaTopology_HDB_HDB00 rsc_SAPHanaTopology_HDB_HDB00 meta clone-node-max=1 interleave=true
primitive rsc_SAPHana_HDB_HDB00 ocf:pacemaker:Stateful meta priority=100 \\
    op monitor interval=60 role=Promoted timeout=700 op monitor interval=61 role=Unpromoted timeout=700
clone msl_SAPHana_HDB_HDB00 rsc_SAPHana_HDB_HDB00 \\
    meta promotable=true notify=true clone-max=2 clone-node-max=1 interleave=true
primitive rsc_ip_HDB_HDB00 ocf:aws:aws-overlay-ip params ip=172.16.52.1 routing_table="{tables}" interface=ens5 \\
    op start interval=0 timeout=180 op stop interval=0 timeout=180 op monitor interval=60 timeout=60
primitive rsc_ip_HDB_HDB00_readenabled ocf:aws:aws-overlay-ip \\
    params ip=172.16.52.2 routing_table="{tables}" interface=ens5 \\
    op start interval=0 timeout=180 op stop interval=0 timeout=180 op monitor interval=60 timeout=60
colocation col_ip_HDB_HDB00 2000: rsc_ip_HDB_HDB00:Started msl_SAPHana_HDB_HDB00:Promoted
colocation col_ip_HDB_HDB00_readenabled 2000: rsc_ip_HDB_HDB00_readenabled:Started msl_SAPHana_HDB_HDB00:Unpromoted
order ord_SAPHana_HDB_HDB00 Optional: cln_SAPHanaTopology_HDB_HDB00 msl_SAPHana_HDB_HDB00
"""

CLONES = {"pcs": "rsc_SAPHana_HDB_HDB00-clone", "crm": "msl_SAPHana_HDB_HDB00"}


@pytest.fixture(scope="module", params=CLONES)
def clone(lab: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """The promotable clone of a cluster that is configured with one tool or the other."""
    tables = ",".join(lab.route_tables.values())
    with restore_cib_after(lab.cluster):
        if request.param == "pcs":
            for command in PCS.format(tables=tables).splitlines():
                lab.cluster.pcs(*command.split())
        else:
            lab.nodes["node1"].write("root/hana.crm", CRM.format(tables=tables))
            lab.cluster.crm("configure", "load", "update", "/root/hana.crm")
        lab.cluster.settled()
        yield CLONES[request.param]


@pytest.fixture(scope="module")
def watch(lab: Lab) -> Iterator[Watch]:
    """A client of both addresses."""
    with lab.watch(PRIMARY_IP, READER_IP) as watch:
        yield watch


@pytest.fixture
def primary(lab: Lab, watch: Watch, clone: str) -> str:
    """The node whose instance is promoted; the addresses are where they belong, as they are after each test."""
    primary = promoted(lab)
    assert primary
    wait_both_served(lab, watch, primary, lab.other(primary))
    return primary


def promoted(lab: Lab) -> str | None:
    """The node whose instance of the database is promoted."""
    # A node that has its power back knows nothing yet.
    for line in lab.cluster.run("crm_resource", "--resource", DATABASE, "--locate", check=False).splitlines():
        place, _, role = line.strip().rpartition(" ")
        if role in ("Promoted", "Master"):
            return place.split()[-1]
    return None


def wait_both_served(lab: Lab, watch: Watch, primary: str, reader: str) -> None:
    """Wait until the promoted instance and its address are on one node, and the readers' address where it is to be."""
    lab.cluster.wait_until(lambda: promoted(lab) == primary, 90)
    wait_served_by(lab, watch, primary, PRIMARY, PRIMARY_IP)
    wait_served_by(lab, watch, reader, READER, READER_IP)


def test_the_addresses_swap_when_another_instance_is_promoted(lab: Lab, watch: Watch, clone: str, primary: str) -> None:
    lab.cluster.run("crm_resource", "--resource", clone, "--ban", "--promoted", "--node", primary)
    wait_both_served(lab, watch, lab.other(primary), primary)
    lab.cluster.run("crm_resource", "--resource", clone, "--clear", "--promoted", "--node", primary)
    lab.cluster.settled()
    wait_both_served(lab, watch, lab.other(primary), primary)
    assert not lab.cluster.failures()


def test_a_standby_of_the_primary_leaves_both_addresses_to_the_other(lab: Lab, watch: Watch, primary: str) -> None:
    lab.cluster.pcs("node", "standby", primary)
    wait_both_served(lab, watch, lab.other(primary), lab.other(primary))
    lab.cluster.pcs("node", "unstandby", primary)
    wait_both_served(lab, watch, lab.other(primary), primary)
    assert not lab.cluster.failures()


@pytest.mark.parametrize("clone", ["pcs"], indirect=True)
def test_a_primary_without_power_is_fenced_and_its_address_follows_the_promotion(
    lab: Lab, watch: Watch, primary: str
) -> None:
    # On EC2 a node takes a minute to be back. Here it would be back before another instance is promoted.
    lab.cluster.pcs("property", "set", "stonith-action=off")
    survivor = lab.other(primary)
    lab.ec2.calls.clear()
    lab.nodes[primary].off()
    wait_both_served(lab, watch, survivor, survivor)
    assert {call.caller for call in lab.ec2.calls.named("StopInstances")} == {lab.nodes[survivor].id}
    lab.ec2.operator().start_instances(InstanceIds=[lab.nodes[primary].id])
    lab.cluster.wait_online(90)
    wait_both_served(lab, watch, survivor, primary)
