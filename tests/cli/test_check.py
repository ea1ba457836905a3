"""`ocf-aws check`: what it says of a healthy node, how fast, and that it changes nothing."""

from __future__ import annotations

import subprocess

import pytest

from cli.conftest import CIDR, REMOTE_NODES, UNKNOWN_PEERS
from vpclab.ec2 import effects
from vpclab.plan import ONE_ZONE

HEALTHY = {"passed", "not applicable"}


def test_a_healthy_node_passes_before_there_is_a_cluster(node) -> None:
    told = node.check(*node.overlay_ip())
    assert told.statuses() == HEALTHY, told.stdout
    assert told.status == 0


def test_a_healthy_node_passes_with_the_parameters_of_the_live_configuration(node) -> None:
    node.create_cluster()
    node.create_routes()
    told = node.check("rsc_ip")
    assert told.statuses() == HEALTHY, told.stdout
    assert told.status == 0
    assert [each["name"] for each in node.check().results] == [each["name"] for each in told.results]


@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
def test_a_healthy_node_passes_for_an_eni(node) -> None:
    make_ready_for_enis(node)
    told = node.check("rsc_ip")
    assert told.statuses() == HEALTHY, told.stdout
    assert told.status == 0


def make_ready_for_enis(node, **parameters: str) -> str:
    """A free ENI, in the definition of rsc_ip, and udev; returns its id."""
    subprocess.run(["mkdir", "-p", "/run/udev"], check=True)
    subprocess.run(["touch", "/run/udev/control"], check=True)
    answer = node.lab.ec2.operator().create_network_interface(
        SubnetId=node.lab.vpc.subnets["a"], PrivateIpAddress="10.0.1.50"
    )
    eni = str(answer["NetworkInterface"]["NetworkInterfaceId"])
    node.create_cluster("aws-eni-move", eni_id=eni, **parameters)
    return eni


def test_resources_in_groups_and_clones_and_templates_are_found(node) -> None:
    node.create_cluster()
    node.edit_cib('<primitive id="rsc_ip"', '<clone id="c"><group id="g"><primitive id="rsc_ip"')
    node.edit_cib("</primitive>\n    </resources>", "</primitive></group></clone>\n    </resources>")
    node.edit_cib('"rsc_ip" with-rsc', '"c" with-rsc')
    assert {each["resource"] for each in node.check().results} == {"rsc_ip"}


def test_a_name_that_is_not_there_is_a_wrong_command_line(node) -> None:
    node.create_cluster()
    told = node.run("check", "rsc_pi")
    assert (told.status, told.stdout) == (2, "")
    assert told.stderr == "ocf-aws: no resource is called 'rsc_pi'; of ours there are: rsc_ip\n"


def test_without_a_cluster_it_says_how_to_name_the_parameters(node) -> None:
    told = node.run("check")
    assert told.status == 3
    assert "aws-overlay-ip ip=... routing_table=..." in told.stderr and told.stderr.count("\n") == 1


def test_twenty_tables_are_asked_side_by_side(node) -> None:
    operator = node.lab.ec2.operator()
    vpc_id = node.lab.vpc.vpc_id
    more = [operator.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"] for _ in range(17)]
    tables = ",".join([node.tables(), *more])
    with node.lab.ec2.faults.add(effect=effects.Delay(0.05)):
        told = min(
            (node.check(*node.overlay_ip(routing_table=tables)) for _ in range(3)), key=lambda each: each.seconds
        )
    assert told.status == 0
    assert len(node.lab.ec2.calls.named("CreateRoute")) == 60
    print(f"20 tables at 50 ms a call: {told.seconds:.2f} s")


def test_nothing_is_changed(node) -> None:
    before = node.lab.addresses()
    node.check(*node.overlay_ip(source_dest_check="disable", delete_route_on_stop="true"))
    assert node.lab.addresses() == before
    writing = [call for call in node.lab.ec2.calls if not call.action.startswith("Describe")]
    assert writing and all(call.outcome == "DryRunOperation" for call in writing)


@pytest.mark.parametrize("effect", [effects.Hang(), effects.Reset(), effects.Garbage(), effects.Garbage(200)], ids=repr)
def test_without_an_answer_of_ec2_it_is_unknown_within_seconds(node, effect) -> None:
    node.create_cluster()
    with node.lab.ec2.faults.add(effect=effect):
        told = node.check("rsc_ip")
    assert told.status in (1, 3) and "unknown" in told.statuses()
    assert {each["status"] for each in told.named("endpoint")} == {"unknown"}
    assert {each["status"] for each in told.named("tables")} == {"unknown"}
    assert not [each for each in told.results if each["status"] == "failed"], told.stdout
    assert told.seconds < 15


@pytest.mark.parametrize("region, domain", [("cn-north-1", "amazonaws.com.cn"), ("us-gov-west-1", "amazonaws.com")])
def test_an_endpoint_that_does_not_answer_is_told_with_its_domain(node, region: str, domain: str) -> None:
    (endpoint,) = node.check(*node.overlay_ip(region=region)).named("endpoint")
    assert endpoint["status"] == "unknown" and f"curl -sv https://ec2.{region}.{domain} " in endpoint["remedy"]


def test_without_an_answer_of_imds_it_is_unknown_within_seconds(node) -> None:
    node.lab.imds.dead.add(node.lab.instance_id)
    told = node.check(*node.overlay_ip())
    assert {each["status"] for each in told.named("imds")} == {"unknown"}
    assert not [each for each in told.results if each["status"] == "failed"], told.stdout
    assert (told.status, told.seconds < 15) == (3, True)


def test_text_has_no_colours_where_it_is_no_terminal(node) -> None:
    told = node.run("check", "--all", *node.overlay_ip())
    assert "\033" not in told.stdout
    assert told.stdout.splitlines()[-2].endswith(" passed.")
    assert "ok       tables: " in told.stdout


def test_a_terminal_gets_colours_unless_they_are_unwanted(node) -> None:
    def shown(prefix: str) -> str:
        words = " ".join(node.overlay_ip())
        command = f"{prefix} /usr/bin/python3 -B -m ocf_aws.cli.main check {words}"
        environ = {**node.variables(), "PYTHONPATH": "lib", "TERM": "xterm"}
        return subprocess.run(
            ["script", "-qec", command, "/dev/null"], env=environ, capture_output=True, text=True
        ).stdout

    assert "\033[32mok" in shown("")
    assert "\033" not in shown("NO_COLOR=1")


def test_without_a_resource_no_remedy_names_one(node) -> None:
    words = ("region=eu-west-1", "endpoint_url=http://127.0.0.1:9", "iflabel=overlay-addr", "routing_tables=rtb-1")
    told = node.run("check", *node.overlay_ip(), *words)
    for remedy in (
        "region='eu-central-1'",
        "endpoint_url='https://127.0.0.1:9'",
        "leave iflabel out",
        "leave routing_tables out",
    ):
        assert remedy in told.stdout
    assert "--resource" not in told.stdout


# --- a standby node that does not know which instance the active one is ------------------------------------------------


def serve_on_node2(node) -> None:
    """The resource runs on the other node, and everybody says so."""
    node.create_cluster()
    node.create_routes("node2")
    node.report("node2")


@pytest.mark.parametrize("forget", UNKNOWN_PEERS, ids=lambda each: each.__name__)
def test_an_instance_that_may_be_the_active_node_is_unknown_and_never_a_stranger(node, forget) -> None:
    serve_on_node2(node)
    forget(node)
    node.answer_elsewhere()
    told = node.check("rsc_ip")
    known_by = {"ocf-aws policy --with-check", "aws ec2 create-tags --resources INSTANCE --tags Key=Name,Value=node2"}
    for name in ("routes", "ip-answers"):
        findings = told.named(name)
        assert {each["status"] for each in findings} == {"unknown"}, findings
        assert {each["remedy"] for each in findings} <= known_by
    assert len(told.named("routes")) == 3
    assert node.lab.hosts["node2"] in told.named("routes")[0]["detail"]
    assert "replace-route" not in told.stdout


@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
@pytest.mark.parametrize("forget", UNKNOWN_PEERS, ids=lambda each: each.__name__)
def test_the_eni_of_an_instance_that_may_be_the_active_node_stays_there(node, forget) -> None:
    attach_to_node2(node, make_ready_for_enis(node))
    forget(node)
    told = node.check("rsc_ip")
    assert [each["status"] for each in told.named("eni-holder")] == ["unknown"]
    assert "detach-network-interface" not in told.stdout


def attach_to_node2(node, eni: str) -> None:
    """The ENI is attached to the other node, which runs the resource."""
    node.lab.ec2.times.attach = 0
    node.lab.ec2.operator().attach_network_interface(
        NetworkInterfaceId=eni, InstanceId=node.lab.hosts["node2"], DeviceIndex=1, NetworkCardIndex=0
    )
    node.report("node2")


@pytest.mark.parametrize("kind", REMOTE_NODES)
def test_a_node_of_pacemaker_remote_is_a_node(node, kind) -> None:
    serve_on_node2(node)
    node.make_remote(REMOTE_NODES[kind])
    told = node.check("rsc_ip")
    assert told.statuses() == HEALTHY, told.stdout
    assert all("node2" in each["detail"] for each in told.named("routes"))


def test_two_instances_are_two_nodes_whatever_they_are_called(node) -> None:
    serve_on_node2(node)
    node.lab.ec2.operator().replace_route(
        RouteTableId=node.tables("b"), DestinationCidrBlock=CIDR, NetworkInterfaceId=node.lab.eni
    )
    node.forget_instance("node2")
    (finding,) = [each for each in node.check("rsc_ip").named("routes") if each["status"] == "failed"]
    assert "the tables disagree" in finding["detail"] and finding["remedy"].endswith("--restart")


# --- an address that is not on the primary ENI -------------------------------------------------------------------------


def test_a_healthy_node_passes_where_the_second_enis_carry_the_address(node) -> None:
    node.serve_by_second_enis()
    told = node.check("rsc_ip")
    assert told.statuses() == HEALTHY, told.stdout


def test_the_check_of_the_eni_that_carries_the_address_counts(node) -> None:
    enis = node.serve_by_second_enis()
    node.lab.ec2.operator().modify_network_interface_attribute(
        NetworkInterfaceId=enis["node2"], SourceDestCheck={"Value": True}
    )
    (finding,) = node.check("rsc_ip").named("peers-source-dest-check")
    assert finding["status"] == "failed" and enis["node2"] in finding["remedy"]


def test_where_the_device_indexes_differ_the_routes_tell_which_eni_carries_the_address(node) -> None:
    node.serve_by_second_enis(index=2)
    assert node.check("rsc_ip").statuses() == HEALTHY
    for table in node.lab.vpc.route_tables:
        node.lab.ec2.operator().delete_route(RouteTableId=node.tables(table), DestinationCidrBlock=CIDR)
    (finding,) = node.check("rsc_ip").named("peers-source-dest-check")
    assert finding["status"] == "unknown" and "describe-network-interfaces" in finding["remedy"]


# --- commands that change a route --------------------------------------------------------------------------------------


def remedy_for_a_blackhole(node) -> str:
    """What check prints where the route of one table leads to an ENI that nobody has."""
    operator = node.lab.ec2.operator()
    created = operator.create_network_interface(SubnetId=node.lab.vpc.subnets["a"])["NetworkInterface"]
    operator.replace_route(
        RouteTableId=node.tables("b"), DestinationCidrBlock=CIDR, NetworkInterfaceId=created["NetworkInterfaceId"]
    )
    (finding,) = [each for each in node.check("rsc_ip").named("routes") if each["status"] == "failed"]
    return str(finding["remedy"])


@pytest.mark.parametrize("host", ["node1", "node2"])
def test_a_route_is_to_lead_to_the_node_that_serves(node, host) -> None:
    node.create_cluster()
    node.create_routes(host)
    node.report(host)
    remedy = remedy_for_a_blackhole(node)
    assert remedy.endswith(f"--network-interface-id {node.lab.primary_eni(host)}")
    node.shell(remedy)
    assert {each["status"] for each in node.check("rsc_ip").named("routes")} == {"passed"}


def test_a_route_is_to_lead_to_the_eni_that_carries_the_address(node) -> None:
    enis = node.serve_by_second_enis()
    assert remedy_for_a_blackhole(node).endswith(f"--network-interface-id {enis['node2']}")


@pytest.mark.parametrize("nodes", [["node2"], ["node1", "node2"]], ids=["unknown instance", "two nodes"])
def test_a_person_names_the_eni_where_it_is_not_known_which_node_serves(node, nodes) -> None:
    serve_on_node2(node)
    node.report(*nodes)
    node.forget_instance("node2")
    assert remedy_for_a_blackhole(node).endswith("--network-interface-id ENI_OF_THE_ACTIVE_NODE")
