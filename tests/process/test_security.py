"""What somebody on the node, or a strange environment, can make an agent do or tell: nothing.

What is trusted is in packaging/docs/security.md.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vpclab.checkout import CHECKOUT
from vpclab.ec2 import effects
from vpclab.hosts.pci_hotplug import PciHotplug
from vpclab.hosts.single_node import Result, SingleNode
from vpclab.plan import ONE_ZONE

DIRECTORY = Path("/run/resource-agents")
NOBODY = 65534
IP = "192.168.10.10"


class Resource:
    """A resource of aws-eni-move, which keeps what it knows where Pacemaker's agents do."""

    def __init__(self, node: SingleNode):
        self.node = node
        self.id = node.ec2.operator().create_network_interface(
            SubnetId=node.vpc.subnets["a"], PrivateIpAddress="10.0.1.50"
        )["NetworkInterface"]["NetworkInterfaceId"]
        self.file = DIRECTORY / f"aws-eni-move-{self.id}"

    def __call__(self, action: str, **how: Any) -> Result:
        return self.node.run("aws-eni-move", action, {"eni_id": self.id}, **how)

    @property
    def is_here(self) -> bool:
        return "10.0.1.50/32" in self.node.addresses()


@pytest.fixture
def node(in_sandbox: None, tmp_path: Path) -> Iterator[SingleNode]:
    with SingleNode(tmp_path, ONE_ZONE) as node:
        node.disable_source_dest_check()
        yield node


@pytest.fixture
def resource(node: SingleNode) -> Iterator[Resource]:
    hotplug = PciHotplug(node)
    yield Resource(node)
    hotplug.close()
    subprocess.run("ip rule flush protocol 203; rm -rf /run/resource-agents", shell=True, check=True)


# --- planted files ----------------------------------------------------------------------------------------------------


def plant_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def plant_fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def plant_directory(path: Path, victim: Path) -> None:
    (path / "more").mkdir(parents=True)


def plant_foreign_file(path: Path, victim: Path) -> None:
    path.write_text(victim.read_text())
    os.chown(path, NOBODY, NOBODY)


def plant_writable_file(path: Path, victim: Path) -> None:
    path.write_text(victim.read_text())
    path.chmod(0o660)


def plant_device(path: Path, victim: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))


PLANTS = [plant_link, plant_fifo, plant_directory, plant_foreign_file, plant_writable_file, plant_device]


@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_planted_in_place_of_the_record_is_neither_read_nor_followed_nor_waited_for(
    resource: Resource, tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    victim = tmp_path / "victim"
    # It would let the agent look for another link, and so find nothing to stop.
    victim.write_text(f"mac 02:00:00:00:00:01\ntable 7\naddresses 10.0.1.99\nend {resource.id}\n")
    kept = victim.read_bytes()
    assert resource("start").status == 0
    resource.file.unlink()
    for planted in (resource.file, resource.file.with_suffix(".new")):
        plant(planted, victim)
    for action in ("monitor", "start", "stop"):
        result = resource(action, interval=10 if action == "monitor" else 0)
        assert result.status == 0, (action, result)
    assert not resource.is_here and victim.read_bytes() == kept and not victim.with_suffix(".new").exists()
    assert resource("monitor").status == 7


@pytest.mark.parametrize("mode", [0o777, 0o000])
def test_a_directory_of_any_mode_does_no_harm(resource: Resource, mode: int) -> None:
    DIRECTORY.mkdir()
    DIRECTORY.chmod(mode)
    assert [resource(action).status for action in ("start", "monitor", "stop")] == [0, 0, 0]


def test_a_directory_that_is_missing_or_cannot_be_made_does_no_harm(resource: Resource, tmp_path: Path) -> None:
    assert resource("start").status == 0
    assert stat.S_IMODE(DIRECTORY.stat().st_mode) == 0o755 and stat.S_IMODE(resource.file.stat().st_mode) == 0o600
    resource.file.unlink()
    DIRECTORY.rmdir()
    DIRECTORY.write_text("a file")
    try:
        assert [resource(action).status for action in ("start", "monitor", "stop")] == [0, 0, 0]
    finally:
        DIRECTORY.unlink()


# --- a hostile environment --------------------------------------------------------------------------------------------


@pytest.fixture
def installed(node: SingleNode) -> Iterator[None]:
    """The library where the isolated interpreter of the first line finds it; in this sandbox alone."""
    place = subprocess.run(
        ["/usr/bin/python3", "-Ic", "import sys; print(next(p for p in sys.path if p.startswith('/usr/local')))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    Path(place, "ocf_aws").symlink_to(CHECKOUT / "lib/ocf_aws")
    yield
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("agent", ["aws-overlay-ip", "aws-eni-move"])
def test_no_module_of_the_environment_or_of_the_working_directory_is_loaded(
    node: SingleNode, installed: None, tmp_path: Path, agent: str
) -> None:
    evil, marker = tmp_path / "evil", tmp_path / "loaded"
    evil.mkdir()
    for name in ("ocf_aws", "boto3", "pyroute2", "json", "struct", "collections", "sitecustomize", "usercustomize"):
        (evil / f"{name}.py").write_text(f"open({str(marker)!r}, 'w').write({name!r})\n")
    site = evil / ".local/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    (site / "evil.pth").write_text(f"import os; open({str(marker)!r}, 'w')\n")
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(evil),
        "PYTHONPATH": str(evil),
        "PYTHONHOME": str(evil),
        "PYTHONSTARTUP": str(evil / "json.py"),
        "PYTHONUSERBASE": str(evil / ".local"),
        "PYTHONINSPECT": "1",
        "PYTHONWARNINGS": "error",
        "AWS_CA_BUNDLE": str(node.ca),
        "OCF_RESKEY_ip": IP,
        "OCF_RESKEY_routing_table": node.vpc.route_tables["a"],
        "OCF_RESKEY_eni_id": "eni-0123456789abcdef0",
        "OCF_RESKEY_CRM_meta_timeout": "20000",
    }
    if agent == "aws-eni-move":
        environ.pop("OCF_RESKEY_ip")
        environ.pop("OCF_RESKEY_routing_table")
    else:
        environ.pop("OCF_RESKEY_eni_id")
    actions = ("start", "monitor", "stop") if agent == "aws-overlay-ip" else ("monitor", "stop")
    for action in actions:
        done = subprocess.run(
            [CHECKOUT / "agents" / agent, action], env=environ, cwd=evil, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == (7 if action == "monitor" and agent == "aws-eni-move" else 0), (action, done)
    assert not marker.exists(), marker.read_text()
    assert not list(evil.rglob("__pycache__"))


@pytest.mark.parametrize("password", ["secret", "se#cret", "se/cret"])
def test_credentials_of_a_proxy_in_the_environment_are_not_told(node: SingleNode, password: str) -> None:
    environ = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://user:{password}@127.0.0.1:9")
    parameters = {"ip": IP, "routing_table": node.vpc.route_tables["a"]}
    result = node.run("aws-overlay-ip", "start", parameters, timeout=5, environ={**environ, "HA_debug": "1"})
    assert result.status == 1 and "cret" not in result.stdout + result.stderr, result


@pytest.mark.parametrize(
    "text",
    [
        "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key wJalrXUtnFEMI\n",
        "aws_secret_access_key = wJalrXUtnFEMI\n",
        "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = wJalrXUtnFEMI\n[default\n",
        "[default]\naws_secret_access_key = wJalrXUtnFEMI\n",
        "[default]\ncredential_process = /bin/echo wJalrXUtnFEMI\n",
        "[default]\ncredential_process = /bin/sh -c 'echo wJalrXUtnFEMI'\n",
    ],
)
def test_no_part_of_a_broken_file_of_credentials_is_told(node: SingleNode, text: str) -> None:
    (node.directory / ".aws").mkdir()
    (node.directory / ".aws/credentials").write_text(text)
    parameters = {"ip": IP, "routing_table": node.vpc.route_tables["a"]}
    result = node.run("aws-overlay-ip", "validate-all", parameters, level=10, timeout=8, environ={"HA_debug": "1"})
    assert "wJalrXUtnFEMI" not in result.stdout + result.stderr, result


# --- secrets ----------------------------------------------------------------------------------------------------------

FAULTS: dict[str, effects.Effect | None] = {
    "none": None,
    "no right": effects.Error("UnauthorizedOperation"),
    "refused credentials": effects.Error("AuthFailure"),
    "nonsense": effects.Garbage(200, b"<unclosed"),
}


class Watch:
    """Looks at the command lines and the environment of all processes here until the block ends."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.limits: set[str] = set()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ends.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ends.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    command = (process / "cmdline").read_bytes()
                    if b"/agents/aws-" in command:
                        self.limits.update(re.findall(r"Max core file size +(\S+)", (process / "limits").read_text()))
                        self.seen |= {command, (process / "environ").read_bytes()}
                except OSError:
                    continue
            time.sleep(0.05)


@pytest.mark.parametrize("trouble", FAULTS)
def test_no_secret_is_in_a_log_a_reason_a_file_or_a_command_line(
    resource: Resource, tmp_path: Path, trouble: str
) -> None:
    node = resource.node
    log = tmp_path / "log"
    environ = {"HA_debug": "1", "HA_LOGFILE": str(log), "HA_RSCTMP": str(tmp_path / "state")}
    role = "arn:aws:iam::123456789012:role/route-tables"
    overlay = {
        "ip": IP,
        "routing_table": node.vpc.route_tables["a"],
        "routing_table_role": role,
        "delete_route_on_stop": "true",
        "proxy": "",
    }
    effect = FAULTS[trouble]
    said = ""
    with Watch() as watch:
        if effect:
            node.ec2.faults.add(caller=node.instance_id, effect=effect)
        for action in (
            ("start", "monitor", "stop") if effect else ("start", "monitor", "reload-agent", "validate-all", "stop")
        ):
            how: dict[str, Any] = {"timeout": 8 if effect else 20, "environ": environ, "interval": 10, "level": 10}
            for result in (
                node.run("aws-overlay-ip", action, overlay, **how),
                node.run("aws-eni-move", action, {"eni_id": resource.id}, **how),
            ):
                said += result.stdout + result.stderr
    said += "".join(path.read_text() for path in [log, *(tmp_path / "state").glob("*")])
    said += b"\n".join(watch.seen).decode(errors="replace")
    secrets = [node.ec2.credentials(node.instance_id)[name] for name in ("SecretAccessKey", "Token")]
    secrets += ["AWS4-HMAC-SHA256", "Signature=", "x-aws-ec2-metadata-token", "X-Amz-Security-Token"]
    assert len(said) > 1000 and watch.seen
    assert not [secret for secret in secrets if secret.lower() in said.lower()]


def test_a_crash_leaves_no_memory_behind(node: SingleNode) -> None:
    parameters = {"ip": IP, "routing_table": node.vpc.route_tables["a"], "api_timeout": "1"}
    with Watch() as watch, node.ec2.faults.add(effect=effects.Hang()):
        node.run("aws-overlay-ip", "start", parameters, timeout=4, prefix=["prlimit", "--core=unlimited"])
    assert "0" in watch.limits, watch.limits
