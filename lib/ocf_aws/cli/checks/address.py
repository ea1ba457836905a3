"""The overlay IP on this node: its link, the address itself, and who else has it."""

from __future__ import annotations

import subprocess
from shutil import which

from ocf_aws.cli.checks.peers import find_doubt
from ocf_aws.cli.checks.remedies import delete_parameter, set_parameter
from ocf_aws.cli.checks.routes import find_holder
from ocf_aws.cli.cluster.cib import is_managed
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, unknown
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.errors import HardError, NotInstalled

CHECKS = Checks()


@CHECKS.add("link")
def check_link(facts: Facts) -> Finding:
    """The link that is to carry the address."""
    failure = facts.failure("link")
    if isinstance(failure, NotInstalled):
        own = next((link.name for link in facts["links"] if link.mac == facts.get("primary_mac")), "")
        return failed(str(failure), set_parameter(facts, "interface", own or "INTERFACE"))
    link = facts["link"]
    if not link.is_up:
        return failed(f"{link.name} is down", f"ip link set {link.name} up")
    try:
        facts.module.own_label(facts.context, link.name)
    except HardError as error:
        return failed(str(error), delete_parameter(facts, "iflabel"))
    eni = facts.get("eni_id")
    return passed(f"{link.name}{f' = {eni}' if eni else ''} is up")


@CHECKS.add("ip-own")
def check_own(facts: Facts) -> Finding:
    """No address that this node lives by."""
    link = facts["link"]
    try:
        facts.module.check_own_address(facts.context, link)
    except HardError as error:
        return failed(str(error), set_parameter(facts, "ip", "ADDRESS_OUTSIDE_THE_VPC"))
    return passed(f"{facts.p.ip} is not this node's own")


@CHECKS.add("ip-outside-vpc")
def check_outside(facts: Facts) -> Finding:
    """Inside the VPC's blocks, no route table can send the address anywhere else."""
    blocks = facts["vpc_cidrs"]
    inside = next((block for block in blocks if facts.p.ip in block), None)
    if inside:
        return failed(
            f"{facts.p.ip} lies inside the VPC ({inside})", set_parameter(facts, "ip", "ADDRESS_OUTSIDE_THE_VPC")
        )
    return passed(f"{facts.p.ip} is outside of {', '.join(map(str, blocks))}")


@CHECKS.add("ip-on-no-eni")
def check_foreign_enis(facts: Facts) -> Finding:
    """Nobody has it as a private address of an ENI."""
    foreign = facts["foreign_enis"]
    if foreign:
        eni = foreign[0]
        return failed(
            f"{facts.p.ip} is a private address of {eni.id} ({eni.attachment_text})",
            f"aws ec2 unassign-private-ip-addresses --network-interface-id {eni.id} --private-ip-addresses {facts.p.ip}",
        )
    return passed("no ENI has it")


@CHECKS.add("ip-here")
def check_placed(facts: Facts) -> Finding:
    """Where it stands on this node, if it does."""
    placed = next((each for each in facts["addresses"] if each.ip == facts.p.ip), None)
    if placed is None:
        return passed("not on this node now")
    link = next((each for each in facts["links"] if each.index == placed.index), None)
    name = link.name if link else f"link {placed.index}"
    if placed.index != facts["link"].index:
        return failed(
            f"{facts.p.ip} is on {name}, not on {facts['link'].name}", f"ip address del {facts.p.ip.network} dev {name}"
        )
    if _is_strange(facts):
        return failed(
            f"{facts.p.ip} is on {name}, and the cluster has it stopped here: somebody else added it",
            f"ip address del {facts.p.ip.network} dev {name}",
        )
    return passed(f"on {name}")


def _is_strange(facts: Facts) -> bool:
    """Whether the cluster is in charge of the address, and knows nothing of its being here."""
    primitive, cluster, cib = facts.definition.primitive, facts.get("cluster"), facts.definition.cib
    if primitive is None or cluster is None or cib is None or not is_managed(primitive, cib):
        return False
    status = cluster.resources.get(primitive.id)
    return bool(status and cluster.local not in status.nodes)


@CHECKS.add("ip-answers")
def check_answers(facts: Facts) -> Finding:
    """Nobody outside of the cluster answers at the address."""
    ip: IpAddress = facts.p.ip
    if any(each.ip == ip for each in facts["addresses"]):
        return not_applicable("this node has it")
    if any(find_holder(facts, route) for route in facts["routes"]):
        return not_applicable("a node of the cluster has it")
    if which("ping") is None:
        return unknown("ping is not installed")
    asked = ["ping", "-6" if ip.is_ipv6 else "-4", "-n", "-q", "-c", "1", "-W", "1", str(ip)]
    try:
        answers = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=3).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        answers = False
    if answers:
        doubt = find_doubt(facts, f"something answers at {ip}, which may be a node of this cluster")
        return doubt or failed(
            f"something outside of the cluster answers at {ip}", f"ip neighbour show {ip}; ip route get {ip}"
        )
    return passed("nobody else answers")


@CHECKS.add("ipv6")
def check_ipv6(facts: Facts) -> Finding:
    """The kernel takes IPv6 addresses on the link."""
    if not facts.p.ip.is_ipv6:
        return not_applicable("an IPv4 address")
    link = facts["link"].name
    path = f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6"
    try:
        with open(path, encoding="ascii") as file:
            is_disabled = file.read().strip() != "0"
    except FileNotFoundError:
        return failed("this kernel has no IPv6", "remove ipv6.disable=1 from the kernel's command line")
    if is_disabled:
        return failed(f"IPv6 is disabled on {link}", f"sysctl -w net.ipv6.conf.{link}.disable_ipv6=0")
    return passed(f"IPv6 is enabled on {link}")
