"""The cluster's configuration as values, in the CIB's own words ("Pacemaker Explained")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ocf_aws.cli.agent_files import AGENTS
from ocf_aws.ocf.agent import FALSE, TRUE


@dataclass(frozen=True)
class Operation:
    """An operation of a resource. id: in the CIB. interval, timeout: seconds. level: its OCF_CHECK_LEVEL. role: that the
    resource has while Pacemaker repeats the operation.
    """

    id: str
    name: str
    interval: float
    timeout: float
    level: int = 0
    role: str = "Started"
    is_enabled: bool = True

    @property
    def is_active_monitor(self) -> bool:
        """Whether it is a recurring monitor of the node that runs the resource, enabled or not.

        Pacemaker runs a monitor of the role "Stopped" on all other nodes alone.
        """
        return self.name == "monitor" and self.interval > 0 and self.role == "Started"


@dataclass(frozen=True)
class Primitive:
    """A resource. parents: the group and clone that it is in, the inner one first. meta: with its parents' and
    defaults. meta_owners: by name, which of these resources says so, "" for a template and the defaults.
    operations_id: of the element with its operations, where that has an id. template: that it is made of, if any.
    """

    id: str
    standard: str
    provider: str
    type: str
    parameters: dict[str, str]
    meta: dict[str, str]
    meta_owners: dict[str, str]
    operations: tuple[Operation, ...]
    parents: tuple[str, ...] = ()
    operations_id: str = ""
    template: str = ""

    @property
    def spec(self) -> str:
        """The type as commands name it: ocf:aws:aws-overlay-ip."""
        return ":".join(word for word in (self.standard, self.provider, self.type) if word)

    @property
    def is_ours(self) -> bool:
        """Whether one of our agents runs it."""
        return self.provider == "aws" and self.type in AGENTS

    @property
    def names(self) -> set[str]:
        """Its own, and those of the group and clone that it is in: constraints name any of them."""
        return {self.id, *self.parents}

    @property
    def is_promotable(self) -> bool:
        """Whether one node has it in another role than the others: a database's primary."""
        return is_on(self.meta.get("promotable", ""))

    @property
    def is_disabled(self) -> bool:
        """Whether the cluster is told not to run it."""
        return self.meta.get("target-role", "Started").lower() == "stopped"

    def operation(self, name: str) -> Operation | None:
        """The operation of that name, of monitors the most frequent one that Pacemaker repeats; None where there is none.

        Of a start or stop that is disabled, Pacemaker takes the timeout all the same.
        """
        if name == "monitor":
            found = [each for each in self.operations if each.is_active_monitor and each.is_enabled]
        else:
            found = [each for each in self.operations if each.name == name]
        return min(found, key=lambda each: each.interval, default=None)

    def instance_ids(self) -> dict[str, str]:
        """Instance ids by node name, as this fencing device knows them: it maps them (pcmk_host_map "node1:i-1;node2:i-2"),
        or it is for one node alone (pcmk_host_list) and has the instance of that.
        """
        mapped: dict[str, str] = {}
        for pair in re.split("[;, ]+", self.parameters.get("pcmk_host_map", "")):
            name, _, instance_id = re.sub("=", ":", pair).partition(":")
            if instance_id.startswith("i-"):
                mapped[name] = instance_id.split(",")[0]
        if not self.own_instance_name:
            return mapped
        # Pacemaker does not replace a parameter that is set: the device fences this instance, whichever node is meant.
        own = self.parameters[self.own_instance_name]
        names = re.findall(r"[^;,\s]+", self.parameters.get("pcmk_host_list", "")) or list(mapped)
        return {names[0]: own} if len(names) == 1 and own.startswith("i-") else {}

    @property
    def own_instance_name(self) -> str:
        """The parameter by which this fencing device is for one instance alone, "" where it has none."""
        return next((name for name in ("port", "plug") if self.parameters.get(name, "dynamic") != "dynamic"), "")


@dataclass(frozen=True)
class Colocation:
    """That a resource is to be where another one is. role: of the other one there, "" for any."""

    resource: str
    other: str
    role: str = ""

    @property
    def is_with_primary(self) -> bool:
        """Whether the other one is to be promoted there, in the words of Pacemaker 2.0 and older too."""
        return self.role in ("Promoted", "Master")


@dataclass(frozen=True)
class Cib:
    """The configuration. default_timeout: seconds of an operation that names none. bans: (constraint id, resource, node)
    that a command left. node_attributes: by node, each with its value and its lifetime, "forever" or "reboot".
    """

    primitives: tuple[Primitive, ...]
    nodes: tuple[str, ...]
    properties: dict[str, str]
    default_timeout: float
    colocations: tuple[Colocation, ...] = ()
    bans: tuple[tuple[str, str, str], ...] = ()
    node_attributes: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def find(self, name: str) -> Primitive | None:
        """The resource of that name, None where there is none."""
        return next((each for each in self.primitives if each.id == name), None)

    def timeout(self, primitive: Primitive, name: str) -> float:
        """Seconds that an operation of a resource may take."""
        operation = primitive.operation(name)
        return operation.timeout if operation else self.default_timeout

    def nodes_in(self, state: str) -> dict[str, str]:
        """The nodes in "standby" or "maintenance" by an attribute of that name, with its lifetime.

        crm_mon would not do: it says of a node that is down that it is in neither.
        """
        found = {node: attributes.get(state, ("", "")) for node, attributes in sorted(self.node_attributes.items())}
        return {node: lifetime for node, (value, lifetime) in found.items() if is_on(value)}

    @property
    def all_nodes(self) -> tuple[str, ...]:
        """The cluster's nodes, and those of Pacemaker Remote: resources, or guests that are named by one ("Pacemaker Remote")."""
        remote = [each.id for each in self.primitives if each.spec == "ocf:pacemaker:remote"]
        guests = [each.meta["remote-node"] for each in self.primitives if each.meta.get("remote-node")]
        # Some of them are in <nodes> too: those with an attribute.
        return tuple(dict.fromkeys([*self.nodes, *remote, *guests]))

    @property
    def ours(self) -> list[Primitive]:
        """The resources of our agents."""
        return [each for each in self.primitives if each.is_ours]

    @property
    def fencing_devices(self) -> list[Primitive]:
        """The fencing devices."""
        return [each for each in self.primitives if each.standard == "stonith"]

    def instance_ids(self) -> dict[str, str]:
        """Instance ids by node name, as the fencing devices know them, disabled ones as well."""
        return {name: id for device in self.fencing_devices for name, id in device.instance_ids().items()}


def is_on(value: str) -> bool:
    """Whether a value is true, in any of the words that Pacemaker takes for it (crm_str_to_boolean())."""
    return value.lower() in TRUE


def is_off(settings: Mapping[str, str], name: str, default: str) -> bool:
    """Whether a property or meta attribute is false, in any of the words that Pacemaker takes for it (crm_str_to_boolean())."""
    return settings.get(name, default).lower() in FALSE


def is_managed(primitive: Primitive, cib: Cib) -> bool:
    """Whether the cluster is in charge of a resource: neither it nor the whole cluster is in maintenance."""
    in_maintenance = not is_off(cib.properties, "maintenance-mode", "false") or not is_off(
        primitive.meta, "maintenance", "false"
    )
    return not in_maintenance and not is_off(primitive.meta, "is-managed", "true")
