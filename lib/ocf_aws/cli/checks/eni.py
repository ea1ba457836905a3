"""An ENI that moves: what it is, who has it, and whether this instance has room for it."""

from __future__ import annotations

from ocf_aws.aws.network_interfaces import Eni
from ocf_aws.cli.checks.peers import find_doubt
from ocf_aws.cli.checks.remedies import delete_parameter, set_parameter
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, warning
from ocf_aws.ocf.errors import HardError, Unknown

CHECKS = Checks()


def _require_eni(facts: Facts) -> Eni:
    eni: Eni | None = facts["moved_eni"]
    if eni is None:
        raise Unknown(f"EC2 knows no ENI {facts.p.eni_id}")
    return eni


@CHECKS.add("eni")
def check_eni(facts: Facts) -> Finding:
    """Is it there, and may it move at all?"""
    eni = facts["moved_eni"]
    if eni is None:
        return failed(
            f"EC2 knows no ENI {facts.p.eni_id} in this region and account",
            "aws ec2 describe-network-interfaces --filters Name=status,Values=available,in-use",
        )
    if eni.unmovable_reason:
        return failed(
            f"{eni.id} cannot be moved: {eni.unmovable_reason}",
            f"aws ec2 create-network-interface --subnet-id {eni.subnet_id}   # an ENI for the service alone",
        )
    return passed(f"{eni.id} ({', '.join(map(str, eni.addresses))})")


@CHECKS.add("eni-zone")
def check_zone(facts: Facts) -> Finding:
    """An ENI cannot leave its availability zone."""
    eni, zone = _require_eni(facts), facts["availability_zone"]
    if eni.zone != zone:
        return failed(
            f"{facts.p.eni_id} is in {eni.zone}, this node in {zone}",
            "use aws-overlay-ip across availability zones, or nodes in one",
        )
    return passed(str(zone))


@CHECKS.add("eni-vpc")
def check_vpc(facts: Facts) -> Finding:
    """An ENI cannot leave its VPC."""
    eni = _require_eni(facts)
    if eni.vpc_id != facts["vpc_id"]:
        return failed(
            f"{facts.p.eni_id} is in {eni.vpc_id}, this node in {facts['vpc_id']}",
            set_parameter(facts, "eni_id", "eni-..."),
        )
    return passed(str(facts["vpc_id"]))


@CHECKS.add("eni-holder")
def check_holder(facts: Facts) -> Finding:
    """Who has it: nobody, this node, or another node of the cluster."""
    eni = facts["moved_eni"]
    if eni is None or not eni.holder:
        return passed("attached to no instance")
    node = facts.find_node(eni.holder)
    if node or facts.get("cib") is None:
        return passed(f"{eni.attachment_text} ({node or 'another instance'})")
    doubt = find_doubt(facts, f"{eni.id} is {eni.attachment_text}, which may be a node of this cluster")
    return doubt or failed(
        f"{eni.id} is {eni.attachment_text}, which is no node of this cluster: a start would take it away",
        f"aws ec2 detach-network-interface --attachment-id {eni.attachment_id}",
    )


@CHECKS.add("eni-room")
def check_room(facts: Facts) -> Finding:
    """Has network card 0 of this instance room for it?"""
    eni, limit = facts["moved_eni"], facts["limit"]
    if limit is None:
        raise Unknown(f"EC2 does not tell how many ENIs {facts['instance_type']} can have")
    others = [e for e in facts["own_enis"] if e.network_card_index == 0 and (not eni or e.id != eni.id)]
    if len(others) >= limit:
        spare = next((each for each in others if each.device_index), None)
        return failed(
            f"{facts['instance_id']} has {len(others)} ENIs, its type {facts['instance_type']} allows {limit}",
            f"aws ec2 detach-network-interface --attachment-id {spare.attachment_id if spare else 'ATTACHMENT'}",
        )
    return passed(f"{len(others)} of {limit} ENIs are taken")


@CHECKS.add("eni-device-index")
def check_index(facts: Facts) -> Finding:
    """Is the device index free that the definition names?"""
    index = facts.p.device_index
    if index is None:
        return not_applicable("the lowest free one is taken")
    other = next((e for e in facts["own_enis"] if e.device_index == index and e.id != facts.p.eni_id), None)
    if other:
        return failed(
            f"device index {index} of this instance is taken by {other.id}",
            delete_parameter(facts, "device_index"),
        )
    return passed(f"device index {index} is free")


@CHECKS.add("eni-addresses")
def check_addresses(facts: Facts) -> Finding:
    """Has the ENI the addresses that the definition names?"""
    if not facts.p.addresses:
        return not_applicable("all addresses of the ENI are configured")
    eni = _require_eni(facts)
    own = eni.addresses
    missing = [ip for ip in facts.p.addresses if ip not in own and not any(ip in each for each in eni.prefixes)]
    if missing:
        return failed(
            f"{facts.p.eni_id} has no address {', '.join(map(str, missing))}",
            set_parameter(facts, "addresses", ",".join(str(ip) for ip in facts.p.addresses if ip not in missing)),
        )
    return passed(", ".join(map(str, facts.p.addresses)))


@CHECKS.add("eni-delete-on-termination")
def check_termination(facts: Facts) -> Finding:
    """Does the ENI outlive the instance that has it?"""
    eni = facts["moved_eni"]
    if eni is None or not eni.delete_on_termination:
        return passed("the ENI outlives its instance")
    return warning(
        f"terminating {eni.holder} deletes {eni.id}",
        f"aws ec2 modify-network-interface-attribute --network-interface-id {eni.id}"
        f" --attachment AttachmentId={eni.attachment_id},DeleteOnTermination=false",
    )


@CHECKS.add("eni-own")
def check_own(facts: Facts) -> Finding:
    """Not the ENI by which this node itself lives."""
    try:
        facts.module.find_state_in_imds(facts.context)
    except HardError as error:
        return failed(str(error), set_parameter(facts, "eni_id", "eni-..."))
    return passed("this node does not live by it")
