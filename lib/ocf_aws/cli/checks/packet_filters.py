"""What drops packets for the overlay IP in EC2: source/destination check, security groups and network ACL."""

from __future__ import annotations

from collections.abc import Iterator

from ocf_aws.aws import vpc
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, passed, unknown

CHECKS = Checks()


@CHECKS.add("source-dest-check")
def check_source_dest(facts: Facts) -> Finding:
    """The source/destination check, by which EC2 drops packets for the address."""
    eni = facts["own_eni"]
    if not eni.source_dest_check:
        return passed(f"off at {eni.id}")
    remedy = f"aws ec2 modify-network-interface-attribute --network-interface-id {eni.id} --no-source-dest-check"
    if facts.p.source_dest_check == "disable":
        return passed(f"on at {eni.id}; start turns it off")
    return failed(f"on at {eni.id}: EC2 drops packets for {facts.p.ip}", remedy)


@CHECKS.add("security-groups")
def check_groups(facts: Facts) -> Finding:
    """Do the ENI's security groups let anything in?"""
    groups = facts["groups"]
    if any(vpc.admits_anything(group.get("IpPermissions", [])) for group in groups):
        return passed(", ".join(group["GroupId"] for group in groups))
    ids = [group["GroupId"] for group in groups]
    return failed(
        f"{', '.join(ids)} of {facts['eni_id']} let nothing in",
        f"aws ec2 authorize-security-group-ingress --group-id {ids[0]} --protocol tcp --port PORT --cidr CLIENTS",
    )


@CHECKS.add("network-acl")
def check_acl(facts: Facts) -> Iterator[Finding]:
    """Does the subnet's network ACL let anything in and out?"""
    acl = facts["acl"]
    if acl is None:
        yield unknown(f"EC2 tells of no network ACL for {facts['subnet_id']}")
        return
    blocked = [each for each in (False, True) if vpc.acl_blocks_all(acl, each, facts.p.ip.is_ipv6)]
    cidr = "--ipv6-cidr-block ::/0" if facts.p.ip.is_ipv6 else "--cidr-block 0.0.0.0/0"
    for is_egress in blocked:
        yield failed(
            f"{acl['NetworkAclId']} of {facts['subnet_id']} lets nothing {'out' if is_egress else 'in'}",
            f"aws ec2 create-network-acl-entry --network-acl-id {acl['NetworkAclId']} --rule-number 50 --protocol=-1"
            f" --rule-action allow {cidr} {'--egress' if is_egress else '--ingress'}",
        )
    if not blocked:
        yield passed(acl["NetworkAclId"])
