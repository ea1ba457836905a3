"""The cluster's configuration and status: `cibadmin --query` and `crm_mon` as values.

Words are the CIB's own ("Pacemaker Explained").
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from shutil import which
from socket import gethostname
from xml.etree import ElementTree

from ocf_aws.cli.agent_files import AGENTS
from ocf_aws.ocf.errors import Unknown, shorten

DEFAULT_TIMEOUT = 20.0
"""Seconds of an operation whose timeout is not configured."""

_COMMAND_SECONDS = 10.0
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "msec": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "hr": 3600.0}


@dataclass(frozen=True)
class Operation:
    """An operation of a resource. id: in the CIB. interval, timeout: seconds. level: its OCF_CHECK_LEVEL."""

    id: str
    name: str
    interval: float
    timeout: float
    level: int = 0


@dataclass(frozen=True)
class Primitive:
    """A resource. parents: the group and clone that it is in, the inner one first. meta: with its parents' and
    defaults. operations_id: of the element with its operations, where that has an id.
    """

    id: str
    standard: str
    provider: str
    type: str
    parameters: dict[str, str]
    meta: dict[str, str]
    operations: tuple[Operation, ...]
    parents: tuple[str, ...] = ()
    operations_id: str = ""

    @property
    def spec(self) -> str:
        """The type as commands name it: ocf:aws:aws-overlay-ip."""
        return ":".join(word for word in (self.standard, self.provider, self.type) if word)

    @property
    def is_ours(self) -> bool:
        """Whether one of our agents runs it."""
        return self.provider == "aws" and self.type in AGENTS

    def operation(self, name: str) -> Operation | None:
        """The operation of that name, of monitors the most frequent recurring one; None where none is configured."""
        found = [each for each in self.operations if each.name == name and (name != "monitor" or each.interval > 0)]
        return min(found, key=lambda each: each.interval, default=None)


@dataclass(frozen=True)
class Cib:
    """The configuration. colocations: pairs (resource, with). bans: (constraint id, resource, node) that a command left."""

    primitives: tuple[Primitive, ...]
    nodes: tuple[str, ...]
    properties: dict[str, str]
    op_defaults: dict[str, str]
    colocations: tuple[tuple[str, str], ...] = ()
    bans: tuple[tuple[str, str, str], ...] = ()
    standby: frozenset[str] = field(default_factory=frozenset)

    def find(self, name: str) -> Primitive | None:
        """The resource of that name, None where there is none."""
        return next((each for each in self.primitives if each.id == name), None)

    @property
    def ours(self) -> list[Primitive]:
        """The resources of our agents."""
        return [each for each in self.primitives if each.is_ours]

    @property
    def fencing_devices(self) -> list[Primitive]:
        """The fencing devices."""
        return [each for each in self.primitives if each.standard == "stonith"]

    def instance_ids(self) -> dict[str, str]:
        """Instance ids by node name, as the fencing devices map them (pcmk_host_map "node1:i-1;node2:i-2")."""
        found: dict[str, str] = {}
        for device in self.fencing_devices:
            for pair in re.split("[;, ]+", device.parameters.get("pcmk_host_map", "")):
                name, _, instance_id = re.sub("=", ":", pair).partition(":")
                if instance_id.startswith("i-"):
                    found[name] = instance_id.split(",")[0]
        return found


def seconds(text: str | None, default: float = 0.0) -> float:
    """A time as Pacemaker writes it: 180, 180s, 3min, PT3M."""
    if not text:
        return default
    iso = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", text.strip())
    if iso:
        hours, minutes, rest = (int(part or 0) for part in iso.groups())
        return hours * 3600.0 + minutes * 60 + rest
    plain = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if not plain or plain[2] not in _UNITS:
        return default
    return float(plain[1]) * _UNITS[plain[2]]


def has_cluster_tools() -> bool:
    """Whether Pacemaker's tools are installed here."""
    return which("cibadmin") is not None


def query_cib() -> Cib:
    """The live configuration. Raises Unknown where the cluster does not run on this node."""
    return parse_cib(ElementTree.fromstring(run("cibadmin", "--query")))


def run(*command: str, timeout: float = _COMMAND_SECONDS) -> str:
    """The output of a command of the cluster's. Raises Unknown with its words where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError:
        raise Unknown(f"{command[0]} is not installed: this node is in no cluster") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unknown(shorten(f"{command[0]}: {error}")) from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise Unknown(shorten(f"{' '.join(command[:3])}: {words[-1] if words else f'exit status {done.returncode}'}"))
    return done.stdout


def parse_cib(root: ElementTree.Element) -> Cib:
    """The configuration in an answer of cibadmin."""
    configuration = root.find("configuration")
    if configuration is None:
        raise Unknown("cibadmin answers without a configuration")
    rsc_defaults = _nvpairs(configuration.find("rsc_defaults"), "meta_attributes")
    op_defaults = _nvpairs(configuration.find("op_defaults"), "meta_attributes")
    resources = configuration.find("resources")
    templates = {each.get("id", ""): each for each in configuration.iter("template")}
    primitives = [] if resources is None else list(_primitives(resources, (), rsc_defaults, op_defaults, templates))
    properties: dict[str, str] = {}
    crm_config = configuration.find("crm_config")
    if crm_config is not None:
        properties = _nvpairs(crm_config, "cluster_property_set")
    nodes = configuration.findall("nodes/node")
    return Cib(
        tuple(primitives),
        tuple(node.get("uname", "") for node in nodes),
        properties,
        op_defaults,
        tuple(_colocations(configuration)),
        tuple(_bans(configuration)),
        frozenset(
            n.get("uname", "") for n in nodes if _nvpairs(n, "instance_attributes").get("standby") in ("on", "true")
        ),
    )


def _primitives(
    parent: ElementTree.Element,
    parents: tuple[str, ...],
    meta: dict[str, str],
    op_defaults: dict[str, str],
    templates: dict[str, ElementTree.Element],
) -> Iterator[Primitive]:
    for child in parent:
        inherited = {**meta, **_nvpairs(child, "meta_attributes")}
        if child.tag == "primitive":
            yield _primitive(child, parents, meta, op_defaults, templates.get(child.get("template", "")))
        elif child.tag in ("group", "clone", "master", "bundle"):
            yield from _primitives(child, (child.get("id", ""), *parents), inherited, op_defaults, templates)


def _primitive(
    element: ElementTree.Element,
    parents: tuple[str, ...],
    meta: dict[str, str],
    op_defaults: dict[str, str],
    template: ElementTree.Element | None,
) -> Primitive:
    sources = [source for source in (template, element) if source is not None]
    parameters: dict[str, str] = {}
    operations: dict[tuple[str, float], Operation] = {}
    for source in sources:
        parameters.update(_nvpairs(source, "instance_attributes"))
        meta = {**meta, **_nvpairs(source, "meta_attributes")}
        for op in source.iterfind("operations/op"):
            interval = seconds(op.get("interval"))
            timeout = op.get("timeout") or _nvpairs(op, "meta_attributes").get("timeout") or op_defaults.get("timeout")
            level = op.get("OCF_CHECK_LEVEL") or _nvpairs(op, "instance_attributes").get("OCF_CHECK_LEVEL") or "0"
            operations[op.get("name", ""), interval] = Operation(
                op.get("id", ""),
                op.get("name", ""),
                interval,
                seconds(timeout, DEFAULT_TIMEOUT),
                int(level) if level.isdecimal() else 0,
            )
    named = {
        name: next((s.get(name) for s in reversed(sources) if s.get(name)), "")
        for name in ("class", "provider", "type")
    }
    return Primitive(
        element.get("id", ""),
        named["class"] or "",
        named["provider"] or "",
        named["type"] or "",
        parameters,
        meta,
        tuple(operations.values()),
        parents,
        "" if (own := element.find("operations")) is None else own.get("id", ""),
    )


def _nvpairs(element: ElementTree.Element | None, kind: str) -> dict[str, str]:
    """Names and values of the sets of that kind, but of those that hold by a rule alone; the first set's value counts."""
    found: dict[str, str] = {}
    sets = [] if element is None else element.findall(kind)
    for each in sorted(sets, key=_score, reverse=True):
        if each.find("rule") is None:
            for pair in each.iterfind("nvpair"):
                found.setdefault(pair.get("name", ""), pair.get("value", ""))
    return found


def _score(element: ElementTree.Element) -> int:
    """The score of a set, by which sets come first."""
    text = element.get("score", "0")
    return 1_000_000 if text.lstrip("+").upper() == "INFINITY" else int(text) if text.lstrip("+-").isdecimal() else 0


def _colocations(configuration: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for constraint in configuration.iterfind("constraints/rsc_colocation"):
        if constraint.get("rsc"):
            yield constraint.get("rsc", ""), constraint.get("with-rsc", "")
        else:
            members = [ref.get("id", "") for ref in constraint.iter("resource_ref")]
            yield from ((one, other) for one in members for other in members if one != other)


def _bans(configuration: ElementTree.Element) -> Iterator[tuple[str, str, str]]:
    """What `pcs resource move` and `crm resource ban` leave behind."""
    for constraint in configuration.iterfind("constraints/rsc_location"):
        if constraint.get("id", "").startswith(("cli-ban-", "cli-prefer-", "cli-standby-")):
            yield constraint.get("id", ""), constraint.get("rsc", ""), constraint.get("node", "")


@dataclass(frozen=True)
class ResourceStatus:
    """What Pacemaker thinks of a resource: its role, the nodes that it runs on, and the reasons of failures."""

    role: str
    nodes: tuple[str, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class ClusterStatus:
    """What crm_mon tells. local: the name of this node. online: nodes. resources: by name."""

    local: str
    online: frozenset[str]
    unclean: frozenset[str]
    has_quorum: bool
    resources: dict[str, ResourceStatus]


def query_status() -> ClusterStatus:
    """The status now. Raises Unknown."""
    root = ElementTree.fromstring(run("crm_mon", "-1", "-r", "--output-as=xml"))
    try:
        local = run("crm_node", "--name").strip()
    except Unknown:
        # What a node is called where nobody says otherwise ("Node names", Pacemaker Explained).
        local = gethostname()
    nodes = root.findall("nodes/node")
    failures: dict[str, list[str]] = {}
    for failure in root.iterfind("failures/failure"):
        resource, task = failure.get("op_key", "").rsplit("_", 2)[0], failure.get("task", "")
        reason = failure.get("exitreason") or failure.get("exitstatus", "")
        failures.setdefault(resource, []).append(f"{task} on {failure.get('node', '')}: {reason}")
    resources: dict[str, ResourceStatus] = {}
    for found in root.iter("resource"):
        name = found.get("id", "").partition(":")[0]
        before = resources.get(name)
        names = tuple(node.get("name", "") for node in found.iterfind("node")) if found.get("active") == "true" else ()
        role = "Failed" if found.get("failed") == "true" else found.get("role", "Unknown")
        resources[name] = ResourceStatus(
            role if not before or names else before.role,
            (before.nodes if before else ()) + names,
            tuple(failures.get(name, ())),
        )
    dc = root.find("summary/current_dc")
    return ClusterStatus(
        local,
        frozenset(n.get("name", "") for n in nodes if n.get("online") == "true"),
        frozenset(n.get("name", "") for n in nodes if n.get("unclean") == "true"),
        dc is not None and dc.get("with_quorum") == "true",
        resources,
    )


def is_managed(primitive: Primitive, cib: Cib) -> bool:
    """Whether the cluster is in charge of a resource: neither it nor the whole cluster is in maintenance."""
    words = ("false", "off", "no", "0")
    in_maintenance = (cib.properties.get("maintenance-mode", "false"), primitive.meta.get("maintenance", "false"))
    is_unmanaged = primitive.meta.get("is-managed", "true").lower() in words
    return not is_unmanaged and all(each.lower() in words for each in in_maintenance)


def cluster_shell() -> str:
    """The tool in which commands are told: pcs or crm, by what is installed; crm_resource where neither is."""
    return next((name for name in ("pcs", "crm") if which(name)), "crm_resource")
