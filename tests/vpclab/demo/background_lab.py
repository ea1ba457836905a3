"""A lab that stays up in the background, for a person to rehearse in."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from vpclab import sandbox
from vpclab.hosts import instance
from vpclab.lab import Lab
from vpclab.plan import DEFAULT, ONE_ZONE

_PID = Path("/run/vpclab.pid")
"""Process ids of the sandbox of the lab that is up: of the process that waits for it, and of its first process."""

_LOG = Path("/run/vpclab.log")
"""What the background process says of what goes wrong; a terminal that it kept open would never be let go."""

_READY = "ready"

_WELCOME = """\
A VPC with two instances, node1 and node2, in {zones}, and one more, client.
Pacemaker runs on the nodes with fence_aws; EC2 is emulated, everything else is real.

    pcs resource defaults update resource-stickiness=1000
{resource}
    pcs status                          # who has it
    pcs resource move ip node2          # a planned move
    pcs node standby node2              # maintenance
    pcs stonith fence node2             # power off and on through EC2
    tail -f /var/log/pacemaker/pacemaker.log

`make lab` opens another shell, `make lab HOST=client` one on the client: ping 192.168.10.10.
"""


def up(host: str, in_one_zone: bool) -> int:
    """Bring a lab up unless it is, and open a shell on a host. Returns an exit status.

    in_one_zone: whether the nodes are to be in one availability zone, where an ENI can move between them.
    """
    if _running() is None and not _start(in_one_zone):
        return 1
    first = _running()
    assert first is not None
    command = [sys.executable, "-m", "vpclab", "shell", host]
    namespaces = "--mount --net --pid --ipc --uts".split()
    subprocess.run(["nsenter", f"--target={first}", *namespaces, *command])
    print("The lab is still up: `make lab` opens another shell, `make lab-down` removes it.")
    return 0


def down() -> int:
    """Remove the lab. Returns an exit status."""
    if _running() is None:
        print("No lab is up.")
        return 0
    waiter = int(_PID.read_text().split()[0])
    # It is no child of this process, so its end is told by a process descriptor.
    ended = os.pidfd_open(waiter)
    os.kill(waiter, signal.SIGTERM)
    _wait_for_end(ended)
    for file in (_PID, _LOG):
        file.unlink(missing_ok=True)
    print("The lab is gone.")
    return 0


def serve(in_one_zone: bool) -> int:
    """Keep a lab up until SIGTERM; says on standard output when it is ready."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with Lab(ONE_ZONE if in_one_zone else DEFAULT) as lab:
        print("Setting up fence_aws", flush=True)
        lab.fence()
        tables = ",".join(lab.route_tables.values())
        resource = (
            f"    pcs resource create ip ocf:aws:aws-overlay-ip ip=192.168.10.10 \\\n        routing_table={tables}"
        )
        if in_one_zone:
            lab.ec2.times.attach = lab.ec2.times.detach = 2.0
            eni = lab.create_eni("a", "10.0.1.50", "2001:db8:100:1::50")
            resource += f"\n    pcs resource create eni ocf:aws:aws-eni-move eni_id={eni}  # 10.0.1.50"
        welcome = _WELCOME.format(zones="one zone" if in_one_zone else "two availability zones", resource=resource)
        for host in lab.instances.values():
            host.write("etc/motd", welcome)
        print(_READY, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


def shell(host: str) -> NoReturn:
    """Become a shell on a host of the lab in this sandbox."""
    print((sandbox.STATE / host / "root/etc/motd").read_text())
    environment = instance.environment(host) | {
        "TERM": os.environ.get("TERM", "dumb"),
        "PS1": f"[root@{host} \\W]# ",
    }
    os.chdir("/")
    os.execvpe("nsenter", instance.enter(host, "bash", "--norc", "-i"), environment)


def _start(in_one_zone: bool) -> bool:
    print("Bringing a VPC with a cluster up (about 20 s)", flush=True)
    serve = [sys.executable, "-m", "vpclab", "serve"] + ["--one-zone"] * in_one_zone
    with _LOG.open("w") as log:
        waiter = subprocess.Popen(
            [sys.executable, sandbox.__file__, *serve],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert waiter.stdout is not None
    for line in waiter.stdout:
        if line.strip() == _READY:
            children = Path(f"/proc/{waiter.pid}/task/{waiter.pid}/children").read_text().split()
            _PID.write_text(f"{waiter.pid} {children[0]}\n")
            return True
        print(line, end="", flush=True)
    print(f"The lab did not come up: {_LOG.read_text()}", file=sys.stderr)
    return False


def _running() -> int | None:
    """The first process of the sandbox of the lab that is up, as seen from here; None if there is none."""
    try:
        waiter, first = map(int, _PID.read_text().split())
    except (OSError, ValueError):
        return None
    # A process id may be somebody else's by now.
    return first if first in sandbox.running() and Path(f"/proc/{waiter}").exists() else None


def _wait_for_end(descriptor: int) -> None:
    select.select([descriptor], [], [], 30)
    os.close(descriptor)
