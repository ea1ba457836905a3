"""The operations that the resource is configured with: their timeouts, and a monitor."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from ocf_aws.child_process import BEST_EFFORT_SECONDS
from ocf_aws.cli.checks.in_cluster import in_cluster
from ocf_aws.cli.cluster.cib import Cib, Operation, Primitive
from ocf_aws.cli.cluster.commands import cluster_shell
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, passed
from ocf_aws.ocf.contradiction import RECHECK_SECONDS
from ocf_aws.ocf.errors import SETTLE_SECONDS

CHECKS = Checks()

ATTACH_SECONDS = 45.0
"""What a start of an ENI may have to wait for: a detach and an attachment of EC2's."""

SPARE_SECONDS = 5.0
TABLE_SECONDS = 0.5


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
    is_short = False
    for name, least in needed.items():
        operation, timeout = primitive.operation(name), cib.timeout(primitive, name)
        if name == "monitor" and operation is None:
            # The next check tells of it.
            continue
        if timeout < least:
            is_short = True
            advised = next(a.timeout for a in facts.context.agent.actions if a.name == name)
            yield failed(
                f"{name} has {timeout:g} s and may need {least:g} s",
                _set_operation(operation, f'timeout="{advised:g}s"')
                if operation
                else _add_operation(primitive, name, advised),
            )
    if not is_short:
        yield passed(", ".join(f"{name} {op.timeout:g} s" for name in needed if (op := primitive.operation(name))))


@CHECKS.add("monitor")
@in_cluster
def check_monitor(facts: Facts, cib: Cib, primitive: Primitive) -> Finding:
    """Is there a recurring monitor?"""
    operation = primitive.operation("monitor")
    if operation:
        return passed(f"each {operation.interval:g} s")
    # `pcs resource unmanage --monitor` disables it, and `pcs resource manage` alone leaves it so.
    disabled = next((each for each in primitive.operations if each.is_active_monitor), None)
    if disabled:
        return failed(
            f"the monitor {disabled.id} is disabled: nobody notices a failure",
            _set_operation(disabled, 'enabled="true"'),
        )
    advised = next(a for a in facts.context.agent.actions if a.name == "monitor")
    return failed(
        "no recurring monitor: nobody notices a failure",
        _add_operation(primitive, "monitor", advised.timeout, _free_interval(primitive, advised.interval or 0)),
    )


def _free_interval(primitive: Primitive, least: float) -> float:
    """Seconds for one more monitor. Pacemaker runs one monitor of an interval, also where their roles differ."""
    taken = {each.interval for each in primitive.operations if each.name == "monitor"}
    return next(least + more for more in count() if least + more not in taken)


def _set_operation(operation: Operation, attribute: str) -> str:
    """The command that changes one attribute of an operation. `pcs resource update` would drop the others (on-fail)."""
    return f"cibadmin --modify --xml-text '<op id=\"{operation.id}\" {attribute}/>'"


def _add_operation(primitive: Primitive, name: str, timeout: float, interval: float = 0) -> str:
    """The command that gives a resource an operation that it has not."""
    if cluster_shell() == "pcs":
        return f"pcs resource update {primitive.id} op {name} interval={interval:g}s timeout={timeout:g}s"
    op = f'<op id="{primitive.id}-{name}-{interval:g}s" name="{name}" interval="{interval:g}s" timeout="{timeout:g}s"/>'
    named = f' id="{primitive.operations_id}"' if primitive.operations_id else ""
    xml = f'<primitive id="{primitive.id}"><operations{named}>{op}</operations></primitive>'
    return f"cibadmin --modify --allow-create --scope resources --xml-text '{xml}'"
