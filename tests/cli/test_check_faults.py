"""What goes wrong on the first day, planted one at a time: `check` finds it, and its remedy, applied, makes it pass.

A fault is planted in a sound node, whose cluster has the resource rsc_ip. Where a remedy cannot run in a test (a package to
install, a service to restart), the test does by hand what it says, and looks that it says it.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vpclab.ec2 import effects
from vpclab.plan import ONE_ZONE

IP = "192.168.10.10"
CIDR = f"{IP}/32"

# What a person fills into a remedy.
WORDS = {
    "PORT": "30015",
    "CLIENTS": "10.0.0.0/16",
    "ADDRESS_OUTSIDE_THE_VPC": "192.168.20.99",
    "INTERFACE": "ens5",
}

ACTIONS = """
    DescribeInstanceTypes DescribeInstances DescribeNetworkAcls DescribeNetworkInterfaces DescribeRouteTables
    DescribeSecurityGroups DescribeSubnets DescribeVpcs ReplaceRoute CreateRoute DeleteRoute ModifyNetworkInterfaceAttribute
    AttachNetworkInterface DetachNetworkInterface StartInstances StopInstances
""".split()


@dataclass(frozen=True)
class Fault:
    """A fault: its name, the check that is to find it, and what the remedy has to say.

    plant: makes it. repair: does by hand what the remedy says, where that cannot run here. status: of the finding.
    """

    name: str
    check: str
    remedy: str
    plant: Callable[[Any], None]
    repair: Callable[[Any], None] | None = None
    status: str = "failed"
    prepare: Callable[[Any], None] | None = None


FAULTS: list[Fault] = []
ENI_FAULTS: list[Fault] = []
FOUND: list[tuple[str, str, str, str]] = []
TABLE = "Planted fault; the check that finds it; as what; how its remedy was applied, after which the check passes"


def fault(
    check: str, remedy: str, *, repair: Any = None, status: str = "failed", eni: bool = False, prepare: Any = None
) -> Any:
    def register(plant: Callable[[Any], None]) -> Callable[[Any], None]:
        name = plant.__name__.replace("_", " ")
        (ENI_FAULTS if eni else FAULTS).append(Fault(name, check, remedy, plant, repair, status, prepare))
        return plant

    return register


def allow_all_but(node: Any, *actions: str) -> None:
    """A policy without these actions, which a remedy may complete."""
    allowed = [f"ec2:{each}" for each in ACTIONS if each not in actions]
    node.policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    node.lab.ec2.allow(node.lab.instance_id, node.policy)


def delete_routes(node: Any, *names: str) -> None:
    for name in names or node.lab.vpc.route_tables:
        node.lab.ec2.operator().delete_route(RouteTableId=node.tables(name), DestinationCidrBlock=CIDR)


# --- identity ---------------------------------------------------------------------------------------------------------


@fault("imds", "modify-instance-metadata-options", repair=lambda node: node.lab.imds.disabled.clear())
def imds_is_disabled(node: Any) -> None:
    node.lab.imds.disabled.add(node.lab.instance_id)


@fault("imds", "curl --noproxy", repair=lambda node: node.lab.imds.dead.clear(), status="unknown")
def imds_does_not_answer(node: Any) -> None:
    node.lab.imds.dead.add(node.lab.instance_id)


def give_role(node: Any) -> None:
    del node.lab.imds._metadata


@fault("role", "associate-iam-instance-profile", repair=give_role)
def the_instance_has_no_role(node: Any) -> None:
    tell = node.lab.imds._metadata

    def without_role(instance_id: str, lag: float) -> Any:
        tree = tell(instance_id, lag)
        return {"latest": {**tree["latest"], "meta-data": {**tree["latest"]["meta-data"], "iam": {}}}}

    node.lab.imds._metadata = without_role


@fault("credentials", "aws sts get-caller-identity", repair=lambda node: node.lab.ec2.faults.clear())
def the_credentials_are_refused(node: Any) -> None:
    node.lab.ec2.faults.add(effect=effects.Error("AuthFailure"))


@fault("clock", "chronyc makestep", repair=lambda node: set_clock(node, 0))
def the_clock_is_far_off(node: Any) -> None:
    set_clock(node, 400)


@fault("clock", "chronyc makestep", repair=lambda node: set_clock(node, 0), status="warning")
def the_clock_drifts(node: Any) -> None:
    set_clock(node, -60)


def set_clock(node: Any, seconds: float) -> None:
    node.lab.ec2.state.clock_ahead = seconds


@fault("region", "--set-parameter region --parameter-value 'eu-central-1'")
def the_region_is_another(node: Any) -> None:
    node.set(region="eu-west-1")


@fault(
    "endpoint",
    "curl -sv https://127.0.0.1:9",
    repair=lambda node: node.set(endpoint_url=node.lab.ec2.endpoint),
    status="unknown",
)
def the_endpoint_is_out_of_reach(node: Any) -> None:
    node.set(endpoint_url="https://127.0.0.1:9")


@fault("encryption", "--set-parameter endpoint_url --parameter-value 'https://", status="warning")
def the_endpoint_is_not_encrypted(node: Any) -> None:
    node.set(endpoint_url=node.lab.ec2.endpoint)


PACEMAKER = Path("/etc/default/pacemaker")


@fault("proxy", "echo no_proxy=", status="warning")
def the_proxy_would_be_asked_for_imds(node: Any) -> None:
    PACEMAKER.write_text(PACEMAKER.read_text() + "https_proxy=http://127.0.0.1:3128\n")


@fault("proxy", "http://proxy:3128 >> /etc/default/pacemaker", status="warning")
def only_the_shell_has_the_proxy(node: Any) -> None:
    node.environ["https_proxy"] = "http://user:secret@proxy:3128"


@fault("parameters", "--delete-parameter routing_tables")
def a_parameter_is_misspelt(node: Any) -> None:
    node.set(routing_tables="rtb-1")


@fault("parameters", "crm_resource --show-metadata", repair=lambda node: node.set(create_route="true"))
def a_value_is_wrong(node: Any) -> None:
    node.set(create_route="perhaps")


def hide(node: Any, module: str) -> None:
    """Let a module be missing for the command: one that cannot be imported comes first."""
    directory = node.directory / "hidden"
    directory.mkdir(exist_ok=True)
    (directory / f"{module}.py").write_text(f"raise ImportError(\"No module named '{module}'\")\n")
    from vpclab.checkout import CHECKOUT

    node.environ["PYTHONPATH"] = f"{directory}:{CHECKOUT / 'lib'}"


def show(node: Any) -> None:
    node.environ.pop("PYTHONPATH")


@fault("boto3", "python3-boto3", repair=show)
def boto3_is_missing(node: Any) -> None:
    hide(node, "boto3")


@fault("pyroute2", "python3-pyroute2", repair=show, eni=True)
def pyroute2_is_missing(node: Any) -> None:
    hide(node, "pyroute2")


# --- rights -----------------------------------------------------------------------------------------------------------


@fault("rights-describe", '"ec2:DescribeRouteTables"')
def route_tables_may_not_be_described(node: Any) -> None:
    allow_all_but(node, "DescribeRouteTables")


@fault("rights-describe", "ec2:DescribeNetworkInterfaces", status="warning")
def interfaces_may_not_be_described(node: Any) -> None:
    allow_all_but(node, "DescribeNetworkInterfaces")


@fault("rights-routes", "ec2:ReplaceRoute")
def routes_may_not_be_replaced(node: Any) -> None:
    allow_all_but(node, "ReplaceRoute")


@fault("rights-routes", "ec2:CreateRoute", prepare=delete_routes)
def routes_may_not_be_created(node: Any) -> None:
    allow_all_but(node, "CreateRoute")


@fault("rights-routes", "ec2:DeleteRoute")
def routes_may_not_be_deleted(node: Any) -> None:
    node.set(delete_route_on_stop="true")
    allow_all_but(node, "DeleteRoute")


@fault("rights-source-dest-check", "ec2:ModifyNetworkInterfaceAttribute")
def the_check_may_not_be_turned_off(node: Any) -> None:
    node.set(source_dest_check="disable")
    allow_all_but(node, "ModifyNetworkInterfaceAttribute")


@fault("rights-fencing", "ec2:StopInstances")
def nodes_may_not_be_stopped(node: Any) -> None:
    allow_all_but(node, "StopInstances")


@fault("rights-fencing", "ec2:StartInstances")
def nodes_may_not_be_started(node: Any) -> None:
    allow_all_but(node, "StartInstances")


# --- network ----------------------------------------------------------------------------------------------------------


@fault("link", "--set-parameter interface --parameter-value 'ens5'")
def the_interface_has_another_name(node: Any) -> None:
    node.set(interface="eth0")


@fault("link", "ip link set ens5 up")
def the_link_is_down(node: Any) -> None:
    node.shell("ip link set ens5 down")


@fault("link", "--delete-parameter iflabel")
def the_label_is_too_long(node: Any) -> None:
    node.set(iflabel="overlay-addr")


@fault("ip-own", "--set-parameter ip")
def the_address_is_the_nodes_own(node: Any) -> None:
    node.shell(f"ip address add {IP}/24 dev ens5")


@fault("ip-outside-vpc", "--set-parameter ip")
def the_address_is_inside_the_vpc(node: Any) -> None:
    node.set(ip="10.0.77.1")


@fault("ip-on-no-eni", "aws ec2 unassign-private-ip-addresses")
def another_eni_has_the_address(node: Any) -> None:
    node.lab.ec2.operator().assign_private_ip_addresses(
        NetworkInterfaceId=node.lab.primary_eni("node2"), PrivateIpAddresses=["10.0.2.77"]
    )
    node.set(ip="10.0.2.77")


@fault("ip-here", f"ip address del {CIDR} dev lo")
def the_address_is_on_another_link(node: Any) -> None:
    node.shell(f"ip address add {CIDR} dev lo")


@fault("ip-here", f"ip address del {CIDR} dev ens5")
def somebody_else_added_the_address(node: Any) -> None:
    node.shell(f"ip address add {CIDR} dev ens5")


@fault(
    "ip-answers",
    "ip neighbour show",
    repair=lambda node: node.shell("ip netns del elsewhere"),
    prepare=delete_routes,
)
def something_else_answers(node: Any) -> None:
    node.answer_elsewhere()


@fault("ipv6", "sysctl -w net.ipv6.conf.ens5.disable_ipv6=0")
def ipv6_is_disabled(node: Any) -> None:
    node.set(ip="fd00:10::10")
    node.shell("sysctl -qw net.ipv6.conf.ens5.disable_ipv6=1")


@fault("tables", "--set-parameter routing_table")
def a_table_does_not_exist(node: Any) -> None:
    node.set(routing_table=f"{node.tables()},rtb-0123456789abcdef0")


@fault("tables", "--set-parameter routing_table")
def a_table_is_another_vpcs(node: Any) -> None:
    operator = node.lab.ec2.operator()
    vpc_id = operator.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    other = operator.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"][0]
    node.set(routing_table=f"{node.tables()},{other['RouteTableId']}")


@fault("tables", "aws ec2 create-tags", repair=lambda node: node.set(routing_table=node.tables()))
def a_tag_selects_no_table(node: Any) -> None:
    node.set(routing_table="tag:cluster=prd")


@fault("routes", "aws ec2 create-route", prepare=lambda node: delete_routes(node, "clients"))
def a_route_is_missing_and_may_not_be_created(node: Any) -> None:
    node.set(create_route="false")


@fault(
    "routes",
    "withdraw",
    prepare=lambda node: delete_routes(node, "clients"),
    repair=lambda node: node.set(routing_table=node.tables("a", "b")),
)
def a_gateway_propagates_the_route(node: Any) -> None:
    node.lab.ec2.propagate(node.tables("clients"), CIDR, "vgw-0123456789abcdef0")


@fault("routes", "aws ec2 replace-route")
def a_route_is_a_blackhole(node: Any) -> None:
    operator = node.lab.ec2.operator()
    eni = operator.create_network_interface(SubnetId=node.lab.vpc.subnets["a"])["NetworkInterface"][
        "NetworkInterfaceId"
    ]
    operator.replace_route(RouteTableId=node.tables("b"), DestinationCidrBlock=CIDR, NetworkInterfaceId=eni)


@fault("routes", "aws ec2 replace-route", status="warning")
def a_route_leads_out_of_the_cluster(node: Any) -> None:
    steal(node, "client")


@fault("routes", "crm_resource --resource rsc_ip --restart", repair=lambda node: steal(node, "node1"))
def the_tables_disagree(node: Any) -> None:
    steal(node, "node2")


def steal(node: Any, host: str) -> None:
    node.lab.ec2.operator().replace_route(
        RouteTableId=node.tables("b"), DestinationCidrBlock=CIDR, NetworkInterfaceId=node.lab.primary_eni(host)
    )


@fault(
    "table-room",
    "L-93826ACB",
    prepare=lambda node: delete_routes(node, "clients"),
    repair=lambda node: node.create_routes("node1", "clients"),
)
def a_table_is_full(node: Any) -> None:
    operator = node.lab.ec2.operator()
    eni = node.lab.primary_eni("node2")
    for number in range(495):
        cidr = f"172.{16 + number // 250}.{number % 250}.0/24"
        operator.create_route(RouteTableId=node.tables("clients"), DestinationCidrBlock=cidr, NetworkInterfaceId=eni)


@fault("coverage", "# first let the IAM policy allow rtb-", status="warning")
def a_subnets_table_is_left_out(node: Any) -> None:
    node.set(routing_table=node.tables("a", "b"))
    delete_routes(node, "clients")


@fault("coverage", "--set-parameter routing_table", status="warning")
def the_main_tables_subnets_are_left_out(node: Any) -> None:
    node.lab.ec2.operator().create_subnet(
        VpcId=node.lab.vpc.vpc_id, CidrBlock="10.0.50.0/24", AvailabilityZone="eu-central-1a"
    )


@fault("stray-routes", "# first let the IAM policy allow rtb-", status="warning")
def a_table_that_is_not_named_has_a_route(node: Any) -> None:
    node.set(routing_table=node.tables("a", "b"))


def select_by_tag(node: Any, *names: str) -> None:
    """Name all tables by a tag that these have."""
    node.lab.ec2.operator().create_tags(
        Resources=node.tables(*names).split(","), Tags=[{"Key": "cluster", "Value": "prd"}]
    )
    node.set(routing_table="tag:cluster=prd")


@fault("coverage", "--tags Key=cluster,Value=prd   # first let the IAM policy", status="warning")
def a_subnets_table_has_not_the_tag(node: Any) -> None:
    select_by_tag(node, "a", "b")
    delete_routes(node, "clients")


@fault("stray-routes", "--tags Key=cluster,Value=prd   # first let the IAM policy", status="warning")
def a_table_without_the_tag_has_a_route(node: Any) -> None:
    select_by_tag(node, "a", "b")


def check_on(node: Any, host: str) -> None:
    node.lab.ec2.operator().modify_network_interface_attribute(
        NetworkInterfaceId=node.lab.primary_eni(host), SourceDestCheck={"Value": True}
    )


@fault("source-dest-check", "--no-source-dest-check")
def the_source_dest_check_is_on(node: Any) -> None:
    check_on(node, "node1")


@fault("security-groups", "aws ec2 authorize-security-group-ingress")
def the_security_group_lets_nothing_in(node: Any) -> None:
    operator = node.lab.ec2.operator()
    group = operator.describe_security_groups(GroupIds=[node.lab.vpc.security_group_id])["SecurityGroups"][0]
    operator.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])


def remove_acl_entry(node: Any, is_egress: bool) -> None:
    operator = node.lab.ec2.operator()
    acl = operator.describe_network_acls()["NetworkAcls"][0]["NetworkAclId"]
    operator.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=is_egress)


@fault("network-acl", "--ingress")
def the_network_acl_lets_nothing_in(node: Any) -> None:
    remove_acl_entry(node, False)


@fault("network-acl", "--egress")
def the_network_acl_lets_nothing_out(node: Any) -> None:
    remove_acl_entry(node, True)


# --- the other nodes --------------------------------------------------------------------------------------------------


@fault("peers-found", "aws ec2 create-tags", status="warning")
def nobody_says_which_instance_the_other_node_is(node: Any) -> None:
    node.forget_instance("node2")
    WORDS["INSTANCE"] = node.lab.hosts["node2"]


@fault("peers-running", "aws ec2 start-instances", status="warning")
def the_other_node_is_stopped(node: Any) -> None:
    node.lab.ec2.operator().stop_instances(InstanceIds=[node.lab.hosts["node2"]])


@fault("peers-source-dest-check", "--no-source-dest-check")
def the_source_dest_check_is_on_at_the_other_node(node: Any) -> None:
    check_on(node, "node2")


def profile_of(node: Any, profile: Any) -> None:
    with node.lab.ec2.state.change() as backend:
        backend.get_instance(node.lab.hosts["node2"]).iam_instance_profile = profile


@fault(
    "peers-role",
    "associate-iam-instance-profile",
    repair=lambda node: profile_of(node, {"Arn": "arn:aws:iam::1:instance-profile/n"}),
)
def the_other_node_has_no_role(node: Any) -> None:
    profile_of(node, None)


# --- the operating system ---------------------------------------------------------------------------------------------


def enable(unit: str, target: str = "multi-user.target") -> None:
    path = Path(f"/etc/systemd/system/{target}.wants/{unit}")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = Path("/etc/systemd/system", unit)
    if not file.exists():
        file.write_text(f"[Unit]\nDescription=planted\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy={target}\n")
    if not path.is_symlink():
        path.symlink_to(file)


@fault("nm-cloud-setup", "systemctl disable --now nm-cloud-setup.timer")
def nm_cloud_setup_is_enabled(node: Any) -> None:
    enable("nm-cloud-setup.timer", "timers.target")
    enable("nm-cloud-setup.service")
    node.write_program("NetworkManager", "#!/bin/sh\necho 1.40.0\n")
    # systemd does not run here, and there is nothing to stop.
    node.write_program("systemctl", '#!/bin/sh\nexec /usr/bin/systemctl --root=/ "$1" "$3" "$4"\n')


@fault("cloud-netconfig", "CLOUD_NETCONFIG_MANAGE='no'", status="warning")
def cloud_netconfig_manages_the_link(node: Any) -> None:
    enable("cloud-netconfig.timer", "timers.target")


@fault("networkd", "KeepConfiguration=yes", status="warning")
def networkd_removes_what_it_did_not_add(node: Any) -> None:
    # /sys shows the machine's links, not the sandbox's.
    index = subprocess.check_output(["ip", "-oneline", "link", "show", "ens5"], text=True).partition(":")[0]
    Path("/run/systemd/netif/links").mkdir(parents=True)
    Path("/etc/systemd/network").mkdir(parents=True, exist_ok=True)
    Path("/etc/systemd/network/10-ens5.network").write_text("[Match]\nName=ens5\n[Network]\nDHCP=yes\n")
    state = "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10-ens5.network\n"
    Path(f"/run/systemd/netif/links/{index}").write_text(state)
    node.write_program("networkctl", "#!/bin/sh\nexit 0\n")


@fault("rp-filter", "rp_filter=2", status="warning")
def rp_filter_is_strict_on_another_link(node: Any) -> None:
    node.shell(
        "ip link add ens6 type veth peer name wire6; ip link set ens6 up; sysctl -qw net.ipv4.conf.ens6.rp_filter=1"
    )
    node.set(interface="ens6")


# --- the cluster ------------------------------------------------------------------------------------------------------


@fault("timeouts", '<op id="rsc_ip-start" timeout="180s"/>')
def start_has_too_little_time(node: Any) -> None:
    node.edit_cib('name="start" interval="0s" timeout="180s"', 'name="start" interval="0s" timeout="20s"')


@fault("timeouts", '<op id="rsc_ip-stop" timeout="180s"/>')
def stop_has_too_little_time(node: Any) -> None:
    node.edit_cib('name="stop" interval="0s" timeout="180s"', 'name="stop" interval="0s" timeout="10s"')


@fault("timeouts", '<op id="tpl-start" timeout="180s"/>')
def start_has_too_little_time_by_a_template(node: Any) -> None:
    node.edit_cib('<op id="rsc_ip-start" name="start" interval="0s" timeout="180s"/>', "")
    node.edit_cib(
        '<primitive id="rsc_ip" class="ocf" provider="aws" type="aws-overlay-ip"',
        '<primitive id="rsc_ip" template="tpl"',
    )
    node.edit_cib(
        "<resources>",
        '<resources><template id="tpl" class="ocf" provider="aws" type="aws-overlay-ip"><operations>'
        '<op id="tpl-start" name="start" interval="0s" timeout="20s"/></operations></template>',
    )


@fault("timeouts", "op start")
def an_operation_is_not_configured_at_all(node: Any) -> None:
    node.edit_cib('<op id="rsc_ip-start" name="start" interval="0s" timeout="180s"/>', "")


@fault("timeouts", "cibadmin --modify --allow-create")
def an_operation_is_not_configured_at_all_where_there_is_no_pcs(node: Any) -> None:
    an_operation_is_not_configured_at_all(node)
    (node.programs / "pcs").unlink()
    links = node.directory / "tools"
    links.mkdir()
    for tool in ("cibadmin", "crm_resource", "crm_mon", "crm_node", "ping", "ip", "bash", "sh"):
        (links / tool).symlink_to(subprocess.check_output(["which", tool], text=True).strip())
    node.environ["PATH"] = f"{node.programs}:{links}"


@fault("monitor", "op monitor interval=60s")
def nothing_monitors_it(node: Any) -> None:
    node.edit_cib('<op id="rsc_ip-monitor" name="monitor" interval="60s" timeout="60s"/>', "")


@fault("monitor", 'enabled="true"')
def its_monitor_is_disabled(node: Any) -> None:
    # What `pcs resource unmanage --monitor` leaves, and `pcs resource manage` alone does not undo.
    node.edit_cib('name="monitor"', 'name="monitor" enabled="false"')


@fault("monitor", "op monitor interval=61s")
def only_the_nodes_without_it_are_monitored(node: Any) -> None:
    node.edit_cib('name="monitor" interval="60s"', 'name="monitor" interval="60s" role="Stopped"')


def meta(node: Any, name: str, value: str) -> None:
    node.shell(f"crm_resource --resource rsc_ip --meta --set-parameter {name} --parameter-value {value}")


def add_database(node: Any) -> None:
    """A resource that one node has as the primary."""
    node.edit_cib(
        "</resources>",
        '<clone id="db-clone"><meta_attributes id="db-meta"><nvpair id="db-promotable" name="promotable" value="true"/>'
        '</meta_attributes><primitive id="db" class="ocf" provider="pacemaker" type="Stateful"/></clone></resources>',
    )


def property_(node: Any, name: str, value: str) -> None:
    node.shell(f"crm_attribute --type crm_config --name {name} --update {value}")


@fault("failure-handling", "--set-parameter failure-timeout --parameter-value 600", status="warning")
def one_failed_start_bans_the_node_for_ever(node: Any) -> None:
    node.edit_cib('<nvpair id="rsc_ip-failure-timeout" name="failure-timeout" value="600"/>', "")


@fault("failure-handling", "--set-parameter failure-timeout --parameter-value 600", status="warning")
def one_failure_bans_the_node_for_ever(node: Any) -> None:
    property_(node, "start-failure-is-fatal", "false")
    meta(node, "migration-threshold", "1")
    node.edit_cib('name="failure-timeout" value="600"', 'name="failure-timeout" value="0s"')


@fault("failure-handling", "--set-parameter failure-timeout --parameter-value 600")
def a_failure_expires_before_a_start_has_to_end(node: Any) -> None:
    meta(node, "failure-timeout", "3min")


@fault("failure-handling", "--set-parameter failure-timeout --parameter-value 1200")
def a_failure_expires_before_a_stop_has_to_end(node: Any) -> None:
    node.edit_cib('name="stop" interval="0s" timeout="180s"', 'name="stop" interval="0s" timeout="10min"')


@fault("failure-handling", "--set-parameter migration-threshold --parameter-value 5000", status="warning")
def a_ban_of_the_address_would_move_the_primary(node: Any) -> None:
    the_address_follows_nothing(node)
    add_database(node)
    node.edit_cib(
        "<constraints>",
        '<constraints><rsc_colocation id="ip-with-db" rsc="rsc_ip" with-rsc="db-clone" with-rsc-role="Promoted" score="2000"/>',
    )
    meta(node, "migration-threshold", "3")


@fault("stickiness", "--set-parameter resource-stickiness", status="warning")
def nothing_keeps_the_address_where_it_is(node: Any) -> None:
    node.edit_cib('name="resource-stickiness" value="1000"', 'name="resource-stickiness" value="0"')


@fault("managed", "--name maintenance-mode --delete", status="warning")
def the_cluster_is_in_maintenance(node: Any) -> None:
    property_(node, "maintenance-mode", "true")


@fault("managed", "--delete-parameter maintenance", status="warning")
def the_resource_is_in_maintenance(node: Any) -> None:
    meta(node, "maintenance", "true")


@fault("managed", "--delete-parameter is-managed", status="warning")
def the_resource_is_unmanaged(node: Any) -> None:
    meta(node, "is-managed", "false")


@fault("managed", "--delete-parameter target-role", status="warning")
def the_resource_is_disabled(node: Any) -> None:
    meta(node, "target-role", "Stopped")


@fault("managed", "--resource grp --meta --delete-parameter target-role", status="warning")
def its_group_is_disabled(node: Any) -> None:
    node.edit_cib(
        '<primitive id="service"',
        '<group id="grp"><meta_attributes id="grp-meta"><nvpair id="grp-role" name="target-role" value="Stopped"/>'
        '</meta_attributes><primitive id="service"',
    )
    node.edit_cib("</resources>", "</group></resources>")


@fault("managed", "--resource rsc_ip --meta --set-parameter maintenance --parameter-value false", status="warning")
def every_resource_is_in_maintenance(node: Any) -> None:
    node.shell("crm_attribute --type rsc_defaults --name maintenance --update true")


@fault(
    "failures",
    "crm_resource --cleanup --resource rsc_ip",
    status="warning",
    repair=lambda node: node.report("node1"),
)
def the_cluster_remembers_a_failure(node: Any) -> None:
    node.report("node1", rc=1, reason="allow ec2:ReplaceRoute")


@fault("bans", "--clear", status="warning")
def a_move_left_a_ban_behind(node: Any) -> None:
    node.edit_cib(
        "<constraints>",
        '<constraints><rsc_location id="cli-ban-rsc_ip-on-node2" rsc="rsc_ip" role="Started" node="node2" score="-INFINITY"/>',
    )


@fault("managed", "crm_attribute --node node2 --name maintenance --delete", status="warning")
def a_node_is_in_maintenance(node: Any) -> None:
    node.shell("crm_attribute --node node2 --name maintenance --update true")


@fault("managed", "crm_attribute --node node1 --name maintenance --lifetime reboot --delete", status="warning")
def a_node_is_in_maintenance_until_it_boots(node: Any) -> None:
    node.report("node1")
    node.shell("crm_attribute --node node1 --name maintenance --lifetime reboot --update 1")


@fault("standby", "crm_standby --node node2 --delete", status="warning")
def a_node_is_in_standby(node: Any) -> None:
    node.shell("crm_standby --node node2 --update on")


@fault("standby", "crm_standby --node node2 --delete", status="warning")
def a_node_is_in_standby_in_another_word(node: Any) -> None:
    node.shell("crm_standby --node node2 --update yes")


@fault("standby", "crm_standby --node node1 --lifetime reboot --delete", status="warning")
def a_node_is_in_standby_until_it_boots(node: Any) -> None:
    node.report("node1")
    node.shell("crm_standby --node node1 --lifetime reboot --update on")


@fault("fencing", "--name stonith-enabled --update true")
def fencing_is_off(node: Any) -> None:
    property_(node, "stonith-enabled", "false")


@fault("fencing", "pcs stonith create fence fence_aws region=eu-central-1", repair=lambda node: node.create_cluster())
def there_is_no_fencing_device(node: Any) -> None:
    node.shell("cibadmin --delete --scope resources --xml-text '<primitive id=\"fence\"/>'")


def disable(node: Any, device: str) -> None:
    """What `pcs stonith disable` sets."""
    node.shell(f"crm_resource --resource {device} --meta --set-parameter target-role --parameter-value Stopped")


@fault("fencing", "--resource fence --meta --delete-parameter target-role")
def the_fencing_device_is_disabled(node: Any) -> None:
    disable(node, "fence")


def add_fencing(node: Any, name: str, **parameters: str) -> None:
    """One more device of fence_aws."""
    pairs = "".join(f'<nvpair id="{name}-{n}" name="{n}" value="{v}"/>' for n, v in parameters.items())
    node.edit_cib(
        "</resources>",
        f'<primitive id="{name}" class="stonith" type="fence_aws">'
        f'<instance_attributes id="{name}-ia">{pairs}</instance_attributes></primitive></resources>',
    )


@fault("fencing", "--resource fence2 --meta --delete-parameter target-role", status="warning")
def one_of_two_fencing_devices_is_disabled(node: Any) -> None:
    add_fencing(node, "fence2")
    disable(node, "fence2")


@fault("fencing-map", "--resource fence --set-parameter pcmk_host_map")
def a_node_is_known_to_a_disabled_fencing_device_alone(node: Any) -> None:
    node.edit_cib(f";node2:{node.lab.hosts['node2']}", "")
    add_fencing(node, "fence2", pcmk_host_map=f"node2:{node.lab.hosts['node2']}")
    disable(node, "fence2")


@fault("fencing-map", "--set-parameter pcmk_host_map")
def the_fencing_device_has_no_map(node: Any) -> None:
    node.shell("crm_resource --resource fence --delete-parameter pcmk_host_map")


def fence_each_by_its_own(node: Any, **instances: str) -> None:
    """A device for each node in place of the one for all."""
    node.edit_cib(
        f'<nvpair id="fence-map" name="pcmk_host_map" value="node1:{node.lab.hosts["node1"]};node2:{node.lab.hosts["node2"]}"/>',
        f'<nvpair id="fence-port" name="port" value="{instances["node1"]}"/>'
        '<nvpair id="fence-list" name="pcmk_host_list" value="node1"/>',
    )
    if "node2" in instances:
        add_fencing(node, "fence2", plug=instances["node2"], pcmk_host_list="node2")


@fault("fencing-map", "--resource fence2 --set-parameter pcmk_host_map")
def a_device_beside_a_nodes_own_has_no_map(node: Any) -> None:
    fence_each_by_its_own(node, node1=node.lab.hosts["node1"])
    add_fencing(node, "fence2", pcmk_host_list="node1 node2")


def add_own_device(node: Any) -> None:
    add_fencing(node, "fence2", plug=node.lab.hosts["node2"], pcmk_host_list="node2")


@fault("fencing-map", "pcs stonith create fence-all fence_aws", repair=add_own_device)
def a_node_has_no_device_of_its_own(node: Any) -> None:
    fence_each_by_its_own(node, node1=node.lab.hosts["node1"])


@fault("fencing-map", "--resource fence --set-parameter port")
def the_nodes_own_device_fences_another_instance(node: Any) -> None:
    fence_each_by_its_own(node, node1=node.lab.hosts["client"], node2=node.lab.hosts["node2"])


@fault("fencing-map", "--set-parameter pcmk_host_map")
def the_fencing_device_does_not_know_a_node(node: Any) -> None:
    node.edit_cib(f";node2:{node.lab.hosts['node2']}", "")


@fault("fencing-map", "--set-parameter pcmk_host_map")
def the_fencing_device_takes_this_node_for_another_instance(node: Any) -> None:
    node.edit_cib(f"node1:{node.lab.hosts['node1']}", f"node1:{node.lab.hosts['client']}")


@fault("colocation", "pcs constraint colocation add", status="warning")
def the_address_follows_nothing(node: Any) -> None:
    node.edit_cib('<rsc_colocation id="ip-with-service" rsc="rsc_ip" with-rsc="service" score="INFINITY"/>', "")


@fault("colocation", "pcs constraint colocation add rsc_ip with service", status="warning")
def the_address_is_only_kept_apart_from_another(node: Any) -> None:
    node.edit_cib('with-rsc="service" score="INFINITY"', 'with-rsc="service" score="-INFINITY"')


@fault("colocation", "pcs constraint colocation add rsc_ip with Promoted db-clone", status="warning")
def the_address_follows_no_primary(node: Any) -> None:
    the_address_follows_nothing(node)
    add_database(node)


def add_twin(node: Any, provider: str, type: str) -> None:
    pairs = f'<nvpair id="twin-ip" name="ip" value="{IP}"/><nvpair id="twin-rt" name="routing_table" value="rtb-1"/>'
    node.edit_cib(
        "</resources>",
        f'<primitive id="twin" class="ocf" provider="{provider}" type="{type}">'
        f'<instance_attributes id="twin-ia">{pairs}</instance_attributes></primitive></resources>',
    )


@fault("same-address", "--resource twin --meta --set-parameter target-role")
def the_agent_of_before_has_the_address_too(node: Any) -> None:
    add_twin(node, "heartbeat", "aws-vpc-move-ip")


@fault("same-address", "--resource twin")
def ipaddr2_has_the_address_too(node: Any) -> None:
    add_twin(node, "heartbeat", "IPaddr2")


# --- an ENI -----------------------------------------------------------------------------------------------------------


def attach(node: Any, eni: str, host: str, index: int = 1) -> None:
    times = node.lab.ec2.times
    times.attach = times.detach = 0
    node.lab.ec2.operator().attach_network_interface(
        NetworkInterfaceId=eni, InstanceId=node.lab.hosts[host], DeviceIndex=index, NetworkCardIndex=0
    )


def new_eni(node: Any, subnet: str = "a") -> str:
    answer = node.lab.ec2.operator().create_network_interface(SubnetId=node.lab.vpc.subnets[subnet])
    return str(answer["NetworkInterface"]["NetworkInterfaceId"])


def name_good_eni(node: Any) -> None:
    node.set(eni_id=node.eni)


@fault("eni", "aws ec2 describe-network-interfaces", eni=True, repair=name_good_eni)
def the_eni_does_not_exist(node: Any) -> None:
    node.set(eni_id="eni-0123456789abcdef0")


@fault("eni", "aws ec2 create-network-interface", eni=True, repair=name_good_eni)
def the_eni_is_a_primary_one(node: Any) -> None:
    node.set(eni_id=node.lab.primary_eni("node2"))


@fault("eni-zone", "aws-overlay-ip", eni=True, repair=name_good_eni)
def the_eni_is_in_another_zone(node: Any) -> None:
    node.set(eni_id=new_eni(node, "b"))


@fault("eni-holder", "aws ec2 detach-network-interface", eni=True)
def an_instance_outside_of_the_cluster_has_the_eni(node: Any) -> None:
    attach(node, node.eni, "client")


@fault("eni-room", "aws ec2 detach-network-interface", eni=True)
def this_instance_is_full(node: Any) -> None:
    for index in (1, 2):
        attach(node, new_eni(node), "node1", index)


@fault("peers-room", "aws ec2 detach-network-interface", eni=True, repair=lambda node: detach_from(node, "node2"))
def the_other_instance_is_full(node: Any) -> None:
    for index in (1, 2):
        attach(node, new_eni(node), "node2", index)


def detach_from(node: Any, host: str) -> None:
    operator = node.lab.ec2.operator()
    found = operator.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [node.lab.hosts[host]]}]
    )
    spare = next(each["Attachment"] for each in found["NetworkInterfaces"] if each["Attachment"]["DeviceIndex"])
    operator.detach_network_interface(AttachmentId=spare["AttachmentId"])


@fault("eni-device-index", "--delete-parameter device_index", eni=True)
def the_device_index_is_taken(node: Any) -> None:
    attach(node, new_eni(node), "node1", 1)
    node.set(device_index="1")


@fault("eni-addresses", "--set-parameter addresses", eni=True)
def an_address_is_not_the_enis(node: Any) -> None:
    node.set(addresses="10.0.1.50,10.0.1.51")


@fault("eni-delete-on-termination", "DeleteOnTermination=false", eni=True, status="warning")
def the_eni_ends_with_its_instance(node: Any) -> None:
    attach(node, node.eni, "node2")
    operator = node.lab.ec2.operator()
    eni = operator.describe_network_interfaces(NetworkInterfaceIds=[node.eni])["NetworkInterfaces"][0]
    change = {"AttachmentId": eni["Attachment"]["AttachmentId"], "DeleteOnTermination": True}
    operator.modify_network_interface_attribute(NetworkInterfaceId=node.eni, Attachment=change)


@fault("rights-eni", "ec2:AttachNetworkInterface", eni=True)
def the_eni_may_not_be_attached(node: Any) -> None:
    allow_all_but(node, "AttachNetworkInterface")


@fault("rights-eni", "ec2:DetachNetworkInterface", eni=True, prepare=lambda node: attach(node, node.eni, "node2"))
def the_eni_may_not_be_detached(node: Any) -> None:
    allow_all_but(node, "DetachNetworkInterface")


@fault("rights-describe", "ec2:DescribeNetworkInterfaces", eni=True)
def the_eni_may_not_be_described(node: Any) -> None:
    allow_all_but(node, "DescribeNetworkInterfaces")


@fault("rights-optional", "ec2:DescribeSubnets", eni=True, status="warning")
def subnets_may_not_be_described(node: Any) -> None:
    allow_all_but(node, "DescribeSubnets")


@fault("networkmanager", "match-device=mac:", eni=True, status="warning")
def networkmanager_configures_what_is_plugged_in(node: Any) -> None:
    enable("NetworkManager.service")
    Path("/etc/NetworkManager/conf.d").mkdir(parents=True, exist_ok=True)
    node.write_program("systemctl", "#!/bin/sh\nexit 0\n")


@fault("ec2-net-utils", "ln -sf /dev/null", eni=True, status="warning")
def ec2_net_utils_configure_what_is_plugged_in(node: Any) -> None:
    Path("/etc/udev/rules.d").mkdir(parents=True, exist_ok=True)
    Path("/etc/udev/rules.d/99-vpc-policy-routes.rules").write_text("# planted\n")
    node.write_program("systemctl", "#!/bin/sh\nexit 0\n")


@fault("networkd-foreign-routes", "ManageForeignRoutes=no", eni=True, status="warning")
def networkd_removes_the_enis_routes(node: Any) -> None:
    enable("systemd-networkd.service")
    node.write_program("systemctl", "#!/bin/sh\nexit 0\n")


@fault(
    "hotplug",
    "systemctl enable --now systemd-udevd",
    eni=True,
    status="warning",
    repair=lambda node: Path("/run/udev/control").touch(),
)
def udev_does_not_run(node: Any) -> None:
    Path("/run/udev/control").unlink()


# --- the test ---------------------------------------------------------------------------------------------------------


def apply(node: Any, each: Fault, remedy: str) -> str:
    """Do what the remedy says; returns how."""
    if each.repair:
        each.repair(node)
        return "by hand"
    if remedy.startswith("{"):
        node.policy["Statement"].append({**json.loads(remedy), "Resource": json.loads(remedy)["Resource"]})
        node.lab.ec2.allow(node.lab.instance_id, node.policy)
        return "statement added"
    for word, value in WORDS.items():
        remedy = re.sub(rf"\b{word}\b", value, remedy)
    # Pacemaker does not run here.
    node.shell(remedy.replace("systemctl restart pacemaker", "true"))
    return "as printed"


def run(node: Any, each: Fault, sound: dict[str, Any]) -> None:
    if each.prepare:
        each.prepare(node)
    # Without preparation, each test begins with the same node.
    kind = each.name if each.prepare else "an ENI" if each in ENI_FAULTS else "an overlay IP"
    if kind not in sound:
        sound[kind] = node.check("rsc_ip")
    assert {f["status"] for f in sound[kind].named(each.check)} <= {"passed", "not applicable"}
    each.plant(node)
    told = node.check("rsc_ip")
    findings = [f for f in told.named(each.check) if f["status"] not in ("passed", "not applicable")]
    assert findings, [f for f in told.results if f["status"] not in ("passed", "not applicable")]
    assert {f["status"] for f in findings} == {each.status}, findings
    assert told.status in ((1, 3) if each.status == "unknown" else (1,))
    assert each.remedy in findings[0]["remedy"], findings
    assert "secret" not in told.stdout
    how = [apply(node, each, f["remedy"]) for f in findings][0]
    left = node.check("rsc_ip").named(each.check)
    assert {f["status"] for f in left} <= {"passed", "not applicable"}, (findings, left)
    FOUND.append((each.name, each.check, each.status, how))


def named(each: Fault) -> str:
    return each.name.replace(" ", "-")


@pytest.fixture(autouse=True)
def table(request: pytest.FixtureRequest, record_property: Callable[[str, Any], None]) -> Iterator[None]:
    """Each fault is a row of the table that stands at the end of the run, found or not."""
    yield
    each = request.node.callspec.params["each"] if hasattr(request.node, "callspec") else None
    if each:
        found = [row for row in FOUND if row[0] == each.name]
        row = found[-1] if found else (each.name, each.check, "NOT FOUND, or not repaired by its remedy", "")
        record_property("row", [TABLE, *row])


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    """What `check` said of a sound node, by what has been done to it."""
    return {}


@pytest.mark.parametrize("each", FAULTS, ids=named)
def test_a_fault_of_an_overlay_ip_is_found_and_its_remedy_works(node: Any, each: Fault, sound: dict[str, Any]) -> None:
    node.create_cluster()
    node.create_routes()
    run(node, each, sound)


@pytest.mark.parametrize("single_node", [ONE_ZONE], indirect=True)
@pytest.mark.parametrize("each", ENI_FAULTS, ids=named)
def test_a_fault_of_an_eni_is_found_and_its_remedy_works(node: Any, each: Fault, sound: dict[str, Any]) -> None:
    Path("/run/udev").mkdir(exist_ok=True)
    Path("/run/udev/control").touch()
    answer = node.lab.ec2.operator().create_network_interface(
        SubnetId=node.lab.vpc.subnets["a"], PrivateIpAddress="10.0.1.50"
    )
    node.eni = str(answer["NetworkInterface"]["NetworkInterfaceId"])
    node.create_cluster("aws-eni-move", eni_id=node.eni)
    run(node, each, sound)


def test_enough_is_planted() -> None:
    assert len(FAULTS) + len(ENI_FAULTS) >= 40
