"""The cluster around the resource: time-outs, fencing, constraints, and who else has the address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

from ocf_aws.cli.cib import Cib, Primitive
from ocf_aws.cli.cib_xml import DEFAULT_TIMEOUT, seconds
from ocf_aws.cli.cluster_commands import cluster_shell, run
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, Verdict, failed, not_applicable, passed, warning
from ocf_aws.ip import IpAddress
from ocf_aws.ocf.errors import SETTLE_SECONDS, Unknown

CHECKS = Checks()

ATTACH_SECONDS = 45.0
"""What a start of an ENI may have to wait for: a detach and an attachment of EC2's."""

RECHECK_SECONDS = 6.0
BEST_EFFORT_SECONDS = 10.0
SPARE_SECONDS = 5.0
TABLE_SECONDS = 0.5
FALSE = ("false", "off", "no", "0")


def in_cluster(function: Callable[[Facts, Cib, Primitive], Verdict]) -> Callable[[Facts], Verdict]:
    """A check of a resource that is in the live CIB; not applicable to another."""

    @wraps(function)
    def check(facts: Facts) -> Verdict:
        primitive, cib = facts.definition.primitive, facts.definition.cib
        if primitive is None or cib is None:
            return not_applicable("the resource is in no cluster yet")
        return function(facts, cib, primitive)

    return check


@CHECKS.add("timeouts")
@in_cluster
def check_timeouts(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """The operations' timeouts, against the work that there may be to do."""
    tables = len(facts.get("routes") or [1]) if facts.is_overlay_ip else 0
    api = float(min(facts.p.api_timeout or 10, 10))
    needed = {
        "start": SETTLE_SECONDS + api + SPARE_SECONDS + (tables * TABLE_SECONDS if tables else ATTACH_SECONDS),
        "stop": BEST_EFFORT_SECONDS + SPARE_SECONDS,
        "monitor": RECHECK_SECONDS + api + (tables - 1) * TABLE_SECONDS * (tables > 1),
    }
    default = float(seconds_default(cib))
    is_short = False
    for name, least in needed.items():
        operation = primitive.operation(name)
        timeout = operation.timeout if operation else default
        if timeout < least:
            is_short = True
            advised = next(a.timeout for a in facts.context.agent.actions if a.name == name)
            yield failed(
                f"{name} has {timeout:g} s and may need {least:g} s", update_operation(primitive, name, advised)
            )
    if not is_short:
        yield passed(", ".join(f"{name} {op.timeout:g} s" for name in needed if (op := primitive.operation(name))))


@CHECKS.add("monitor")
@in_cluster
def check_monitor(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """Is there a recurring monitor?"""
    operation = primitive.operation("monitor")
    if operation is None:
        advised = next(a for a in facts.context.agent.actions if a.name == "monitor")
        return failed(
            "no recurring monitor: nobody notices a failure",
            update_operation(primitive, "monitor", advised.timeout, advised.interval),
        )
    return passed(f"each {operation.interval:g} s")


@CHECKS.add("failure-handling")
@in_cluster
def check_failure_handling(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """When do failures ban a node, and when are they forgotten?"""
    threshold = primitive.meta.get("migration-threshold", "INFINITY")
    expires = primitive.meta.get("failure-timeout", "0")
    if threshold == "1" and expires in ("", "0", "0s"):
        return warning(
            "migration-threshold=1 without failure-timeout: one failure bans the node until somebody cleans up",
            f"crm_resource --resource {primitive.id} --meta --set-parameter failure-timeout --parameter-value 10min",
        )
    return passed(f"migration-threshold {threshold}, failure-timeout {expires}")


@CHECKS.add("stickiness")
@in_cluster
def check_stickiness(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """Does the resource stay where it is while something else changes?"""
    # Pacemaker adds up what the members of a group have.
    group = [each for each in cib.primitives if primitive.parents and each.parents == primitive.parents]
    scores = [each.meta.get("resource-stickiness", "0") for each in group or [primitive]]
    if all(score.strip("+0") == "" or score.startswith("-") for score in scores):
        return warning(
            "resource-stickiness is 0: Pacemaker moves a healthy address when it balances the nodes anew",
            f"crm_resource --resource {primitive.id} --meta --set-parameter resource-stickiness --parameter-value 1000",
        )
    return passed(f"resource-stickiness {', '.join(scores)}")


@CHECKS.add("managed")
@in_cluster
def check_managed(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """Is the cluster in charge of it?"""
    if cib.properties.get("maintenance-mode", "false").lower() not in FALSE:
        return warning(
            "the cluster is in maintenance mode", "crm_attribute --type crm_config --name maintenance-mode --delete"
        )
    if primitive.meta.get("maintenance", "false").lower() not in FALSE:
        return warning(
            f"{primitive.id} is in maintenance",
            f"crm_resource --resource {primitive.id} --meta --delete-parameter maintenance",
        )
    if primitive.meta.get("is-managed", "true").lower() in FALSE:
        return warning(
            f"{primitive.id} is unmanaged",
            f"crm_resource --resource {primitive.id} --meta --delete-parameter is-managed",
        )
    if primitive.meta.get("target-role", "Started").lower() == "stopped":
        return warning(
            f"{primitive.id} is disabled (target-role)",
            f"crm_resource --resource {primitive.id} --meta --delete-parameter target-role",
        )
    return passed("managed")


@CHECKS.add("failures")
@in_cluster
def check_failures(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Has it failed, and is that remembered?"""
    status = facts["cluster"].resources.get(primitive.id)
    for failure in status.failures if status else ():
        yield warning(f"the cluster remembers: {failure}", f"crm_resource --cleanup --resource {primitive.id}")
    if not status or not status.failures:
        yield passed("none remembered")


@CHECKS.add("bans")
@in_cluster
def check_bans(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Constraints that a move left behind."""
    names = {primitive.id, *primitive.parents}
    found = [(resource, node, id) for id, resource, node in cib.bans if resource in names]
    for resource, _, id in found:
        yield warning(f"{id} is left from a move or ban", f"crm_resource --resource {resource} --clear")
    if not found:
        yield passed("none left behind")


@CHECKS.add("standby")
@in_cluster
def check_standby(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Nodes that may run nothing."""
    for node in sorted(cib.standby):
        yield warning(f"{node} is in standby", f"crm_standby --node {node} --delete")
    if not cib.standby:
        yield passed("no node is in standby")


@CHECKS.add("fencing")
@in_cluster
def check_fencing(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """Without fencing two nodes may serve at once."""
    if cib.properties.get("stonith-enabled", "true").lower() in FALSE:
        return failed(
            "fencing is off: two nodes may have the address at once",
            "crm_attribute --type crm_config --name stonith-enabled --update true",
        )
    if not cib.fencing_devices:
        return failed("no fencing device is configured", _create_fencing(facts, cib))
    return passed(", ".join(f"{each.id} ({each.type})" for each in cib.fencing_devices))


def _create_fencing(facts: Facts, cib: Cib) -> str:
    ids = {name: peer.id for name, peer in (facts.get("peers") or {}).items() if peer}
    ids[facts["cluster"].local] = facts.get("instance_id") or "INSTANCE"
    hosts = ";".join(f"{name}:{ids.get(name, 'INSTANCE')}" for name in cib.nodes)
    options = f'region={facts.get("region") or "REGION"} pcmk_host_map="{hosts}"'
    try:
        # Without it EC2 waits for a shutdown of a system that may hang; older versions do not know it.
        options += " skip_os_shutdown=true" * ("skip_os_shutdown" in run("fence_aws", "-o", "metadata"))
    except Unknown:
        pass
    if cluster_shell() == "crm":
        return f"crm configure primitive fence stonith:fence_aws params {options}"
    return f"pcs stonith create fence fence_aws {options}"


@CHECKS.add("fencing-map")
@in_cluster
def check_fencing_map(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Does fence_aws know each node's instance?"""
    devices = [each for each in cib.fencing_devices if each.type == "fence_aws"]
    if not devices:
        yield not_applicable("no device of fence_aws")
        return
    mapped = cib.instance_ids()
    cluster, own = facts["cluster"], facts.get("instance_id")
    complete = dict(mapped)
    for name, peer in (facts.get("peers") or {}).items():
        if peer:
            complete[name] = peer.id
    if own:
        complete[cluster.local] = own
    remedy = ";".join(f"{name}:{complete.get(name, 'INSTANCE')}" for name in cib.nodes)
    command = f"crm_resource --resource {devices[0].id} --set-parameter pcmk_host_map --parameter-value '{remedy}'"
    missing = [name for name in cib.nodes if name not in mapped]
    wrong = own and mapped.get(cluster.local, own) != own
    if missing and any("pcmk_host_map" in each.parameters for each in devices):
        yield failed(f"pcmk_host_map does not name {', '.join(missing)}", command)
    elif wrong:
        yield failed(f"pcmk_host_map says {mapped[cluster.local]} for {cluster.local}, which is {own}", command)
    else:
        yield passed("names each node")


@CHECKS.add("colocation")
@in_cluster
def check_colocation(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """Does the address follow what it serves?"""
    names = {primitive.id, *primitive.parents}
    if len([each for each in cib.primitives if set(each.parents) & set(primitive.parents)]) > 1:
        return passed(f"in group {primitive.parents[0]}")
    if any(names & {one, other} for one, other in cib.colocations):
        return passed("colocated")
    others = [each for each in cib.primitives if each.standard != "stonith" and each.id != primitive.id]
    if not others:
        return not_applicable("there is no other resource")
    other = (*reversed(others[0].parents), others[0].id)[0]
    colocate = f"pcs constraint colocation add {primitive.id} with {other}"
    if cluster_shell() == "crm":
        colocate = f"crm configure colocation {primitive.id}-with-{other} inf: {primitive.id} {other}"
    return warning(f"{primitive.id} is colocated with nothing: it follows no service", colocate)


@CHECKS.add("same-address")
@in_cluster
def check_same_address(facts: Facts, cib: Cib, primitive: Primitive) -> Iterator[Finding]:
    """Another resource with the same address or ENI."""
    found = [each for each in cib.primitives if each.id != primitive.id and _clash(primitive, each)]
    for each in found:
        if each.type == "aws-vpc-move-ip":
            yield failed(
                f"{each.id} ({each.spec}) has the same address",
                f"crm_resource --resource {each.id} --meta --set-parameter target-role --parameter-value Stopped",
            )
        else:
            yield failed(
                f"{each.id} ({each.spec}) has the same address or ENI",
                f"crm_resource --resource {each.id} --meta --set-parameter target-role --parameter-value Stopped",
            )
    if not found:
        yield passed("no other resource has it")


def _clash(one: Primitive, other: Primitive) -> bool:
    if other.meta.get("target-role", "Started").lower() == "stopped":
        return False
    if one.parameters.get("eni_id"):
        return one.parameters["eni_id"] == other.parameters.get("eni_id")
    own = _address(one)
    return own is not None and own == _address(other)


def _address(primitive: Primitive) -> IpAddress | None:
    text = primitive.parameters.get("ip") or primitive.parameters.get("address") or ""
    try:
        return IpAddress.parse(text.strip())
    except ValueError:
        return None


def seconds_default(cib: Cib) -> float:
    """The timeout of an operation that the resource does not configure."""
    return seconds(cib.op_defaults.get("timeout"), DEFAULT_TIMEOUT)


def update_operation(primitive: Primitive, name: str, timeout: float, interval: float | None = None) -> str:
    """The command that gives an operation its timeout, and an interval where it has none."""
    operation = primitive.operation(name)
    every = interval if interval is not None else (operation.interval if operation else 0)
    if cluster_shell() != "pcs":
        id = operation.id if operation else f"{primitive.id}-{name}-{every:g}s"
        op = f'<op id="{id}" name="{name}" interval="{every:g}s" timeout="{timeout:g}s"/>'
        named = f' id="{primitive.operations_id}"' if primitive.operations_id else ""
        xml = f'<primitive id="{primitive.id}"><operations{named}>{op}</operations></primitive>'
        return f"cibadmin --modify --allow-create --scope resources --xml-text '{xml}'"
    return f"pcs resource update {primitive.id} op {name} interval={every:g}s timeout={timeout:g}s"
