"""What is recorded about a moved ENI, kept for monitor and stop until the next reboot.

With it they need neither EC2 nor IMDS. Start records it; a monitor does for an ENI that came with the boot, which the
operating system's own tool configured. The file lies where OCF agents keep their state (HA_RSCTMP), a directory of root's
on a tmpfs: after a reboot nothing is left of what it tells, and so it is gone.
"""

from __future__ import annotations

# `os` adds to this built-in part what takes a tenth of a local monitor to load.
import posix
from stat import S_ISREG

from ocf_aws.ip import IpAddress, IpNetwork
from ocf_aws.ocf.errors import HardError
from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ocf_aws.ocf.log import Log

_DIRECTORY = "/run/resource-agents"
"""Where resource-agents has it (ocf-directories); the variable is not always in the environment."""


class EniState(Record):
    """What is known of a moved ENI.

    mac: of its link, empty where unknown. table: number of its routing table.
    addresses: IpAddresses. prefixes, subnets: IpNetworks. All as kernel.policy_routing.LinkConfig has them.
    instance_id: of this instance. attachment_id: empty where unknown.
    mtu, accept_ra: how the link was before start changed that; 0 and empty where it did not.
    """

    mac: str
    table: int
    addresses: tuple[IpAddress, ...]
    prefixes: tuple[IpNetwork, ...] = ()
    subnets: tuple[IpNetwork, ...] = ()
    instance_id: str = ""
    attachment_id: str = ""
    mtu: int = 0
    accept_ra: str = ""

    def restrict_to(self, ips: Iterable[IpAddress] | None) -> EniState:
        """Of the addresses and prefixes these addresses alone; None: all. Raises HardError for one that is in neither."""
        if not ips:
            return self
        for ip in ips:
            if ip not in self.addresses and not any(ip in prefix for prefix in self.prefixes):
                raise HardError(f"correct parameter 'addresses': {ip} is none of the ENI's addresses")
        return self._replace(addresses=tuple(ips), prefixes=())

    def with_subnets(self, networks: Iterable[IpNetwork]) -> EniState:
        """With those of a subnet's blocks in which the addresses and prefixes lie, at most one of IPv4 and one of IPv6."""
        found: dict[int, IpNetwork] = {}
        for network in networks:
            if any(ip in network for ip in self._firsts):
                found.setdefault(network.family, network)
        return self._replace(subnets=tuple(found.values()))

    @property
    def has_all_subnets(self) -> bool:
        """Whether there is a block of the subnet for each family of addresses."""
        return {ip.family for ip in self._firsts} == {network.family for network in self.subnets}

    @property
    def _firsts(self) -> list[IpAddress]:
        return [*self.addresses, *(prefix.first for prefix in self.prefixes)]


def parse_words(kind: Any, text: str | None) -> tuple[Any, ...]:
    """The IpAddresses or IpNetworks in a list of words. kind: the class. Raises ValueError."""
    return tuple(kind.parse(word) for word in (text or "").split())


_READERS: dict[str, Callable[[str], Any]] = {
    "mac": str,
    "instance_id": str,
    "attachment_id": str,
    "table": int,
    "mtu": lambda text: int(text or 0),
    "accept_ra": str,
    "addresses": lambda text: parse_words(IpAddress, text),
    "prefixes": lambda text: parse_words(IpNetwork, text),
    "subnets": lambda text: parse_words(IpNetwork, text),
}


def load(environ: Mapping[str, str], eni_id: str) -> EniState | None:
    """What is kept of the ENI; None where nothing is, or something that not root alone could have written."""
    try:
        # Without O_NONBLOCK, a pipe would be waited for until somebody writes to it.
        file = posix.open(
            _path(environ, eni_id), posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
        )
    except OSError:
        return None
    status = posix.fstat(file)
    if not S_ISREG(status.st_mode) or status.st_uid != posix.geteuid() or status.st_mode & 0o022:
        posix.close(file)
        return None
    with open(file, encoding="ascii", errors="replace") as kept:
        words = dict(line.rstrip("\n").partition(" ")[::2] for line in kept)
    if not words.get("mac") or words.get("end") != eni_id:
        return None
    try:
        return EniState(**{name: read(words.get(name, "")) for name, read in _READERS.items()})
    except ValueError:
        return None


def save(environ: Mapping[str, str], eni_id: str, state: EniState, log: Log) -> None:
    """Keep it: all of it, or what was kept before, with a warning: monitor and stop can also find it out."""
    try:
        _write(environ, eni_id, state)
    except OSError as error:
        log.warning(f"what is known of {eni_id} cannot be recorded: {error}")


def _write(environ: Mapping[str, str], eni_id: str, state: EniState) -> None:
    from os import makedirs
    from os.path import dirname

    path = _path(environ, eni_id)
    lines = [f"{name} {_text(getattr(state, name))}" for name in _READERS]
    makedirs(dirname(path), mode=0o755, exist_ok=True)
    fresh = f"{path}.new"
    # One that a killed start left.
    _unlink(fresh)
    file = posix.open(fresh, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
    with open(file, "w", encoding="ascii") as kept:
        kept.write("\n".join([*lines, f"end {eni_id}"]) + "\n")
    posix.replace(fresh, path)


def delete(environ: Mapping[str, str], eni_id: str, log: Log) -> None:
    """Keep nothing of the ENI any longer, or warn."""
    try:
        _unlink(_path(environ, eni_id))
    except OSError as error:
        log.warning(f"the record of {eni_id} cannot be removed: {error}")


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _unlink(path: str) -> None:
    try:
        posix.unlink(path)
    except FileNotFoundError:
        pass


def _path(environ: Mapping[str, str], eni_id: str) -> str:
    return f"{environ.get('HA_RSCTMP') or _DIRECTORY}/aws-eni-move-{eni_id}"
