"""The packets that a VPC drops, as a ruleset of nftables."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable

from vpclab.network.topology import IPV4, IPV6, family, link_name, transit_link_name
from vpclab.vpc import Eni, Vpc

_RULESET = """\
table inet vpc
delete table inet vpc
table inet vpc {{
    set cut {{ type ifname; {cut} }}
    set checked {{ type ifname; {checked} }}
    set own4 {{ type ifname . ipv4_addr; flags interval; {own4} }}
    set own6 {{ type ifname . ipv6_addr; flags interval; {own6} }}
    set transit {{ type ifname; {transit} }}
    set unattached {{ type ifname; {unattached} }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        iifname @cut drop
        oifname @cut drop
        iifname @checked iifname . ip saddr != @own4 drop
        oifname @checked oifname . ip daddr != @own4 drop
        iifname @checked iifname . ip6 saddr != @own6 drop
        oifname @checked oifname . ip6 daddr != @own6 drop
        iifname @unattached oifname @transit drop
    }}
}}
"""
"""The forward hook leaves what the hypervisor itself answers: the gateway and IMDS."""


def ruleset(vpc: Vpc, cut: Collection[str]) -> str:
    """The source/destination check of each ENI that has it, the instances cut off, the zones without an attachment.

    From a zone where the transit gateway is attached to no subnet nothing gets to it ("Amazon VPC attachments", limits).
    """
    zones = {subnet.id: subnet.zone for subnet in vpc.subnets}
    transit = [subnet_id for attachment in vpc.attachments for subnet_id in attachment.subnet_ids]
    attached = {zones[subnet_id] for subnet_id in transit}
    return _RULESET.format(
        cut=_elements(f'"{link_name(eni.id)}"' for eni in vpc.enis if eni.instance_id in cut),
        checked=_elements(f'"{link_name(eni.id)}"' for eni in vpc.enis if eni.source_dest_check),
        own4=_elements(_own(vpc.enis, IPV4)),
        own6=_elements(_own(vpc.enis, IPV6)),
        transit=_elements(f'"{transit_link_name(subnet_id)}"' for subnet_id in transit),
        unattached=_elements(f'"{link_name(eni.id)}"' for eni in vpc.enis if zones[eni.subnet_id] not in attached),
    )


def load(netns: str, rules: str) -> None:
    """Load a ruleset into a network namespace, in one transaction."""
    subprocess.run(
        ["ip", "netns", "exec", netns, "nft", "--file", "-"],
        input=rules,
        text=True,
        check=True,
    )


def _own(enis: Iterable[Eni], wanted: int) -> list[str]:
    """Each ENI's link with each of its own addresses and prefixes of a family."""
    return [
        f'"{link_name(eni.id)}" . {cidr}'
        for eni in enis
        for cidr in eni.addresses + eni.prefixes
        if family(cidr) == wanted
    ]


def _elements(elements: Iterable[str]) -> str:
    joined = ", ".join(elements)
    return f"elements = {{ {joined} }};" if joined else ""
