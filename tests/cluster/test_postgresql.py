"""The PostgreSQL examples with the database and the agents themselves: no acknowledged transaction is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from vpclab.client.consensus import wait_served_by
from vpclab.client.watch import Watch
from vpclab.client.writer import Writer
from vpclab.hosts import postgresql
from vpclab.hosts.examples import SUFFIXES, load
from vpclab.hosts.instance import Instance
from vpclab.lab import Lab
from vpclab.waiting import wait_until

IP = "172.16.52.1"
EXAMPLES = ("postgresql", "postgresql-paf")

pytestmark = pytest.mark.acceptance


@pytest.fixture
def lab(in_sandbox: None) -> Iterator[Lab]:
    """A cluster without fencing, which each example brings along; a new one: pgsql leaves attributes that PAF obeys."""
    with Lab() as lab:
        yield lab


@pytest.fixture
def pair(lab: Lab, request: pytest.FixtureRequest) -> str:
    """The name of an example that serves a pair of databases with synchronous replication."""
    name, suffix = request.param
    node1, node2 = lab.nodes.values()
    settings, access = {"node1": "", "node2": ""}, ""
    if name == "postgresql-paf":
        settings = {
            node: f"primary_conninfo = 'host={IP} user=replicator application_name={node} connect_timeout=10'\n"
            "synchronous_standby_names = '*'\n"
            for node in settings
        }
        # The address is beside a standby for a moment: none may replicate from itself.
        access = f"host replication all {IP}/32 reject\n"
    postgresql.create_pair(node1, node2, settings, access)
    load(lab, name + suffix, {**postgresql.PLACES, "OVERLAY_IP": IP})
    # The agent looks three times whose data is the newest before it lets one become the primary.
    lab.cluster.wait_until(lambda: len(lab.cluster.resource_runs_on("overlay-ip")) == 1, 180)
    return str(name)


def wait_synchronous(lab: Lab, primary: str) -> None:
    """Wait until the primary waits for its standby with each commit, and the agent would promote the standby."""

    def sync_state() -> str:
        return postgresql.sql(lab.nodes[primary], "SELECT sync_state FROM pg_stat_replication")

    def score() -> int:
        # The agents learn some seconds later of it, and promote nobody whom they do not know to have all.
        query = ("--node", lab.other(primary), "--name", "master-postgresql", "--query", "--quiet", "--default", "-1")
        # One keeps it for ever, the other until the node leaves.
        said = [lab.cluster.run("crm_attribute", "--lifetime", how, *query).strip() for how in ("forever", "reboot")]
        return max(int(word.replace("INFINITY", "1000000")) for word in said)

    wait_until(lambda: sync_state() == "sync" and score() > 0, 120, lambda: f"{sync_state()} {lab.cluster.status()}")


def rebuild(lab: Lab, node: str) -> None:
    """Copy a database that has failed anew from the primary, as a person does."""
    lab.cluster.pcs("node", "standby", node)
    lab.cluster.settled(120)
    postgresql.copy(lab.nodes[node], lab.other(node))
    lab.nodes[node].remove(f"{postgresql.PLACES['PGTMP']}/PGSQL.lock")
    lab.cluster.pcs("resource", "cleanup", "postgresql")
    lab.cluster.pcs("node", "unstandby", node)


def has_started(node: Instance) -> bool:
    """Whether a node has power and has started its services."""
    try:
        return node.run("test", "-d", "/run/postgresql", check=False).returncode == 0
    except RuntimeError:
        return False  # it has no power yet


def return_rebuilt(lab: Lab, name: str) -> None:
    """Start a node that was lost without its cluster, copy its database anew, and let it join, as a person does.

    PAF takes a primary that crashed for a failed one, and the cluster fences the node again.
    """
    node = lab.nodes[name]
    service = node.root / "etc/vpclab/boot.d/cluster"
    service.chmod(0o644)
    lab.ec2.operator().start_instances(InstanceIds=[node.id])
    lab.cluster.wait_until(lambda: has_started(node), 60)
    postgresql.copy(node, lab.other(name))
    node.remove(f"{postgresql.PLACES['PGTMP']}/PGSQL.lock")
    service.chmod(0o755)
    node.popen("/etc/vpclab/boot.d/cluster", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.cluster.wait_online(120)
    lab.cluster.pcs("resource", "cleanup", "postgresql")


@pytest.mark.parametrize(
    "pair",
    [pytest.param((name, suffix), id=name + suffix) for name in EXAMPLES for suffix in SUFFIXES],
    indirect=True,
)
def test_a_move_and_a_node_loss_lose_no_acknowledged_transaction(lab: Lab, pair: str) -> None:
    (first,) = lab.cluster.resource_runs_on("overlay-ip")
    second = lab.other(first)
    with lab.watch(IP) as watch, Writer(lab.client, IP) as writer:
        serve(lab, watch, writer, first)

        lab.cluster.pcs("node", "standby", first)
        wait_served_by(lab, watch, second, "overlay-ip", IP)
        if pair == "postgresql":
            # The agent lets the primary go on alone, and does not trust the data of the one before.
            writer.wait_progress()
            rebuild(lab, first)
        lab.cluster.pcs("node", "unstandby", first)
        serve(lab, watch, writer, second)

        # On EC2 a node takes a minute to be back. Here it would be back before the other one is promoted.
        lab.cluster.pcs("property", "set", "stonith-action=off")
        lab.nodes[second].off()
        wait_served_by(lab, watch, first, "overlay-ip", IP)
        return_rebuilt(lab, second)
        serve(lab, watch, writer, first)
    lost = set(writer.acknowledged()) - set(map(int, postgresql.sql(lab.nodes[first], "SELECT n FROM written").split()))
    assert not lost
    assert not lab.cluster.failures()


def serve(lab: Lab, watch: Watch, writer: Writer, primary: str) -> None:
    """Wait until the address is at the primary, which has a synchronous standby and takes what the client writes."""
    wait_served_by(lab, watch, primary, "overlay-ip", IP)
    wait_synchronous(lab, primary)
    writer.wait_progress()
