"""The configurations in packaging/examples: each loads as it is, is sound, and fails over."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from vpclab.client.consensus import wait_served_by
from vpclab.client.watch import Watch
from vpclab.hosts import fake_agents
from vpclab.hosts.cib_restore import restore_cib_after
from vpclab.lab import Lab
from vpclab.plan import DEFAULT, ONE_ZONE, Plan
from vpclab.waiting import wait_until

EXAMPLES = Path(__file__).parents[2] / "packaging/examples"
SUFFIXES = (".pcs.sh", ".crm")

ADDRESSES = {
    "OVERLAY_IP": "172.16.52.1",
    "READER_IP": "172.16.52.2",
    "ASCS_IP": "172.16.52.3",
    "ERS_IP": "172.16.52.4",
    "ENI_IP": "10.0.1.50",
}
PATHS = {"EFS": "fs-0123456789abcdef0.efs.eu-central-1.amazonaws.com", "PGBIN": "/usr/bin", "PGDATA": "/var/lib/pgsql"}


@dataclass(frozen=True)
class Example:
    """A configuration: its files, without their suffix, in the order of loading, and addresses by resource.

    leader: the resource that is to fail over. reader: one that is to be where the leader is not. guest: one that is to
    run on node2, and only while the leader is not there. plan: of the lab.
    """

    files: tuple[str, ...]
    addresses: dict[str, str]
    leader: str
    reader: str | None = None
    guest: str | None = None
    plan: Plan = DEFAULT


EXAMPLE = {
    "sap-hana-read-enabled": Example(
        ("sap-hana-performance-optimised", "sap-hana-read-enabled"),
        {"rsc_ip_PRD_HDB00": "OVERLAY_IP", "rsc_ip_PRD_HDB00_readenabled": "READER_IP"},
        leader="rsc_ip_PRD_HDB00",
        reader="rsc_ip_PRD_HDB00_readenabled",
    ),
    "sap-hana-cost-optimised": Example(
        ("sap-hana-cost-optimised",),
        {"rsc_ip_PRD_HDB00": "OVERLAY_IP"},
        leader="rsc_ip_PRD_HDB00",
        guest="rsc_SAP_QAS_HDB10",
    ),
    "sap-ascs-ers": Example(
        ("sap-ascs-ers",),
        {"rsc_ip_PRD_ASCS00": "ASCS_IP", "rsc_ip_PRD_ERS10": "ERS_IP"},
        leader="rsc_ip_PRD_ASCS00",
        reader="rsc_ip_PRD_ERS10",
    ),
    "postgresql": Example(("postgresql",), {"overlay-ip": "OVERLAY_IP"}, leader="overlay-ip"),
    "eni-pair": Example(("eni-pair",), {"eni": "ENI_IP"}, leader="eni", plan=ONE_ZONE),
}


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A cluster without fencing, which each example brings along, with stand-ins for the databases, and with an ENI."""
    with Lab(request.param) as lab:
        fake_agents.install(lab.nodes.values())
        lab.create_eni("a", ADDRESSES["ENI_IP"])
        yield lab


@pytest.fixture(scope="module")
def watch(lab: Lab) -> Iterator[Watch]:
    """A client of all addresses."""
    with lab.watch(*ADDRESSES.values()) as watch:
        yield watch


def filled(lab: Lab, text: str) -> str:
    """An example with the values of the lab in the place of its placeholders."""
    values = ADDRESSES | PATHS | {"REGION": lab.plan.region, "ROUTE_TABLES": ",".join(lab.route_tables.values())}
    for number, node in enumerate(lab.nodes.values(), 1):
        values |= {f"NODE{number}": node.name, f"NODE{number}_ID": node.id}
    values |= {"ENI": eni.id for eni in lab.ec2.vpc().enis if ADDRESSES["ENI_IP"] in eni.addresses}
    return re.sub("@([A-Z0-9_]+)@", lambda found: values[found[1]], text)


def load(lab: Lab, file: str) -> None:
    """Load an example as its first lines say."""
    node = lab.nodes["node1"]
    text = filled(lab, (EXAMPLES / file).read_text())
    if "skip_os_shutdown" not in lab.cluster.run("fence_aws", "-o", "metadata"):
        text = text.replace("skip_os_shutdown=true ", "")
    node.write(f"root/{file}", text)
    if file.endswith(".sh"):
        node.run("sh", f"/root/{file}")
    else:
        told = node.run("crm", "configure", "load", "update", f"/root/{file}")
        # Crmsh 4 does not know all attributes that Pacemaker 2.1 has.
        said = [line for line in (told.stdout + told.stderr).splitlines() if "unknown attribute 'critical'" not in line]
        assert said == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "lab, name", [pytest.param(EXAMPLE[name].plan, name, id=name) for name in EXAMPLE], indirect=["lab"]
)
def test_an_example_loads_without_a_warning_and_fails_over(lab: Lab, watch: Watch, name: str, suffix: str) -> None:
    example = EXAMPLE[name]
    with restore_cib_after(lab.cluster):
        for file in example.files:
            load(lab, file + suffix)
        lab.cluster.settled(120)
        (first,) = lab.cluster.resource_runs_on(example.leader)
        wait_served(lab, watch, example, leader=first, reader=lab.other(first))
        verified = lab.nodes["node1"].run("crm_verify", "--live-check", "-V", check=False)
        assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
        require_recovery_values(lab, example)

        lab.cluster.pcs("node", "standby", first)
        wait_served(lab, watch, example, leader=lab.other(first), reader=lab.other(first))
        lab.cluster.pcs("node", "unstandby", first)
        wait_served(lab, watch, example, leader=lab.other(first), reader=first)
        assert not lab.cluster.failures()


def require_recovery_values(lab: Lab, example: Example) -> None:
    """Each resource of ours comes back by itself, gives up against a rival, and looks at all that EC2 can drop.

    docs/values.md says why.
    """
    cib = ElementTree.fromstring(lab.cluster.run("cibadmin", "--query", "--scope", "resources"))
    for name in example.addresses:
        resource = cib.find(f".//primitive[@id='{name}']")
        assert resource is not None
        meta = {pair.get("name"): pair.get("value") for pair in resource.iterfind("./meta_attributes/nvpair")}
        assert (meta["failure-timeout"], meta["migration-threshold"]) == ("600", "3")
        levels = [pair.get("value") for pair in resource.iterfind(".//op/*/nvpair[@name='OCF_CHECK_LEVEL']")]
        assert levels == ["10"]


def wait_served(lab: Lab, watch: Watch, example: Example, *, leader: str, reader: str) -> None:
    """Wait until the addresses of an example are on these nodes."""
    for resource, address in example.addresses.items():
        node = reader if resource == example.reader else leader
        wait_served_by(lab, watch, node, resource, ADDRESSES[address])
    if example.guest:
        guests = {"node2"} if reader == "node2" and leader != "node2" else set()
        wait_until(lambda: lab.cluster.resource_runs_on(str(example.guest)) == guests, 90, lab.cluster.status)


def test_no_example_is_left_out() -> None:
    tested = {file + suffix for example in EXAMPLE.values() for file in example.files for suffix in SUFFIXES}
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix != ".md"} == tested
