"""What can be found out about an ENI of this instance without EC2: from the agent's marks in the kernel, and from IMDS."""

from __future__ import annotations

from ocf_aws.address import addresses
from ocf_aws.link import links
from ocf_aws.memory import Memory
from ocf_aws.policy import own_routes, own_rules
from ocf_aws.status import Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocf_aws.instance import Imds


def read_marks(table: int) -> Memory | None:
    """What the rules and routes that carry the agent's mark tell of the ENI with this table, None where there are none."""
    rules = own_rules(table)
    if not rules:
        return None
    memory = Memory()
    memory.table = str(table)
    sources = [rule.source for rule in rules]
    memory.addresses = tuple(str(each.first) for each in sources if each.is_single)
    memory.prefixes = tuple(str(each) for each in sources if not each.is_single)
    routes = own_routes(table, None)
    memory.subnets = tuple(str(route.destination) for route in routes if not route.gateway)
    indexes = [route.index for route in routes]
    # A link that somebody brought down has no routes.
    indexes += [placed.index for placed in addresses() if str(placed.ip) in memory.addresses]
    for link in links():
        if indexes and link.index == indexes[0]:
            memory.mac = link.mac
    return memory


def ask_imds(imds: Imds, eni_id: str) -> Memory | None:
    """What IMDS tells of the ENI, but for the table; None where the ENI is not attached here. Raises Unknown."""
    candidates = [link.mac for link in links() if link.mac.strip("0:") and not link.is_stacked]
    if len(candidates) < 2:
        # The one link is the primary ENI's, which cannot move.
        return None
    for mac in candidates:
        if imds.eni(mac, "interface-id") == eni_id:
            memory = Memory()
            memory.mac = mac
            memory.instance_id = imds.instance_id
            memory.addresses = _words(imds.eni(mac, "local-ipv4s"), imds.eni(mac, "ipv6s"))
            memory.prefixes = _words(imds.eni(mac, "ipv4-prefix"), imds.eni(mac, "ipv6-prefix"))
            memory.route_by(subnets_of(imds, mac))
            return memory
    return None


def subnets_of(imds: Imds, mac: str) -> tuple[str, ...]:
    """The blocks of the subnet of the ENI with this MAC, as far as IMDS tells them. Raises Unknown."""
    return _words(imds.eni(mac, "subnet-ipv4-cidr-block"), imds.eni(mac, "subnet-ipv6-cidr-blocks"))


def used_indexes(imds: Imds) -> set[int]:
    """The device indexes that are taken on this instance, as far as IMDS knows."""
    found = set()
    try:
        for mac in _words(imds.find("meta-data/network/interfaces/macs/")):
            number = imds.eni(mac.strip("/"), "device-number") or ""
            if number.isdigit():
                found.add(int(number))
    except Unknown:
        # EC2 says so itself when it comes to attaching.
        pass
    return found


def _words(*texts: str | None) -> tuple[str, ...]:
    return tuple(word for text in texts if text for word in text.split())
