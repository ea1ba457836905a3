"""`ocf-aws migrate` in a running cluster: the type changes, the address stays, and no packet is lost, killed at any step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from vpclab.client.watch import Watch
from vpclab.lab import Lab
from vpclab.waiting import wait_until

RESOURCES = {"pcs": ("rsc_ip_pcs", "192.168.10.10"), "crm": ("rsc_ip_crm", "192.168.10.20")}
OLD, NEW = "heartbeat:aws-vpc-move-ip", "aws:aws-overlay-ip"

OPERATIONS = "op start interval=0 timeout=180 op stop interval=0 timeout=180 op monitor interval=10 timeout=60"
PARAMETERS = "ip={ip} routing_table={tables} interface=ens5"
CREATE = {
    "pcs": f"pcs resource create {{name}} ocf:{OLD} {PARAMETERS} {OPERATIONS}",
    "crm": f"crm -F configure primitive {{name}} ocf:{OLD} params {PARAMETERS} {OPERATIONS}",
}

# Kills the one who runs it, at the N-th command that changes something: before it, or when it is done.
KILLER = """\
#!/bin/sh
case "$*" in *--modify*|*--delete*|*--refresh*) ;; *) exec /usr/sbin/{tool} "$@" ;; esac
echo >> /root/killer/count
[ "$(wc -l < /root/killer/count)" = {number} ] || exec /usr/sbin/{tool} "$@"
[ {when} = before ] || /usr/sbin/{tool} "$@"
kill -9 $PPID
"""


@pytest.fixture(scope="module")
def watch(lab: Lab) -> Iterator[Watch]:
    """A client of resources as they were created for the old agent, by each tool, which serve it from node1."""
    table = lab.route_tables["clients"]
    for _, ip in RESOURCES.values():
        lab.ec2.operator().create_route(
            RouteTableId=table, DestinationCidrBlock=f"{ip}/32", NetworkInterfaceId=lab.primary_eni("node2")
        )
    group = lab.ec2.operator().describe_security_groups()["SecurityGroups"][0]["GroupId"]
    permission = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
    lab.ec2.operator().authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    for node in lab.nodes.values():
        node.write("root/.aws/config", f"[default]\nregion = {lab.plan.region}\noutput = text\n")
    lab.cluster.pcs("resource", "defaults", "update", "resource-stickiness=1000")
    with lab.watch(*(ip for _, ip in RESOURCES.values())) as watch:
        for tool, (name, ip) in RESOURCES.items():
            lab.cluster.run(*CREATE[tool].format(name=name, ip=ip, tables=table).split())
            lab.cluster.pcs("constraint", "location", name, "prefers", "node1=INFINITY")
        for _, ip in RESOURCES.values():
            watch.wait_until_answers(ip, "node1", 180)
        lab.cluster.settled(180)
        yield watch


def type_of(lab: Lab, name: str) -> str:
    primitive = lab.cluster.run("cibadmin", "--query", "--xpath", f"//primitive[@id='{name}']").partition(">")[0]
    return ":".join(re.search(f'{key}="([^"]*)"', primitive)[1] for key in ("provider", "type"))  # type: ignore[index]


def migrate(lab: Lab, name: str, *words: str, check: bool = True, path: str = "/usr/sbin:/usr/bin:/sbin:/bin") -> str:
    done = lab.nodes["node1"].run("ocf-aws", "migrate", name, *words, check=check, env={"PATH": path}, timeout=300)
    return done.stdout + done.stderr


def assert_undisturbed(lab: Lab, watch: Watch, ip: str, since: float) -> None:
    lab.cluster.settled(120)
    assert not lab.cluster.failures()
    assert watch.answering(ip) == "node1" and not watch.outages(since=since)
    assert not lab.ec2.calls.named("ReplaceRoute", "CreateRoute", "DeleteRoute") or all(
        call.outcome == "DryRunOperation" for call in lab.ec2.calls.named("ReplaceRoute", "CreateRoute", "DeleteRoute")
    )


@pytest.mark.parametrize("tool", RESOURCES)
def test_it_shows_its_steps_does_them_and_goes_back_without_a_lost_packet(lab: Lab, watch: Watch, tool: str) -> None:
    name, ip = RESOURCES[tool]
    start = watch.record.end
    lab.ec2.calls.clear()
    shown = migrate(lab, name)
    assert "Would do (--apply does it" in shown and "1 put" in shown
    assert type_of(lab, name) == OLD
    print(migrate(lab, name, "--apply"))
    assert type_of(lab, name) == NEW
    assert_undisturbed(lab, watch, ip, start)
    assert "already" in migrate(lab, name, "--apply")
    migrate(lab, name, "--revert", "--apply")
    assert type_of(lab, name) == OLD
    assert_undisturbed(lab, watch, ip, start)


# Killed after a change, it leaves what it leaves when it is killed before the next one: at first nothing, at last all.
REPEATED = {(1, "before"), (1, "after"), (2, "after"), (3, "after"), (4, "after")}


@pytest.mark.parametrize(
    ("number", "when"),
    [
        pytest.param(number, when, marks=[pytest.mark.acceptance] if (number, when) in REPEATED else [])
        for number in (1, 2, 3, 4)
        for when in ("before", "after")
    ],
)
def test_killed_at_a_step_it_is_run_again_and_finishes(lab: Lab, watch: Watch, number: int, when: str) -> None:
    name, ip = RESOURCES["pcs"]
    node = lab.nodes["node1"]
    start = watch.record.end
    lab.ec2.calls.clear()
    node.remove("root/killer")
    for tool in ("cibadmin", "crm_resource"):
        node.write(f"root/killer/{tool}", KILLER.format(tool=tool, number=number, when=when), mode=0o755)
    migrate(lab, name, "--apply", check=False, path="/root/killer:/usr/sbin:/usr/bin:/sbin:/bin")
    assert (node.root / "root/killer/count").read_text().count("\n") == number
    migrate(lab, name, "--apply")
    assert type_of(lab, name) == NEW
    assert "ocf-aws-migrate" not in lab.cluster.run("cibadmin", "--query")
    assert_undisturbed(lab, watch, ip, start)
    migrate(lab, name, "--revert", "--apply")
    assert type_of(lab, name) == OLD
    assert_undisturbed(lab, watch, ip, start)


def test_it_refuses_where_check_fails_unless_told(lab: Lab, watch: Watch) -> None:
    name, _ = RESOURCES["crm"]
    lab.ec2.operator().modify_network_interface_attribute(
        NetworkInterfaceId=lab.primary_eni("node1"), SourceDestCheck={"Value": True}
    )
    try:
        told = migrate(lab, name, "--apply", check=False)
    finally:
        lab.ec2.operator().modify_network_interface_attribute(
            NetworkInterfaceId=lab.primary_eni("node1"), SourceDestCheck={"Value": False}
        )
    assert "Refused" in told and "--no-source-dest-check" in told
    assert type_of(lab, name) == OLD
    # What EC2 dropped meanwhile is no other test's outage.
    back = watch.wait_until_answers(RESOURCES["crm"][1], "node1", 30)
    wait_until(lambda: watch.record.end > back + 1, 30, lambda: "no report of the client")


def test_where_the_new_agent_is_missing_it_goes_back(lab: Lab, watch: Watch) -> None:
    name, ip = RESOURCES["crm"]
    start = watch.record.end
    lab.ec2.calls.clear()
    node = lab.nodes["node1"]
    agent = "/usr/lib/ocf/resource.d/aws/aws-overlay-ip"
    # Found by the command, and run by nobody.
    node.run("chmod", "-x", agent)
    try:
        told = migrate(lab, name, "--apply", check=False)
    finally:
        node.run("chmod", "+x", agent)
    assert "went back" in told
    assert type_of(lab, name) == OLD
    lab.cluster.run("crm_resource", "--cleanup", "--resource", name)
    assert_undisturbed(lab, watch, ip, start)


def test_the_other_members_of_its_group_are_not_probed_anew(lab: Lab, watch: Watch) -> None:
    name, ip = RESOURCES["pcs"]
    lab.cluster.pcs("resource", "create", "member", "ocf:pacemaker:Dummy", "op", "monitor", "interval=10")
    lab.cluster.pcs("resource", "group", "add", "service", "member", name)
    watch.wait_until_answers(ip, "node1", 90)
    lab.cluster.settled(120)
    start = watch.record.end
    lab.ec2.calls.clear()
    before = history_of(lab, "member")
    migrate(lab, name, "--apply")
    assert type_of(lab, name) == NEW
    migrate(lab, name, "--revert", "--apply")
    assert_undisturbed(lab, watch, ip, start)
    assert history_of(lab, "member") == before != set()
    lab.cluster.pcs("resource", "ungroup", "service")
    lab.cluster.pcs("resource", "delete", "member")


def history_of(lab: Lab, name: str) -> set[str]:
    """What Pacemaker remembers of each call of a resource's agent, whose numbers only grow."""
    status = lab.cluster.run("cibadmin", "--query", "--scope", "status")
    found = re.search(f'<lrm_resource id="{name}".*?</lrm_resource>', status, re.DOTALL)
    return set(re.findall(r'(?:transition-key|call-id)="[^"]*"', found[0])) if found else set()


def test_check_and_status_see_the_live_cluster(lab: Lab, watch: Watch) -> None:
    name, ip = RESOURCES["crm"]
    migrate(lab, name, "--apply")
    node = lab.nodes["node1"]
    found = json.loads(node.run("ocf-aws", "check", name, "--output", "json", check=False).stdout)["results"]
    assert not [each for each in found if each["status"] in ("failed", "unknown")]
    (view,) = json.loads(node.run("ocf-aws", "status", name, "--output", "json", check=False).stdout)["results"]
    assert view["cluster"] == "Started node1" and view["kernel"] == f"node1: ens5 {ip}/32, up"

    follow = node.popen("timeout", "120", "ocf-aws", "status", name, "--watch", stdout=-1)
    lab.cluster.pcs("node", "standby", "node1")
    watch.wait_until_answers(ip, "node2", 90)
    lab.cluster.settled(120)
    told: list[str] = []

    def has_seen() -> bool:
        assert follow.stdout
        told.append(follow.stdout.readline())
        return "Started node2" in told[-1]

    wait_until(has_seen, 90, lambda: "".join(told))
    follow.kill()
    follow.wait()
    assert any("node1: not here" in line for line in told) or "Started node2" in told[-1]
    lab.cluster.pcs("node", "unstandby", "node1")
