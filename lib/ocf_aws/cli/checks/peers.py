"""The other nodes, as EC2 shows them from here."""

from __future__ import annotations

from collections.abc import Iterator

from ocf_aws.aws.errors import AccessDenied
from ocf_aws.aws.vpc import Instance
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, unknown, warning

CHECKS = Checks()


def _peers(facts: Facts) -> dict[str, Instance]:
    return {name: peer for name, peer in facts["peers"].items() if peer}


def _alone(facts: Facts) -> Finding | None:
    if facts.get("cib") is None:
        return not_applicable("no cluster runs here: run it on the other nodes too")
    return None


def find_doubt(facts: Facts, detail: str) -> Finding | None:
    """What is to be said of an instance that may be a node, as a node's instance is not known; None where all are known."""
    reason = facts.why_unknown()
    if not reason:
        return None
    remedy = _name_instance(facts.unknown_nodes[0]) if facts.unknown_nodes else ""
    if isinstance(facts.failure("peers"), AccessDenied):
        remedy = "ocf-aws policy --with-check"
    return unknown(f"{detail}: {reason}", remedy)


def _name_instance(node: str) -> str:
    return f"aws ec2 create-tags --resources INSTANCE --tags Key=Name,Value={node}"


@CHECKS.add("peers-found")
def check_found(facts: Facts) -> Iterator[Finding]:
    """Is an instance known for each node?"""
    if alone := _alone(facts):
        yield alone
        return
    known = _peers(facts)
    for name in facts.unknown_nodes:
        yield warning(
            f"no instance is known for node {name}: neither pcmk_host_map nor the tag Name nor a private DNS name tells",
            _name_instance(name),
        )
    if not facts.unknown_nodes:
        yield passed(", ".join(f"{name} is {peer.id}" for name, peer in known.items()) or "one node alone")


@CHECKS.add("peers-running")
def check_running(facts: Facts) -> Iterator[Finding]:
    """Do they run?"""
    if alone := _alone(facts):
        yield alone
        return
    down = {name: peer for name, peer in _peers(facts).items() if peer.state not in ("running", "pending")}
    for name, peer in down.items():
        yield warning(f"{name} ({peer.id}) is {peer.state}", f"aws ec2 start-instances --instance-ids {peer.id}")
    if not down:
        yield passed("all run")


@CHECKS.add("peers-vpc")
def check_vpc(facts: Facts) -> Iterator[Finding]:
    """Are they in the same VPC?"""
    if alone := _alone(facts):
        yield alone
        return
    elsewhere = {name: peer for name, peer in _peers(facts).items() if peer.vpc_id and peer.vpc_id != facts["vpc_id"]}
    for name, peer in elsewhere.items():
        yield failed(f"{name} ({peer.id}) is in {peer.vpc_id}, this node in {facts['vpc_id']}", "use nodes of one VPC")
    if not elsewhere:
        yield passed(str(facts["vpc_id"]))


@CHECKS.add("peers-zone")
def check_zone(facts: Facts) -> Iterator[Finding]:
    """For an ENI all in one zone; for an overlay IP better in several."""
    if alone := _alone(facts):
        yield alone
        return
    zones = {name: peer.zone for name, peer in _peers(facts).items() if peer.zone}
    own = facts["availability_zone"]
    if facts.is_eni_move:
        elsewhere = [f"{name} in {zone}" for name, zone in zones.items() if zone != own]
        if elsewhere:
            yield failed(
                f"this node is in {own}, {', '.join(elsewhere)}: an ENI cannot leave its zone",
                "use aws-overlay-ip, or nodes in one zone",
            )
            return
    yield passed(", ".join([f"here {own}", *(f"{name} {zone}" for name, zone in zones.items())]))


@CHECKS.add("peers-source-dest-check")
def check_source_dest(facts: Facts) -> Iterator[Finding]:
    """Their source/destination check, for an overlay IP."""
    if not facts.is_overlay_ip:
        yield not_applicable("for an overlay IP only")
        return
    if alone := _alone(facts):
        yield alone
        return
    if facts.p.source_dest_check == "disable":
        yield passed("start turns it off at their ENIs")
        return
    peers = _peers(facts)
    enis = {name: facts.carrier(peer) for name, peer in peers.items()}
    for name, eni in enis.items():
        if eni is None:
            yield unknown(
                f"not known which ENI of {name} is to carry {facts.p.ip}",
                f"aws ec2 describe-network-interfaces --filters Name=attachment.instance-id,Values={peers[name].id}",
            )
        elif eni.source_dest_check:
            yield failed(
                f"on at {eni.id} of {name}: EC2 drops packets for {facts.p.ip} there",
                f"aws ec2 modify-network-interface-attribute --network-interface-id {eni.id} --no-source-dest-check",
            )
    if all(eni and not eni.source_dest_check for eni in enis.values()):
        yield passed("off at their ENIs")


@CHECKS.add("peers-role")
def check_role(facts: Facts) -> Iterator[Finding]:
    """Have they a role too?"""
    if alone := _alone(facts):
        yield alone
        return
    if facts.p.profile and facts.p.profile != "default":
        yield not_applicable("credentials come from a profile")
        return
    without = {name: peer for name, peer in _peers(facts).items() if not peer.profile}
    if facts.get("role") and not without:
        yield passed(", ".join(f"{name} {peer.profile}" for name, peer in _peers(facts).items()))
        return
    for name, peer in without.items():
        yield failed(
            f"{name} ({peer.id}) has no instance profile",
            f"aws ec2 associate-iam-instance-profile --instance-id {peer.id} --iam-instance-profile Name=PROFILE",
        )


@CHECKS.add("peers-room")
def check_room(facts: Facts) -> Iterator[Finding]:
    """Have they room for the ENI on network card 0?"""
    if not facts.is_eni_move:
        yield not_applicable("for an ENI only")
        return
    if alone := _alone(facts):
        yield alone
        return
    full = [
        (name, peer, len([e for e in peer.interfaces if e.network_card_index == 0 and e.id != facts.p.eni_id]))
        for name, peer in _peers(facts).items()
        if peer.type == facts["instance_type"]
    ]
    full = [each for each in full if each[2] >= (facts["limit"] or 99)]
    for name, peer, count in full:
        yield failed(
            f"{name} ({peer.id}) has {count} ENIs, {peer.type} allows {facts['limit']}",
            "aws ec2 detach-network-interface --attachment-id ATTACHMENT",
        )
    if not full:
        yield passed("all have room")
