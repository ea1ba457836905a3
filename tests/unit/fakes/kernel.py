"""The kernel's tables with state: what a request changes, the next dump tells, in the bytes of rtnetlink."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from struct import pack, unpack
from typing import Any

from ocf_aws.ip import AF_INET6, AF_UNSPEC, IpAddress, IpNetwork
from ocf_aws.kernel import netlink
from ocf_aws.kernel.address import LinkAddress
from ocf_aws.kernel.policy_routing import Route, Rule
from ocf_aws.ocf.errors import SoftError

Object = tuple[bytes, dict[int, bytes]]


class FakeKernel(netlink.Rtnl):
    """Links, addresses, rules and routes; an Rtnl without a socket, and dump() and encode() of netlink.

    rules, routes: each with the number of its protocol. metrics: of routes, where not 0.
    done: the changes that were asked for, in words.
    """

    def __init__(self) -> None:
        self.links: dict[int, Object] = {}
        self.addresses: list[LinkAddress] = []
        self.rules: list[tuple[int, Rule]] = []
        self.routes: list[tuple[int, Route]] = []
        self.metrics: dict[Route, int] = {}
        self.done: list[str] = []

    def add_link(
        self, index: int, name: str, mac: str, *, is_up: bool = True, altnames: tuple[str, ...] = (), kind: str = ""
    ) -> None:
        """A link with an MTU of 1500."""
        properties = b"".join(netlink.encode_attribute(53, name.encode() + b"\0") for name in altnames)
        attributes = {
            1: bytes.fromhex(mac.replace(":", "")),
            3: name.encode() + b"\0",
            4: pack("=I", 1500),
            52: properties,
        }
        if kind:
            attributes[18] = netlink.encode_attribute(1, kind.encode() + b"\0")
        self.links[index] = (pack("=BxHiII", 0, 1, index, 0x1 if is_up else 0, 0), attributes)

    def add_address(self, text: str, index: int, protocol: int = 0) -> None:
        """An address with its prefix length."""
        literal, _, length = text.partition("/")
        self.addresses.append(LinkAddress(IpAddress.parse(literal), int(length), index, protocol))

    def dump(self, request: int, family: int = AF_UNSPEC) -> list[Object]:
        """As netlink.dump."""
        if request == netlink.RTM_GETLINK:
            return list(self.links.values())
        if request == netlink.RTM_GETADDR:
            return [self._address(each) for each in self.addresses if family in (AF_UNSPEC, each.ip.family)]
        if request == netlink.RTM_GETRULE:
            return [self._rule(protocol, rule) for protocol, rule in self.rules]
        return [self._route(protocol, route) for protocol, route in self.routes]

    @staticmethod
    def _address(address: LinkAddress) -> Object:
        header = pack("=BBBBI", address.ip.family, address.prefix_length, 0, 0, address.index)
        attributes = {1: address.ip.packed} if address.ip.is_ipv6 else {1: b"\0\0\0\0", 2: address.ip.packed}
        return header, {**attributes, **({11: bytes([address.protocol])} if address.protocol else {})}

    @staticmethod
    def _rule(protocol: int, rule: Rule) -> Object:
        small = rule.table if rule.table < 256 else 252
        header = pack("=BBBBB7x", rule.source.family, 0, rule.source.prefix_length, 0, small)
        source = {2: rule.source.packed} if rule.source.prefix_length else {}
        return header, {**source, 15: pack("=I", rule.table), 21: bytes([protocol])}

    def _route(self, protocol: int, route: Route) -> Object:
        small = route.table if route.table < 256 else 252
        to = route.destination
        header = pack("=BBBBBB6x", to.family, to.prefix_length, 0, 0, small, protocol)
        attributes = {4: pack("=I", route.index), 15: pack("=I", route.table)}
        if to.prefix_length:
            attributes[1] = to.packed
        if route.gateway:
            attributes[5] = route.gateway.packed
        if route in self.metrics:
            attributes[6] = pack("=I", self.metrics[route])
        return header, attributes

    @staticmethod
    def encode(message: str, header: Mapping[str, int], attributes: list[tuple[str, Any]]) -> Any:
        """In place of netlink.encode: the values themselves."""
        return {**header, **dict(attributes)}

    def request(self, what: str, request: int, body: Any, *, flags: int = 0, tolerate: tuple[int, ...] = ()) -> bool:
        """As Rtnl.request."""
        if request == netlink.RTM_NEWLINK:
            return self._set_link(what, body, tolerate)
        if request in (netlink.RTM_NEWADDR, netlink.RTM_DELADDR):
            _, prefix_length, _, _, index = unpack("=BBBBI", body[:8])
            attributes = dict(netlink.split_attributes(body[8:]))
            item: Any = LinkAddress(IpAddress(attributes[2]), prefix_length, index, attributes.get(11, b"\0")[0])
            return self._change(what, self.addresses, item, request == netlink.RTM_NEWADDR, tolerate)
        if request in (netlink.RTM_NEWRULE, netlink.RTM_DELRULE):
            source = IpNetwork.parse(f"{body['FRA_SRC']}/{body['src_len']}")
            item = (body["FRA_PROTOCOL"], Rule(source, body["FRA_TABLE"]))
            return self._change(what, self.rules, item, request == netlink.RTM_NEWRULE, tolerate)
        default = "::" if body["family"] == AF_INET6 else "0.0.0.0"
        destination = IpNetwork.parse(f"{body.get('RTA_DST', default)}/{body['dst_len']}")
        gateway = IpAddress.parse(body["RTA_GATEWAY"]) if "RTA_GATEWAY" in body else None
        item = (body["proto"], Route(destination, gateway, body["RTA_OIF"], body["RTA_TABLE"]))
        return self._change(what, self.routes, item, request == netlink.RTM_NEWROUTE, tolerate)

    def _change(self, what: str, table: list[Any], item: Any, is_new: bool, tolerate: tuple[int, ...]) -> bool:
        def key(each: Any) -> Any:
            return each[:3] if isinstance(each, LinkAddress) else each

        found = [each for each in table if key(each) == key(item)]
        if is_new == bool(found):
            missing = {errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL}
            if tolerate and (errno.EEXIST in tolerate if is_new else missing & set(tolerate)):
                return False
            raise SoftError(f"cannot {what}")
        if is_new:
            table.append(item)
        else:
            table.remove(found[0])
        self.done.append(what)
        return True

    def _set_link(self, what: str, body: bytes, tolerate: tuple[int, ...]) -> bool:
        _, _, index, flags, mask = unpack("=BxHiII", body[:16])
        if index not in self.links:
            assert errno.ENODEV in tolerate
            return False
        header, attributes = self.links[index]
        before = unpack("=BxHiII", header)[3]
        attributes.update(netlink.split_attributes(body[16:]))
        self.links[index] = (pack("=BxHiII", 0, 1, index, (before & ~mask) | (flags & mask), 0), attributes)
        self.done.append(what)
        return True
