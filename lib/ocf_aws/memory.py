"""What start learned about an ENI that it moved, kept for monitor and stop until the next reboot.

They need no EC2 and no IMDS by it. The file lies where OCF agents keep their state (HA_RSCTMP), a directory of root's on
a tmpfs: after a reboot nothing is left of what it tells, and so it is gone.
"""

from __future__ import annotations

import os

from ocf_aws.address import Block
from ocf_aws.status import HardError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ocf_aws.address import Ip

_DIRECTORY = "/run/resource-agents"
"""Where resource-agents has it (ocf-directories); the variable is not always in the environment."""

_ONE = ("mac", "instance_id", "attachment_id", "table", "mtu", "accept_ra")
_SEVERAL = ("addresses", "prefixes", "subnets")


class Memory:
    """What is known of a moved ENI: texts, empty where unknown.

    mac, instance_id (of this instance), attachment_id, table: of the ENI.
    addresses, prefixes, subnets: what its link has (policy.Layout).
    mtu, accept_ra: how the link was before start changed that.
    """

    def __init__(self) -> None:
        self.mac = self.instance_id = self.attachment_id = self.table = self.mtu = self.accept_ra = ""
        self.addresses: tuple[str, ...] = ()
        self.prefixes: tuple[str, ...] = ()
        self.subnets: tuple[str, ...] = ()

    def choose(self, ips: Iterable[Ip] | None) -> None:
        """Leave of the addresses and prefixes these addresses alone; None: all. Raises HardError for one that is in neither."""
        if not ips:
            return
        there = [Block(text) for text in (*self.addresses, *self.prefixes)]
        for ip in ips:
            if not any(ip in block for block in there):
                raise HardError(f"parameter 'addresses': {ip} is none of the ENI's addresses")
        self.addresses = tuple(str(ip) for ip in ips)
        self.prefixes = ()

    def route_by(self, blocks: Iterable[str]) -> bool:
        """Take of a subnet's blocks those in which the addresses and prefixes lie, at most one of IPv4 and one of IPv6.

        Returns whether there is one for each family.
        """
        firsts = [Block(text).first for text in (*self.addresses, *self.prefixes)]
        found: dict[int, str] = {}
        for text in blocks:
            for first in firsts:
                if first in Block(text):
                    found.setdefault(first.family, text)
        self.subnets = tuple(found.values())
        return {first.family for first in firsts} == set(found)


def recall(environ: Mapping[str, str], eni_id: str) -> Memory | None:
    """What is kept of the ENI; None where nothing is, or something that not root alone could have written."""
    try:
        file = os.open(_path(environ, eni_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with open(file, encoding="ascii", errors="replace") as kept:
        status = os.fstat(file)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        words = dict(line.rstrip("\n").partition(" ")[::2] for line in kept)
    if not words.get("mac") or words.get("end") != eni_id:
        return None
    memory = Memory()
    for name in _ONE:
        setattr(memory, name, words.get(name, ""))
    for name in _SEVERAL:
        setattr(memory, name, tuple(words.get(name, "").split()))
    return memory


def keep(environ: Mapping[str, str], eni_id: str, memory: Memory) -> None:
    """Keep it: all of it, or what was kept before. Raises OSError."""
    path = _path(environ, eni_id)
    lines = [f"{name} {getattr(memory, name)}" for name in _ONE]
    lines += [f"{name} {' '.join(getattr(memory, name))}" for name in _SEVERAL]
    lines.append(f"end {eni_id}")
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    fresh = f"{path}.new"
    # One that a killed start left.
    _unlink(fresh)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(file, "w", encoding="ascii") as kept:
        kept.write("\n".join(lines) + "\n")
    os.replace(fresh, path)


def drop(environ: Mapping[str, str], eni_id: str) -> None:
    """Keep nothing of the ENI any longer. Raises OSError."""
    _unlink(_path(environ, eni_id))


def _unlink(path: str) -> None:
    """Remove a file, if it is there. Raises OSError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _path(environ: Mapping[str, str], eni_id: str) -> str:
    return f"{environ.get('HA_RSCTMP') or _DIRECTORY}/aws-eni-move-{eni_id}"
