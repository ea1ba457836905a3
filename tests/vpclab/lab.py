"""A lab: the emulated EC2, the network, the instances and the cluster, up and down together.

with Lab() as lab:
    lab.fence()
    lab.cluster.pcs("resource", "create", ...)
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import TracebackType
from xml.etree.ElementTree import Element, SubElement, tostring

from vpclab import sandbox
from vpclab.authority import Authority
from vpclab.checkout import CHECKOUT
from vpclab.client import responder
from vpclab.client.watch import Watch
from vpclab.command import run
from vpclab.ec2 import Ec2
from vpclab.ec2.imds import Imds
from vpclab.hosts.cluster import Cluster
from vpclab.hosts.instance import Instance
from vpclab.network.network import AWS_ADDRESS, AWS_NETNS, IMDS_ADDRESS, Network
from vpclab.network.on_premises import OnPremises
from vpclab.network.router import NETNS
from vpclab.office import BuiltOffice
from vpclab.plan import DEFAULT, Plan, build_vpc, run_hosts

_CA_BUNDLE = "/etc/ssl/certs/vpclab.pem"

LIBRARY = "/usr/local/lib/vpclab"
"""On each instance the program that responds; on those outside of the cluster the packages ocf_aws and vpclab as well."""

_BOOT_SECONDS = 8.0
"""From power-on to the services. Without it, a fenced node would be back before its peer has taken over."""

_RESPONDER = f"#!/bin/sh\nexec /usr/bin/python3 -I {LIBRARY}/responder.py\n"


@functools.cache
def _skip_os_shutdown() -> dict[str, str]:
    """An instance here has no operating system that could shut down in order; older versions know neither."""
    return {"skip_os_shutdown": "true"} if "skip_os_shutdown" in run("fence_aws", "-o", "metadata") else {}


class Lab:
    """A lab made by a plan, ready when its context is entered: all nodes are online.

    Needs a sandbox around it. `ready_seconds` tells how long that took.
    """

    ec2: Ec2
    imds: Imds
    network: Network
    cluster: Cluster
    subnets: Mapping[str, str]
    """Ids by the names in the plan."""

    route_tables: Mapping[str, str]
    """Ids by the names in the plan."""

    built_office: BuiltOffice | None
    """The ids of the way to the office, if the plan has one."""

    ready_seconds: float

    def __init__(self, plan: Plan = DEFAULT, package: Path | None = None) -> None:
        """`package`: a .deb to install on the nodes; None: install the agents of this checkout by `make install`."""
        self.plan = plan
        self._package = package
        self.instances: dict[str, Instance] = {}
        """All hosts of the plan by name; `nodes`, `client` and the office's host are among them."""

        self._syncing = Lock()
        self._open = ExitStack()

    def __enter__(self) -> Lab:
        start = time.monotonic()
        with ExitStack() as stack:
            self._bring_up(stack)
            self._open = stack.pop_all()
        self.ready_seconds = time.monotonic() - start
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def nodes(self) -> dict[str, Instance]:
        """The instances that form the cluster, by name."""
        return {host.name: self.instances[host.name] for host in self.plan.nodes}

    @property
    def client(self) -> Instance:
        """The first instance that is not in the cluster."""
        return next(self.instances[host.name] for host in self.plan.hosts if not host.node)

    def other(self, node: str) -> str:
        """The name of the node that is not this one."""
        return next(name for name in self.nodes if name != node)

    def watch(self, *addresses: str, host: str | None = None) -> Watch:
        """A client, on that host or on the instance `client`, that watches who answers at the addresses.

        A context manager.
        """
        watching = self.instances[host] if host else self.client
        return Watch(watching.popen, addresses, library=LIBRARY)

    def primary_eni(self, name: str) -> str:
        """Id of the primary ENI of a host."""
        instance_id = self.instances[name].id
        return next(eni.id for eni in self.ec2.vpc().enis if (eni.instance_id, eni.device_index) == (instance_id, 0))

    def create_eni(self, subnet: str, *addresses: str) -> str:
        """A detached ENI in a subnet of the plan, with these IPv4 and IPv6 addresses. Returns its id."""
        ipv4 = [{"PrivateIpAddress": address} for address in addresses if ":" not in address]
        ipv6 = [{"Ipv6Address": address} for address in addresses if ":" in address]
        answer = self.ec2.operator().create_network_interface(
            SubnetId=self.subnets[subnet],
            PrivateIpAddresses=[{**item, "Primary": item is ipv4[0]} for item in ipv4],
            Ipv6Addresses=ipv6,
        )
        return str(answer["NetworkInterface"]["NetworkInterfaceId"])

    def eni_holder(self, eni_id: str) -> str | None:
        """The host that an ENI is attached to; None without one."""
        owner = next(eni.instance_id for eni in self.ec2.vpc().enis if eni.id == eni_id)
        return next((name for name, instance in self.instances.items() if instance.id == owner), None)

    def holders(self, destination: str) -> dict[str, str | None]:
        """The host to which each route table sends a destination, by the table's name; None without a route."""
        vpc = self.ec2.vpc()
        owners = {eni.id: eni.instance_id for eni in vpc.enis}
        names = {instance.id: name for name, instance in self.instances.items()}
        found: dict[str, str | None] = {}
        for name, table_id in self.route_tables.items():
            table = next(table for table in vpc.route_tables if table.id == table_id)
            eni = next((route.eni_id for route in table.routes if route.destination == destination), None)
            found[name] = names.get(owners.get(eni or "") or "")
        return found

    def fence(self) -> None:
        """Set up fence_aws, and wait until the cluster is idle."""
        hosts = ";".join(f"{node.name}:{node.id}" for node in self.nodes.values())
        options = {"region": self.plan.region, "pcmk_host_map": hosts, **_skip_os_shutdown()}
        # pcs takes seconds of a processor for this; the tests of the examples and the documents run it.
        device = Element("primitive", {"id": "fence", "class": "stonith", "type": "fence_aws"})
        attributes = SubElement(device, "instance_attributes", id="fence-attributes")
        for name, value in options.items():
            SubElement(attributes, "nvpair", id=f"fence-attributes-{name}", name=name, value=value)
        operations = SubElement(device, "operations")
        SubElement(operations, "op", id="fence-monitor-60s", name="monitor", interval="60s")
        self.cluster.run("cibadmin", "--create", "--scope", "resources", "--xml-text", tostring(device, "unicode"))
        self.cluster.run("crm_attribute", "--name", "stonith-enabled", "--update", "true")
        self.cluster.settled()

    def _bring_up(self, stack: ExitStack) -> None:
        self.network = Network()
        stack.callback(self.network.close)
        stack.callback(self._close_instances)
        self.ec2 = Ec2(region=self.plan.region)
        stack.callback(self.ec2.close)
        vpc = build_vpc(self.ec2, self.plan)
        self.subnets, self.route_tables, self.built_office = vpc.subnets, vpc.route_tables, vpc.office
        ids = run_hosts(self.ec2, self.plan, vpc)
        authority = Authority(self.plan.region)
        for name, instance_id in ids.items():
            self.instances[name] = instance = Instance(name, instance_id, self.network)
            self._write_settings(instance, authority)
        quorum_host = self.instances[self.plan.quorum_host] if self.plan.quorum_host else None
        self.cluster = Cluster(list(self.nodes.values()), {"AWS_CA_BUNDLE": _CA_BUNDLE}, quorum_host)
        for node in self.nodes.values():
            node.enable("responder", _RESPONDER)
            self._turn_off_source_dest_check(node)
        self._install_agents()
        self._sync_network()
        if self.plan.office and vpc.office:
            plan, vpn = self.plan.office, vpc.office.vpn_attachment_id
            on_premises = OnPremises(self.network, vpn, plan.cidr, plan.address)
            self.instances[plan.name] = office = Instance(plan.name, plan.name, on_premises)
            stack.callback(on_premises.close)
            stack.callback(self._close_instances)
            self._write_settings(office, authority)
        self.ec2.on_change = self._sync_network
        self.ec2.power = _Power(self.instances)
        self.ec2.listen(sandbox.listen(AWS_NETNS, AWS_ADDRESS, 443), authority.context())
        self.imds = Imds(self.ec2)
        stack.callback(self.imds.close)
        self.imds.listen(sandbox.listen(NETNS, IMDS_ADDRESS, 80))
        with ThreadPoolExecutor() as all_at_once:
            list(all_at_once.map(Instance.boot, self.instances.values()))
        self.cluster.wait_online()

    def _sync_network(self) -> None:
        """Make the network equal to EC2's state; one call at a time, so that no change is lost."""
        with self._syncing:
            self.network.sync(self.ec2.vpc())

    def _close_instances(self) -> None:
        while self.instances:
            _, instance = self.instances.popitem()
            instance.close()

    def _write_settings(self, instance: Instance, authority: Authority) -> None:
        """Write the names of the other hosts and of AWS, and the lab's CA, to an instance."""
        hosts = ["127.0.0.1 localhost", "::1 localhost"]
        hosts += [f"{host.address} {host.name}" for host in self.plan.hosts]
        if self.plan.office:
            hosts.append(f"{self.plan.office.address} {self.plan.office.name}")
        hosts += [f"{AWS_ADDRESS} {name}" for name in authority.names]
        instance.write("etc/hosts", "\n".join(hosts) + "\n")
        instance.write(_CA_BUNDLE, authority.pem)
        instance.write("etc/environment", f"AWS_CA_BUNDLE={_CA_BUNDLE}\n")
        instance.write(f"{LIBRARY}/responder.py", Path(responder.__file__).read_text())
        if all(node.name != instance.name for node in self.plan.nodes):
            for package in (CHECKOUT / "lib/ocf_aws", CHECKOUT / "tests/vpclab"):
                shutil.copytree(package, f"{instance.root}{LIBRARY}/{package.name}")

    def _turn_off_source_dest_check(self, node: Instance) -> None:
        """Prepare a node for an overlay IP, as the vendors' guides tell an administrator to."""
        self.ec2.operator().modify_network_interface_attribute(
            NetworkInterfaceId=self.primary_eni(node.name), SourceDestCheck={"Value": False}
        )

    def _install_agents(self) -> None:
        """Install the agents on each node, as an administrator does."""
        if self._package:
            with ThreadPoolExecutor() as all_at_once:
                list(all_at_once.map(self._install_package_on, self.nodes.values()))
            return
        with TemporaryDirectory() as directory:
            # Below it: its own mode, which nobody but root passes, would become that of the node's root.
            run("make", "-C", CHECKOUT, "install", f"DESTDIR={directory}/root")
            for node in self.nodes.values():
                shutil.copytree(f"{directory}/root", node.root, dirs_exist_ok=True)

    def _install_package_on(self, node: Instance) -> None:
        assert self._package
        shutil.copy(self._package, node.root / "tmp")
        run("chroot", node.root, "dpkg", "--install", f"/tmp/{self._package.name}")


class _Power:
    """The power switches of the instances, for EC2 to operate."""

    def __init__(self, instances: Mapping[str, Instance]) -> None:
        self._instances = {instance.id: instance for instance in instances.values()}

    def off(self, instance_id: str) -> None:
        """Take an instance's power away; an instance that only EC2 knows has none."""
        if instance_id in self._instances:
            self._instances[instance_id].off()

    def on(self, instance_id: str) -> None:
        """Boot an instance. EC2 says `running` from now on; services start after the boot time."""
        if instance_id in self._instances:
            self._instances[instance_id].boot(_BOOT_SECONDS)
