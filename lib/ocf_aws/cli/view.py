"""Who has what, as EC2, the kernel here and Pacemaker see it at one moment, and where they disagree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ocf_aws.cli.definition import Definition
from ocf_aws.cli.facts import HERE, Facts
from ocf_aws.cli.output import FOUND, OK, UNKNOWN


@dataclass(frozen=True)
class TableRow:
    """What one route table says. holder: node, or instance, or ENI; empty without a route. state: as EC2 has it."""

    id: str
    name: str
    subnets: str
    holder: str
    eni: str
    state: str
    disagreement: str = ""


@dataclass
class View:
    """All that is known of one resource at one moment. disagreements, unknown: sentences."""

    resource: str
    subject: str
    cluster: str
    nodes: list[str]
    kernel: str
    source_dest: str = ""
    attachment: str = ""
    tables: list[TableRow] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status."""
        return FOUND if self.disagreements else UNKNOWN if self.unknown else OK


def look(definition: Definition) -> View:
    """What everybody says of a resource now; what nobody says is unknown."""
    facts = Facts(definition).gather(has_trials=False)
    view = _cluster_view(facts)
    _add_kernel(view, facts)
    if facts.is_overlay_ip:
        _add_tables(view, facts)
        _add_source_dest(view, facts)
    else:
        _add_attachment(view, facts)
    return view


def _cluster_view(facts: Facts) -> View:
    subject = str((facts.p.ip if facts.is_overlay_ip else facts.p.eni_id) or "")
    view = View(facts.definition.name, subject, "not in a cluster", [], "")
    for text in facts.p.wrong.values():
        view.disagreements.append(text)
    if facts.definition.primitive is None:
        return view
    cluster = facts.get("cluster")
    if cluster is None:
        view.cluster = "unknown"
        view.unknown.append(f"Pacemaker: {facts.failure('cluster')}")
        return view
    status = cluster.resources.get(facts.definition.name)
    view.nodes = list(status.nodes) if status else []
    view.cluster = f"{status.role if status else 'Stopped'} {' '.join(view.nodes)}".strip()
    if len(view.nodes) > 1:
        view.disagreements.append(f"Pacemaker has it active on {' and '.join(view.nodes)}")
    if status and status.role == "Failed":
        view.disagreements.append(f"it has failed: {'; '.join(status.failures)}")
    if not cluster.has_quorum:
        view.disagreements.append(f"{cluster.local} has no quorum: another part of the cluster may say otherwise")
    for node in sorted(cluster.unclean):
        view.disagreements.append(f"{node} is unclean: nobody knows what it does until it is fenced")
    return view


def _expected(view: View, facts: Facts) -> str | None:
    """The node that is to have it: Pacemaker's, else this one where its kernel has it; None where nobody says."""
    if len(view.nodes) == 1:
        return view.nodes[0]
    if facts.definition.primitive is None and _is_here(facts):
        return HERE
    return None


def _local(facts: Facts) -> str:
    cluster = facts.get("cluster")
    return cluster.local if cluster and facts.definition.primitive else HERE


def _is_here(facts: Facts) -> bool | None:
    """Whether the kernel of this node has it, None where that is unknown."""
    if facts.is_overlay_ip:
        addresses = facts.get("addresses")
        return None if addresses is None else any(each.ip == facts.p.ip for each in addresses)
    eni = facts.get("moved_eni")
    links = facts.get("links")
    return None if eni is None or links is None else any(link.mac == eni.mac for link in links)


def _add_kernel(view: View, facts: Facts) -> None:
    is_here, local = _is_here(facts), _local(facts)
    node = "" if local == HERE else f"{local}: "
    if is_here is None:
        view.kernel = "unknown"
        return
    if is_here:
        index = (
            next((each.index for each in facts["addresses"] if each.ip == facts.p.ip), None)
            if facts.is_overlay_ip
            else None
        )
        mac = None if facts.is_overlay_ip else facts["moved_eni"].mac
        link = next((each for each in facts["links"] if each.index == index or each.mac == mac), None)
        state = "up" if link and link.is_up else "down"
        view.kernel = (
            f"{node}{link.name if link else '?'}{f' {facts.p.ip.network}' if facts.is_overlay_ip else ''}, {state}"
        )
        if state == "down":
            view.disagreements.append(f"{link.name if link else 'the link'} is down")
    else:
        view.kernel = f"{node}not here"
    if facts.definition.primitive and facts.get("cluster"):
        if is_here and local not in view.nodes:
            view.disagreements.append(f"the kernel of {local} has it, and Pacemaker says {view.cluster}")
        if not is_here and local in view.nodes:
            view.disagreements.append(f"Pacemaker says {view.cluster}, and the kernel of {local} has it not")


def _add_tables(view: View, facts: Facts) -> None:
    failure = facts.failure("routes")
    routes = facts.get("routes")
    if routes is None:
        view.unknown.append(f"route tables: {failure or 'not asked'}")
        return
    expected = _expected(view, facts)
    tables = {table.id: table for table in facts.get("tables") or []}
    names = {subnet.id: subnet.name or subnet.id for subnet in facts.get("subnets") or []}
    explicit = {subnet for table in tables.values() for subnet in table.subnets}
    implicit = [subnet for subnet in names if subnet not in explicit]
    selected = [route.table_id for route in routes]
    others = [table.route(facts.p.ip) for table in tables.values() if table.id not in selected]
    doubts: list[str] = []
    for route in [*routes, *others]:
        table = tables.get(route.table_id)
        subnets = [names.get(subnet, subnet) for subnet in table.subnets] if table else []
        if table and table.is_main:
            subnets += [f"{names[subnet]} (implicit)" for subnet in implicit]
        is_named = route.table_id in selected
        if not is_named and not subnets and route.entry is None:
            continue
        entry = route.entry or {}
        holder = holder_name(facts, entry)
        state = entry.get("State", "active") if route.entry else "no route" if route.is_visible else "not found"
        # A blackhole is one, whoever has had it.
        doubt = _doubt(facts, holder, expected) if is_named and state == "active" else ""
        doubts += [doubt] if doubt else []
        view.tables.append(
            TableRow(
                route.table_id,
                (table.name or "main") if table and (table.name or table.is_main) else "",
                ", ".join(subnets),
                holder,
                entry.get("NetworkInterfaceId", ""),
                state,
                _table_problem(state, holder, None if doubt else expected, is_named),
            )
        )
    view.unknown += dict.fromkeys(doubts)
    wrong = [row for row in view.tables if row.disagreement]
    view.disagreements += [f"{row.id} {row.disagreement}" for row in wrong]
    if facts.failure("tables"):
        view.unknown.append(f"other tables of the VPC: {facts.failure('tables')}")


def _table_problem(state: str, holder: str, expected: str | None, is_named: bool) -> str:
    if not is_named:
        return "is not in the definition" + (", and has a route" if state != "no route" else "")
    if state in ("blackhole", "not found"):
        return f"is a {state}" if state == "blackhole" else "is not found"
    if expected and holder != expected:
        return f"leads to {holder}, not to {expected}" if holder else f"has no route, {expected} has the address"
    return ""


def holder_name(facts: Facts, entry: dict[str, Any]) -> str:
    """Who an entry leads to: a node by its name, else the instance, else whatever EC2 names; empty without a route."""
    eni, instance = entry.get("NetworkInterfaceId"), entry.get("InstanceId")
    node = facts.find_node(instance, eni)
    if node:
        return _local(facts) if node == HERE else node
    return str(instance or eni or entry.get("GatewayId") or ("?" if entry else ""))


def _doubt(facts: Facts, holder: str, expected: str | None) -> str:
    """Why nobody can tell whether an instance or ENI is the expected node's; empty where that is known."""
    if not expected or not holder.startswith(("i-", "eni-")) or holder in [_local(facts), *(facts.get("peers") or {})]:
        return ""
    reason = facts.why_unknown(HERE if expected == _local(facts) else expected)
    return f"whether {holder} is {expected}: {reason}" if reason else ""


def _add_source_dest(view: View, facts: Facts) -> None:
    own, peers, expected = facts.get("own_eni"), facts.get("peers") or {}, _expected(view, facts)
    enis = {_local(facts): own} if own else {}
    enis |= {name: facts.carrier(peer) for name, peer in peers.items() if peer}
    words = {name: "unknown" if eni is None else "on" if eni.source_dest_check else "off" for name, eni in enis.items()}
    view.source_dest = ", ".join(f"{name} {word}" for name, word in words.items()) or "unknown"
    if expected is None or facts.p.source_dest_check == "ignore":
        return
    if words.get(expected) == "on":
        view.disagreements.append(
            f"the source/destination check of {expected} is on: EC2 drops packets for {facts.p.ip}"
        )
    if words.get(expected) == "unknown":
        view.unknown.append(f"which ENI of {expected} carries {facts.p.ip}, and so its source/destination check")


def _add_attachment(view: View, facts: Facts) -> None:
    eni = facts.get("moved_eni")
    if eni is None:
        reason = facts.failure("moved_eni")
        if reason:
            view.unknown.append(f"{facts.p.eni_id}: {reason}")
        else:
            view.disagreements.append(f"EC2 knows no ENI {facts.p.eni_id}")
        view.attachment = "unknown"
        return
    holder = holder_name(facts, {"InstanceId": eni.holder}) if eni.holder else ""
    view.attachment = f"{eni.attachment_text}{f' ({holder})' if holder and holder != eni.holder else ''}"
    expected = _expected(view, facts)
    is_attached = eni.attachment_status in ("attached", "attaching")
    doubt = _doubt(facts, holder, expected)
    if doubt and is_attached:
        view.unknown.append(doubt)
    elif expected and (holder != expected or not is_attached):
        view.disagreements.append(f"EC2 has the ENI {view.attachment}, Pacemaker says {view.cluster}")
    if facts.definition.primitive and eni.holder and facts.find_node(eni.holder) == HERE and view.nodes == []:
        view.disagreements.append(f"the ENI is attached here, and Pacemaker says {view.cluster}")
