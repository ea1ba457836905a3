"""A lab that stays up in the background, in which a person can try a failover."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from vpclab import sandbox
from vpclab.demo import cheat_sheet, fault_client
from vpclab.hosts import instance
from vpclab.plan import DEFAULT, OFFICE, ONE_ZONE

_PID = Path("/run/vpclab.pid")
"""Of the lab that is up: the process that waits for the sandbox, the sandbox's first process, the number of zones."""

_LOG = Path("/run/vpclab.log")
"""Errors of the background process. It must not keep the terminal open."""

_READY = "ready"


def up(host: str, zones: str | None) -> int:
    """Bring a lab up unless one is up, and open a shell on a host. Returns an exit status.

    zones: "1", where an ENI can move between the nodes, or "2"; None: those of the lab that is up, else "2".
    """
    hosts = [each.name for each in DEFAULT.hosts] + [OFFICE.name]
    if host not in hosts:
        return _fail(f"HOST={host}: choose {', '.join(hosts[:-1])} or {hosts[-1]}")
    if zones not in (None, "1", "2"):
        return _fail(f"ZONES={zones}: choose 1 (an ENI can move too) or 2")
    if os.geteuid() != 0:
        return _fail("The lab needs root, because it makes namespaces and mounts: use `sudo make lab`")
    running = _running()
    if running is None:
        if not _start(int(zones or "2")):
            return 1
        running = _running()
        assert running is not None
    elif zones not in (None, str(running[1])):
        return _fail(f"A lab with ZONES={running[1]} is up: use `make lab-down`, then `make lab ZONES={zones}`")
    command = [sys.executable, "-m", "vpclab", "shell", host]
    namespaces = "--mount --net --pid --ipc --uts".split()
    ended = subprocess.run(["nsenter", f"--target={running[0]}", *namespaces, *command]).returncode
    if ended in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return _fail(f"{host} lost its power, and this shell with it. `make lab HOST={host}` opens another one.")
    if ended == _NO_POWER:
        return 1
    print("The lab is still up: `make lab` opens another shell, `make lab-down` removes it.")
    return 0


def down() -> int:
    """Remove the lab. Returns an exit status."""
    if os.geteuid() != 0:
        return _fail("The lab needs root: use `sudo make lab-down`")
    if _running() is None:
        print("No lab is up.")
        return 0
    waiter = int(_PID.read_text().split()[0])
    # It is no child of this process, so a process descriptor tells when it ends.
    ended = os.pidfd_open(waiter)
    os.kill(waiter, signal.SIGTERM)
    select.select([ended], [], [], 30)
    os.close(ended)
    for file in (_PID, _LOG):
        file.unlink(missing_ok=True)
    print("The lab is gone.")
    return 0


def serve(zones: int) -> int:
    """Keep a lab up until SIGTERM; prints a line on standard output when it is ready. Returns an exit status."""
    # Loading moto takes 2 s of a processor, which a shell need not wait for.
    from vpclab.demo.faults import FaultCommands
    from vpclab.lab import Lab

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with Lab(replace(ONE_ZONE if zones == 1 else DEFAULT, office=OFFICE)) as lab:
        print("Setting up fence_aws", flush=True)
        lab.fence()
        eni = None
        if zones == 1:
            lab.ec2.times.attach = lab.ec2.times.detach = cheat_sheet.EC2_SECONDS
            eni = lab.create_eni("a", cheat_sheet.ENI_ADDRESS, "2001:db8:100:1::50")
        assert lab.built_office
        text = cheat_sheet.write(list(lab.route_tables.values()), eni, lab.built_office.transit_gateway_route_table_id)
        lab.instances[OFFICE.name].write("etc/motd", cheat_sheet.write_office(lab.built_office))
        for host in (lab.instances[planned.name] for planned in lab.plan.hosts):
            host.write("etc/motd", text)
            host.write("usr/local/bin/vpclab", Path(fault_client.__file__).read_text(), mode=0o755)
        faults = FaultCommands(lab)
        faults.listen()
        print(_READY, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        faults.close()
    return 0


_NO_POWER = 69
"""Exit status of `shell` on a host without power (EX_UNAVAILABLE of sysexits.h)."""


def shell(host: str) -> int:
    """Become a shell on a host of the lab in this sandbox. Returns an exit status if the host has no power."""
    environment = instance.environment(host) | {
        "TERM": os.environ.get("TERM", "dumb"),
        "PS1": f"[root@{host} \\W]# ",
        # AWS CLI 2 would start a pager, and look for a region in the environment first.
        "AWS_PAGER": "",
        "AWS_DEFAULT_REGION": DEFAULT.region,
    }
    try:
        command = instance.enter(host, "bash", "--norc", "-i")
    except RuntimeError:
        _fail(f"{host} has no power, because it was fenced or stopped. Try again when it has booted.")
        return _NO_POWER
    print((sandbox.STATE / host / "root/etc/motd").read_text(), flush=True)
    os.chdir("/")
    os.execvpe("nsenter", command, environment)


def _start(zones: int) -> bool:
    print("Bringing up a VPC with a cluster (about 20 s)", flush=True)
    with _LOG.open("w") as log:
        waiter = subprocess.Popen(
            [sys.executable, sandbox.__file__, sys.executable, "-m", "vpclab", "serve", f"--zones={zones}"],
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
            _PID.write_text(f"{waiter.pid} {children[0]} {zones}\n")
            return True
        print(line, end="", flush=True)
    _fail(f"The lab did not come up: {_LOG.read_text()}")
    return False


def _running() -> tuple[int, int] | None:
    """The first process of the sandbox of the lab that is up, as seen from here, and its zones; None without a lab."""
    try:
        waiter, first, zones = map(int, _PID.read_text().split())
    except (OSError, ValueError):
        return None
    # Another process may have the id by now.
    return (first, zones) if first in sandbox.running() and Path(f"/proc/{waiter}").exists() else None


def _fail(text: str) -> int:
    print(text, file=sys.stderr)
    return 1
