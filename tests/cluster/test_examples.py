"""The configurations in packaging/examples: each loads as it is, is sound, and fails over."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocf_aws.cli.cluster.cib_xml import parse_cib, seconds
from vpclab.client.consensus import wait_served_by
from vpclab.client.watch import Watch
from vpclab.hosts import fake_agents
from vpclab.hosts.cib_restore import restore_cib_after
from vpclab.hosts.examples import EXAMPLES, SUFFIXES, fill, load, run
from vpclab.lab import Lab
from vpclab.plan import DEFAULT, ONE_ZONE, Plan

ADDRESSES = {
    "OVERLAY_IP": "172.16.52.1",
    "READER_IP": "172.16.52.2",
    "ASCS_IP": "172.16.52.3",
    "ERS_IP": "172.16.52.4",
    "ENI_IP": "10.0.1.50",
}
PATHS = {
    "EFS": "fs-0123456789abcdef0.efs.eu-central-1.amazonaws.com",
    "NFS": "svm-0123456789abcdef0.fs-0123456789abcdef0.fsx.eu-central-1.amazonaws.com:/sybase",
    "PGBIN": "/usr/bin",
    "PGDATA": "/var/lib/pgsql/data",
    "PGCONFDIR": "/var/lib/pgsql/data",
    "PGCONFIG": "/var/lib/pgsql/data/postgresql.conf",
    "PGTMP": "/var/lib/pgsql/tmp",
}
# Nodes that an example has and the lab has not.
MORE_NODES = {f"NODE{number}": f"node{number}" for number in (3, 4, 5)}
MORE_NODES |= {f"{place}_ID": f"i-0123456789abcdef{place[-1]}" for place in MORE_NODES}


Attributes = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Example:
    """A configuration: its files, without their suffix, in the order of loading, and addresses by resource.

    leader: the resource that is to fail over. reader: one that is to be where the leader is not. guest: one that is to
    run on node2, and only while the leader is not there. maintained: one that is in maintenance at first. plan: of the
    lab. is_short: it stands for others in `make test`.
    """

    files: tuple[str, ...]
    addresses: dict[str, str]
    leader: str
    reader: str | None = None
    guest: str | None = None
    maintained: str | None = None
    plan: Plan = DEFAULT
    is_short: bool = True


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
        is_short=False,
    ),
    "sap-hana-scale-up": Example(
        ("sap-hana-scale-up",),
        {"rsc_ip_PRD_HDB00": "OVERLAY_IP"},
        leader="rsc_ip_PRD_HDB00",
        maintained="rsc_SAPHanaCon_PRD_HDB00",
        is_short=False,
    ),
    "sap-hana-scale-out": Example(
        ("sap-hana-scale-out",),
        {"rsc_ip_PRD_HDB00": "OVERLAY_IP"},
        leader="rsc_ip_PRD_HDB00",
        maintained="rsc_SAPHanaCon_PRD_HDB00",
        is_short=False,
    ),
    "sap-ascs-ers-simple-mount": Example(
        ("sap-ascs-ers-simple-mount",),
        {"rsc_ip_PRD_ASCS00": "ASCS_IP", "rsc_ip_PRD_ERS10": "ERS_IP"},
        leader="rsc_ip_PRD_ASCS00",
        reader="rsc_ip_PRD_ERS10",
        is_short=False,
    ),
    "sap-ase": Example(("sap-ase",), {"rsc_ip_PRD": "OVERLAY_IP"}, leader="rsc_ip_PRD", is_short=False),
    "db2-hadr": Example(("db2-hadr",), {"rsc_ip_PRD": "OVERLAY_IP"}, leader="rsc_ip_PRD", is_short=False),
    "sql-server-ag": Example(("sql-server-ag",), {"overlay-ip": "OVERLAY_IP"}, leader="overlay-ip", is_short=False),
    "postgresql-paf": Example(("postgresql-paf",), {"overlay-ip": "OVERLAY_IP"}, leader="overlay-ip", is_short=False),
    "overlay-ip-pair": Example(("overlay-ip-pair",), {"overlay-ip": "OVERLAY_IP"}, leader="overlay-ip", is_short=False),
    "three-nodes": Example(("three-nodes",), {"overlay-ip": "OVERLAY_IP"}, leader="overlay-ip", is_short=False),
    "sap-ascs-ers": Example(
        ("sap-ascs-ers",),
        {"rsc_ip_PRD_ASCS00": "ASCS_IP", "rsc_ip_PRD_ERS10": "ERS_IP"},
        leader="rsc_ip_PRD_ASCS00",
        reader="rsc_ip_PRD_ERS10",
    ),
    "postgresql": Example(("postgresql",), {"overlay-ip": "OVERLAY_IP"}, leader="overlay-ip", is_short=False),
    "sap-ascs-ers-ensa1": Example(
        ("sap-ascs-ers", "sap-ascs-ers-ensa1"),
        {"rsc_ip_PRD_ASCS00": "ASCS_IP", "rsc_ip_PRD_ERS10": "ERS_IP"},
        leader="rsc_ip_PRD_ASCS00",
        reader="rsc_ip_PRD_ERS10",
        is_short=False,
    ),
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


@pytest.fixture(scope="module")
def made() -> dict[str, Attributes]:
    """What each example makes, by the first of its files that a test has loaded."""
    return {}


def values(lab: Lab) -> dict[str, str]:
    """What the placeholders stand for here, beside what the lab itself knows."""
    enis = {"ENI": eni.id for eni in lab.ec2.vpc().enis if ADDRESSES["ENI_IP"] in eni.addresses}
    return ADDRESSES | PATHS | MORE_NODES | enis


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "lab, name",
    [
        pytest.param(example.plan, name, id=name, marks=() if example.is_short else pytest.mark.acceptance)
        for name, example in EXAMPLE.items()
    ],
    indirect=["lab"],
)
def test_an_example_loads_without_a_warning_and_fails_over(
    lab: Lab, watch: Watch, made: dict[str, Attributes], name: str, suffix: str
) -> None:
    example = EXAMPLE[name]
    with restore_cib_after(lab.cluster):
        for file in example.files:
            load(lab, file + suffix, values(lab))
        if suffix == ".pcs.sh":
            require_no_change_by_another_run(lab, example.files[-1] + suffix)
        lab.cluster.settled(120)
        verified = lab.nodes["node1"].run("crm_verify", "--live-check", "-V", check=False)
        assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
        require_recovery_values(lab, example)
        require_that_no_failure_expires_during_an_action(lab)
        attributes = meta_attributes(lab)
        assert made.setdefault(name, attributes) == attributes, "pcs and crm make different resources of it"
        if example.maintained:
            assert lab.cluster.resource_runs_on(example.maintained) == set()
            lab.cluster.run("crm_resource", "-r", example.maintained, "--meta", "--delete-parameter", "maintenance")
            lab.cluster.settled(120)
        (first,) = lab.cluster.resource_runs_on(example.leader)
        wait_served(lab, watch, example, leader=first, reader=lab.other(first))

        lab.cluster.pcs("node", "standby", first)
        wait_served(lab, watch, example, leader=lab.other(first), reader=lab.other(first))
        lab.cluster.pcs("node", "unstandby", first)
        wait_served(lab, watch, example, leader=lab.other(first), reader=first)
        assert not lab.cluster.failures()


def meta_attributes(lab: Lab) -> Attributes:
    """Meta attributes by resource: pcs can set a clone's on what it clones. A clone's own name is the vendor's choice."""
    cib = ElementTree.fromstring(lab.cluster.run("cibadmin", "--query", "--scope", "resources"))
    found: Attributes = {}
    for resource in cib.iter():
        pairs = {pair.get("name", ""): pair.get("value", "") for pair in resource.findall("./meta_attributes/nvpair")}
        # By default a clone has as many instances as there are nodes.
        pairs.pop("clone-max", None)
        cloned = resource.find("./primitive") if resource.tag == "clone" else None
        name = resource.get("id", "") if cloned is None else f"clone of {cloned.get('id')}"
        if pairs:
            found[name] = pairs
    return found


def require_recovery_values(lab: Lab, example: Example) -> None:
    """Each resource of ours comes back by itself, gives up against a rival, and looks at all that EC2 can drop.

    docs/values.md says why.
    """
    cib = ElementTree.fromstring(lab.cluster.run("cibadmin", "--query"))
    followers = {each.resource for each in parse_cib(cib).colocations if each.is_with_primary}
    for name in example.addresses:
        resource = cib.find(f".//primitive[@id='{name}']")
        assert resource is not None
        meta = {pair.get("name"): pair.get("value") for pair in resource.iterfind("./meta_attributes/nvpair")}
        # A ban of an address that follows a primary would move that too.
        threshold = "5000" if name in followers else "3"
        assert (meta["failure-timeout"], meta["migration-threshold"]) == ("600", threshold)
        levels = [pair.get("value") for pair in resource.iterfind(".//op/*/nvpair[@name='OCF_CHECK_LEVEL']")]
        assert levels == ["10"]


def require_that_no_failure_expires_during_an_action(lab: Lab) -> None:
    """Otherwise Pacemaker forgets a start that still runs, and starts the resource elsewhere too: docs/values.md."""
    cib = parse_cib(ElementTree.fromstring(lab.cluster.run("cibadmin", "--query")))
    for each in cib.primitives:
        expires = seconds(each.meta.get("failure-timeout"))
        names = ["start", "stop"] + ["promote"] * each.is_promotable
        assert not expires or expires > max(cib.timeout(each, name) for name in names), each.id


def wait_served(lab: Lab, watch: Watch, example: Example, *, leader: str, reader: str) -> None:
    """Wait until the addresses of an example are on these nodes."""
    for resource, address in example.addresses.items():
        node = reader if resource == example.reader else leader
        wait_served_by(lab, watch, node, resource, ADDRESSES[address])
    if example.guest:
        guests = {"node2"} if reader == "node2" and leader != "node2" else set()
        lab.cluster.wait_until(lambda: lab.cluster.resource_runs_on(str(example.guest)) == guests, 90)


def configuration(lab: Lab) -> str:
    """The cluster's configuration."""
    return lab.cluster.run("cibadmin", "--query", "--scope", "configuration")


def require_no_change_by_another_run(lab: Lab, file: str) -> None:
    before = configuration(lab)
    told = run(lab, file, (lab.nodes["node1"].root / "root" / file).read_text())
    assert told.stdout.startswith("Nothing done: ") and told.stdout.endswith(" is there already.\n")
    assert configuration(lab) == before


@pytest.mark.parametrize("lab", [DEFAULT], indirect=True)
def test_a_pcs_example_that_stops_halfway_changes_nothing(lab: Lab) -> None:
    before = configuration(lab)
    file = "postgresql.pcs.sh"
    text = (EXAMPLES / file).read_text()
    unfilled = run(lab, file, text, check=False)
    assert (unfilled.returncode, unfilled.stderr) == (1, "Nothing done: replace each word between two @ first.\n")
    # Everything before the address is made by then.
    stopped = run(lab, file, fill(lab, text, values(lab) | {"ROUTE_TABLES": ""}), check=False)
    assert stopped.returncode == 1 and "routing_table" in stopped.stderr
    assert configuration(lab) == before


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.pcs.sh")), ids=lambda file: file.name)
def test_each_pcs_example_is_all_or_nothing(file: Path) -> None:
    text = file.read_text()
    places = set(re.findall(r"^(\w+)=@[A-Z0-9_]+@", text, re.MULTILINE))
    refused, built, pushed = re.split(r"^(?:pcs\(\) .*|crm_verify .*)$", text, flags=re.MULTILINE)
    refusal = re.search(r'^case "([^"]*)" in\n    \*@\*\) .* exit 1 ;;\n', refused, re.MULTILINE)
    assert set(re.findall(r"\$(\w+)", refusal[1] if refusal else "")) == places
    assert {line.split()[0] for line in built.splitlines() if line.startswith(("pcs", "crm", "cib"))} == {"pcs"}
    assert pushed.startswith('\ncommand pcs cluster cib-push "$after" diff-against="$before"\n')


def test_no_example_is_left_out() -> None:
    tested = {file + suffix for example in EXAMPLE.values() for file in example.files for suffix in SUFFIXES}
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix in (".crm", ".sh")} == tested
