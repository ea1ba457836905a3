"""The live configuration: what `cibadmin --query` answers, as values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from ocf_aws.cli.cluster.cib import Cib, Colocation, Operation, Primitive, is_off
from ocf_aws.cli.cluster.commands import run
from ocf_aws.ocf.deadline import DEFAULT_TIMEOUT
from ocf_aws.ocf.errors import Unknown

_Meta = dict[str, tuple[str, str]]
"""Meta attributes by name: the value, and the resource that says so, "" for a template and the defaults."""

_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "msec": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "hr": 3600.0}


def query_cib() -> Cib:
    """The live configuration. Raises Unknown where the cluster does not run on this node."""
    return parse_cib(ElementTree.fromstring(run("cibadmin", "--query")))


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


def parse_cib(root: ElementTree.Element) -> Cib:
    """The configuration in an answer of cibadmin."""
    configuration = root.find("configuration")
    if configuration is None:
        raise Unknown("cibadmin answers without a configuration")
    _resolve_references(configuration)
    rsc_defaults = _meta(configuration.find("rsc_defaults"))
    op_defaults = _nvpairs(configuration.find("op_defaults"), "meta_attributes")
    default_timeout = seconds(op_defaults.get("timeout"), DEFAULT_TIMEOUT)
    resources = configuration.find("resources")
    templates = {each.get("id", ""): each for each in configuration.iter("template")}
    primitives = [] if resources is None else list(_primitives(resources, (), rsc_defaults, default_timeout, templates))
    properties: dict[str, str] = {}
    crm_config = configuration.find("crm_config")
    if crm_config is not None:
        properties = _nvpairs(crm_config, "cluster_property_set")
    return Cib(
        tuple(primitives),
        tuple(node.get("uname", "") for node in configuration.iterfind("nodes/node")),
        properties,
        default_timeout,
        tuple(_colocations(configuration)),
        tuple(_bans(configuration)),
        _node_attributes(root),
    )


def _resolve_references(configuration: ElementTree.Element) -> None:
    """Put in place of each element with an id-ref the one of the same kind that it refers to, wherever that is."""
    originals = {(each.tag, each.get("id")): each for each in configuration.iter() if each.get("id")}
    for parent in list(configuration.iter()):
        for position, child in enumerate(parent):
            original = originals.get((child.tag, child.get("id-ref")))
            if original is not None:
                parent[position] = _renamed(original, child.get("name"))


def _renamed(element: ElementTree.Element, name: str | None) -> ElementTree.Element:
    """The element, under another name where a reference to an nvpair gives one."""
    if name is None:
        return element
    return ElementTree.Element(element.tag, {**element.attrib, "name": name})


def _primitives(
    parent: ElementTree.Element,
    parents: tuple[str, ...],
    meta: _Meta,
    default_timeout: float,
    templates: dict[str, ElementTree.Element],
) -> Iterator[Primitive]:
    for child in parent:
        inherited = {**meta, **_meta(child)}
        if child.tag == "primitive":
            yield _primitive(child, parents, meta, default_timeout, templates.get(child.get("template", "")))
        elif child.tag in ("group", "clone", "master", "bundle"):
            yield from _primitives(child, (child.get("id", ""), *parents), inherited, default_timeout, templates)


def _primitive(
    element: ElementTree.Element,
    parents: tuple[str, ...],
    meta: _Meta,
    default_timeout: float,
    template: ElementTree.Element | None,
) -> Primitive:
    sources = [source for source in (template, element) if source is not None]
    parameters: dict[str, str] = {}
    operations: dict[tuple[str, float], Operation] = {}
    for source in sources:
        parameters.update(_nvpairs(source, "instance_attributes"))
        meta = {**meta, **_meta(source)}
        for op in source.iterfind("operations/op"):
            interval = seconds(op.get("interval"))
            timeout = op.get("timeout") or _nvpairs(op, "meta_attributes").get("timeout")
            level = op.get("OCF_CHECK_LEVEL") or _nvpairs(op, "instance_attributes").get("OCF_CHECK_LEVEL") or "0"
            operations[op.get("name", ""), interval] = Operation(
                op.get("id", ""),
                op.get("name", ""),
                interval,
                seconds(timeout, default_timeout),
                int(level) if level.isdecimal() else 0,
                op.get("role", "Started"),
                not is_off(op.attrib, "enabled", "true"),
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
        {name: value for name, (value, _) in meta.items()},
        {name: owner for name, (_, owner) in meta.items()},
        tuple(operations.values()),
        parents,
        "" if (own := element.find("operations")) is None else own.get("id", ""),
        element.get("template", ""),
    )


def _node_attributes(root: ElementTree.Element) -> dict[str, dict[str, tuple[str, str]]]:
    """The nodes' attributes; for Pacemaker one that lasts until a reboot comes before one that lasts for ever."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for path, child, lifetime in (
        ("configuration/nodes/node", ".", "forever"),
        ("status/node_state", "transient_attributes", "reboot"),
    ):
        for node in root.iterfind(path):
            pairs = _nvpairs(node.find(child), "instance_attributes")
            attributes = found.setdefault(node.get("uname", ""), {})
            attributes.update({name: (value, lifetime) for name, value in pairs.items()})
    return found


def _meta(element: ElementTree.Element | None) -> _Meta:
    owner = "" if element is None or element.tag in ("rsc_defaults", "template") else element.get("id", "")
    return {name: (value, owner) for name, value in _nvpairs(element, "meta_attributes").items()}


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


def _colocations(configuration: ElementTree.Element) -> Iterator[Colocation]:
    for constraint in configuration.iterfind("constraints/rsc_colocation"):
        if constraint.get("score", "INFINITY").startswith(("-", "0")):
            # They are kept apart, or asked for nothing.
            continue
        if constraint.get("rsc"):
            yield Colocation(
                constraint.get("rsc", ""), constraint.get("with-rsc", ""), constraint.get("with-rsc-role", "")
            )
        else:
            members = [
                (ref.get("id", ""), members.get("role", ""))
                for members in constraint.iterfind("resource_set")
                for ref in members.iterfind("resource_ref")
            ]
            yield from (Colocation(one, other, role) for one, _ in members for other, role in members if one != other)


def _bans(configuration: ElementTree.Element) -> Iterator[tuple[str, str, str]]:
    """What `pcs resource move` and `crm resource ban` leave behind."""
    for constraint in configuration.iterfind("constraints/rsc_location"):
        if constraint.get("id", "").startswith(("cli-ban-", "cli-prefer-", "cli-standby-")):
            yield constraint.get("id", ""), constraint.get("rsc", ""), constraint.get("node", "")
