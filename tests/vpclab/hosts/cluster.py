"""Corosync and Pacemaker on instances, and an operator's commands."""

from __future__ import annotations

import functools
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from xml.sax.saxutils import quoteattr

from vpclab.hosts.instance import Instance
from vpclab.waiting import wait_until

_COROSYNC_CONF = """\
totem {{
    version: 2
    cluster_name: vpclab
    transport: knet
    crypto_cipher: none
    crypto_hash: none
    token: 1000
}}
nodelist {{
{nodes}}}
quorum {{
    provider: corosync_votequorum
{votes}}}
logging {{
    to_logfile: yes
    logfile: /var/log/corosync/corosync.log
    to_syslog: no
    timestamp: hires
}}
"""

_NODE = """\
    node {{
        name: {name}
        nodeid: {number}
        ring0_addr: {name}
    }}
"""

# Without TLS, whose certificates an administrator makes with `pcs qdevice setup` or `crm cluster init qdevice`.
_QUORUM_DEVICE = """\
    device {{
        model: net
        votes: 1
        net {{
            host: {host}
            algorithm: ffsplit
            tls: off
        }}
    }}
"""

_QNETD = "#!/bin/sh\nmkdir -p /run/corosync-qnetd\nexec corosync-qnetd -f -s off\n"

# pacemakerd gives up after a few tries to reach corosync, with whole seconds between
# them; on a real node, systemd starts it once corosync has said that it is ready.
_SERVICE = """\
#!/bin/sh
set -a
. /etc/default/pacemaker
set +a
corosync -f >/dev/null 2>&1 &
until corosync-cmapctl -g runtime.services.cmap.service_id >/dev/null 2>&1; do
    sleep 0.05
done
if grep -q "model: net" /etc/corosync/corosync.conf; then
    mkdir -p /run/corosync-qdevice
    corosync-qdevice -f >/dev/null 2>&1 &
fi
exec pacemakerd
"""

_CIB = """\
<cib validate-with="{schema}" admin_epoch="0" epoch="1" num_updates="0">
  <configuration>
    <crm_config>
      <cluster_property_set id="cib-bootstrap-options">{properties}
      </cluster_property_set>
    </crm_config>
    <nodes/>
    <resources/>
    <constraints/>
  </configuration>
  <status/>
</cib>
"""

_NVPAIR = """
        <nvpair id={id} name={name} value={value}/>"""

_PROPERTIES = {
    # The first node to start asks that long whether there is a cluster already, before
    # it makes one. Nothing but the time of the first start depends on it.
    "dc-deadtime": "1s",
    "stonith-enabled": "false",
}

_OWNER = "hacluster:haclient"

_POLL_SECONDS = 0.25
"""Each look takes 50 ms of a processor, of which the cluster itself has not many."""


@dataclass(frozen=True)
class Failure:
    """A failed action, as `crm_mon` shows it."""

    resource: str
    action: str
    node: str
    status: str
    """Pacemaker's word for the exit status, for instance `not configured`."""

    reason: str
    time: str
    """When it ended, in crm_mon's words."""


@dataclass(frozen=True)
class Operation:
    """An entry of a resource's history, which the configuration (CIB) keeps: how an action last ended on a node."""

    node: str
    action: str
    status: int
    """Exit status."""

    seconds: float
    """How long it took."""


class Cluster:
    """A cluster of instances: its commands run on a node that has power."""

    def __init__(
        self,
        nodes: Sequence[Instance],
        environment: Mapping[str, str] | None = None,
        quorum_host: Instance | None = None,
    ) -> None:
        """Configure the nodes; they form the cluster whenever they boot.

        `environment`: of Pacemaker, and so of the agents it runs. `quorum_host`: runs a quorum device for the cluster.
        """
        self._nodes = {node.name: node for node in nodes}
        if quorum_host:
            quorum_host.enable("qnetd", _QNETD)
            votes = _QUORUM_DEVICE.format(host=quorum_host.name)
        else:
            votes = f"    two_node: {int(len(nodes) == 2)}\n"
        for node in nodes:
            _configure(node, list(self._nodes), environment or {}, votes)

    def seen_by(self, node: str) -> Cluster:
        """The cluster as this node sees it: where nodes cannot reach one another, each has its own view."""
        cluster = Cluster.__new__(Cluster)
        cluster._nodes = {node: self._nodes[node]}
        return cluster

    def pcs(self, *arguments: str, check: bool = True) -> str:
        """Run pcs and return its output; raises RuntimeError if it fails."""
        return self.run("pcs", *arguments, check=check)

    def crm(self, *arguments: str, check: bool = True) -> str:
        """Run the crm shell and return its output; raises RuntimeError if it fails."""
        return self.run("crm", *arguments, check=check)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command on the first node that has power, and return its output."""
        return self._any_node().run(*command, check=check).stdout

    def online(self) -> set[str]:
        """The nodes that are members and may run resources, as one of them sees it."""
        return {
            node.get("name", "")
            for node in self._status().iterfind("./nodes/node")
            if node.get("online") == "true" and node.get("pending") == "false" and node.get("unclean") == "false"
        }

    def wait_until(self, happened: Callable[[], bool], timeout: float) -> float:
        """Wait for a condition; returns the seconds that it took. Raises TimeoutError with the cluster's status."""
        return wait_until(happened, timeout, self.status, every=_POLL_SECONDS)

    def wait_online(self, timeout: float = 60.0) -> float:
        """Wait until all nodes are online; returns the seconds that it took."""
        return self.wait_until(lambda: self.online() == set(self._nodes), timeout)

    def resource_runs_on(self, resource: str) -> set[str]:
        """The names of the nodes on which a resource is active."""
        return {
            node.get("name", "")
            for found in self._status().iter("resource")
            if found.get("id", "").partition(":")[0] == resource and found.get("active") == "true"
            for node in found.iterfind("node")
        }

    def wait_for(self, resource: str, node: str, timeout: float = 30.0) -> float:
        """Wait until a resource is active on that node alone; returns the seconds."""
        return self.wait_until(lambda: self.resource_runs_on(resource) == {node}, timeout)

    def settled(self, timeout: float = 60.0) -> None:
        """Wait until the cluster is idle; raises TimeoutError."""
        # What `crm_resource --wait` looks at; that sleeps for two seconds before it does.
        self.wait_until(lambda: self._is_idle() and self._has_no_plan() and self._is_idle(), timeout)

    def failures(self) -> list[Failure]:
        """The failed actions that the cluster remembers."""
        return [
            Failure(
                resource=failure.get("op_key", "").rsplit("_", 2)[0],
                action=failure.get("task", ""),
                node=failure.get("node", ""),
                status=failure.get("exitstatus", ""),
                # Pacemaker 2.1 escapes it twice.
                reason=unescape(failure.get("exitreason", "")),
                time=failure.get("last-rc-change", ""),
            )
            for failure in self._status().iterfind("./failures/failure")
        ]

    def history(self, resource: str) -> list[Operation]:
        """How the actions of a resource last ended; an action that failed has an entry of its own."""
        state = ElementTree.fromstring(self.run("cibadmin", "--query", "--scope", "status"))
        return [
            Operation(
                node=node.get("uname", ""),
                action=operation.get("operation", ""),
                status=int(operation.get("rc-code", "-1")),
                seconds=int(operation.get("exec-time", "0")) / 1000,
            )
            for node in state.iter("node_state")
            for operation in node.iterfind(f".//lrm_resource[@id='{resource}']/lrm_rsc_op")
        ]

    def fail_counts(self, resource: str) -> dict[str, str]:
        """How often Pacemaker counts a resource as failed, by node; nodes without a failure are left out."""
        state = ElementTree.fromstring(self.run("cibadmin", "--query", "--scope", "status"))
        return {
            node.get("uname", ""): count.get("value", "")
            for node in state.iter("node_state")
            for count in node.iter("nvpair")
            if count.get("name", "").startswith(f"fail-count-{resource}#")
        }

    def status(self) -> str:
        """The output of crm_mon, as text."""
        return self.run("crm_mon", "-1rfA", check=False)

    def _is_idle(self) -> bool:
        """Whether the controller does nothing at the moment."""
        controller = self._status().find("./summary/current_dc")
        name = "" if controller is None else controller.get("name", "")
        return "S_IDLE" in self.run("crmadmin", f"--status={name}", check=False)

    def _has_no_plan(self) -> bool:
        """Whether there is nothing to be done by the configuration and the status as they are now."""
        plan = self.run("crm_simulate", "--live-check", "--simulate", "--output-as=xml", check=False)
        transition = ElementTree.fromstring(plan).find("./transition") if plan else None
        return transition is not None and len(transition) == 0

    def _status(self) -> ElementTree.Element:
        try:
            return ElementTree.fromstring(self.run("crm_mon", "-1r", "--output-as=xml", check=False))
        except (RuntimeError, ElementTree.ParseError):
            # The node lost its power just now, or Pacemaker is not up yet: nothing is known of any node.
            return ElementTree.Element("none")

    def _any_node(self) -> Instance:
        for node in self._nodes.values():
            if node.running:
                return node
        raise RuntimeError("no node of the cluster has power")


@functools.cache
def _schema() -> str:
    """The schema of a configuration that Pacemaker makes anew; older ones know no Promoted role."""
    empty = subprocess.run(["cibadmin", "--empty"], check=True, capture_output=True, text=True).stdout
    return ElementTree.fromstring(empty).get("validate-with", "")


def _configure(node: Instance, names: list[str], environment: Mapping[str, str], votes: str) -> None:
    """Write a node's configuration in place of that of the machine it is a clone of.

    votes: lines of corosync.conf beside the nodes' own votes.
    """
    for directory in ("cib", "pengine"):
        for file in (node.root / "var/lib/pacemaker" / directory).iterdir():
            node.remove(str(file.relative_to(node.root)))
    for directory in ("var/lib/corosync", "var/log/corosync"):
        for file in (node.root / directory).iterdir():
            node.remove(str(file.relative_to(node.root)))
    node.remove("var/log/pacemaker/pacemaker.log")
    nodes = "".join(_NODE.format(name=name, number=number) for number, name in enumerate(names, 1))
    node.write(
        "etc/corosync/corosync.conf",
        _COROSYNC_CONF.format(nodes=nodes, votes=votes),
    )
    settings = "".join(f"{name}={value}\n" for name, value in environment.items())
    node.write("etc/default/pacemaker", settings)
    pairs = "".join(
        _NVPAIR.format(
            id=quoteattr(f"cib-bootstrap-options-{name}"),
            name=quoteattr(name),
            value=quoteattr(value),
        )
        for name, value in _PROPERTIES.items()
    )
    cib = _CIB.format(schema=_schema(), properties=pairs)
    node.write("var/lib/pacemaker/cib/cib.xml", cib, mode=0o600, owner=_OWNER)
    node.enable("cluster", _SERVICE)
