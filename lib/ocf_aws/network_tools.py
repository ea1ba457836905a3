"""The operating system's own network tools: which of them run, and which are told to leave alone what the agents add.

Only files are read, apart from asking systemd whether a unit is active and NetworkManager its version.
"""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

FOREIGN_SETTINGS = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
"""What networkd.conf(5) must set to "no": else networkd removes foreign routes and rules."""

NM_CLOUD_SETUP_UNITS = ("nm-cloud-setup.timer", "nm-cloud-setup.service")

_WANTS_DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system")
_RUNNING_SYSTEMD = Path("/run/systemd/system")
_NETWORKD_LINKS = Path("/run/systemd/netif/links")
_NETWORKD_DIRECTORIES = ("/etc/systemd", "/run/systemd", "/usr/lib/systemd")
_NETWORKMANAGER_DIRECTORIES = ("/etc/NetworkManager", "/run/NetworkManager", "/usr/lib/NetworkManager")

_KEEPS_FOREIGN_ADDRESSES = (1, 40, 10)
"""The version of NetworkManager whose nm-cloud-setup "now preserves addresses added externally" (its NEWS)."""


def find_rivals_of_address(link_index: int) -> list[str]:
    """What removes an address that an agent adds to this link, a sentence each."""
    rivals = []
    file = find_networkd_file(link_index)
    if file and kept_by_networkd(file) is None:
        rivals.append("a restart of systemd-networkd removes the address (KeepConfiguration is not set)")
    units = enabled_nm_cloud_setup()
    if units and not nm_cloud_setup_keeps_addresses():
        rivals.append(f"{units[0]} is enabled and removes addresses that IMDS does not tell of")
    return rivals


def find_rivals_of_eni(mac: str) -> list[str]:
    """What configures or removes what an agent adds to the link of an ENI with this MAC, a sentence each."""
    rivals = []
    unset = unset_foreign_settings()
    if unset:
        rivals.append(f"a restart of systemd-networkd removes the ENI's rules ({unset[-1]} is not 'no')")
    if is_enabled("NetworkManager.service") and not networkmanager_leaves(mac):
        rivals.append(f"NetworkManager configures the ENI's link too (its files do not name {mac})")
    return rivals


def is_enabled(unit: str) -> bool:
    """Whether systemd starts a unit at boot, or runs it now.

    A unit is enabled by a link in a .wants directory (systemd.unit(5), "[Install] section options").
    """
    if any(list(Path(d).glob(f"*.wants/{unit}")) for d in _WANTS_DIRECTORIES):
        return True
    if not _RUNNING_SYSTEMD.is_dir():
        return False
    try:
        asked = ["systemctl", "is-active", "--quiet", unit]
        return subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=5).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def read_settings(*paths: Path) -> dict[str, str]:
    """NAME=VALUE lines of files, in the order in which later ones win; those that are missing are empty."""
    found: dict[str, str] = {}
    for path in paths:
        for line in read_file(path).splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.lstrip().startswith(("#", ";")):
                found[name.strip()] = value.strip().strip("'\"")
    return found


def enabled_nm_cloud_setup() -> list[str]:
    """The units of nm-cloud-setup that systemd starts."""
    return [unit for unit in NM_CLOUD_SETUP_UNITS if is_enabled(unit)]


def nm_cloud_setup_keeps_addresses() -> bool:
    """Whether NetworkManager is of a version whose nm-cloud-setup keeps addresses that others add."""
    try:
        asked = ["NetworkManager", "--version"]
        answer = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.match(r"(\d+)\.(\d+)\.(\d+)", answer)
    return bool(version) and tuple(map(int, version.groups())) >= _KEEPS_FOREIGN_ADDRESSES  # type: ignore[union-attr]


def find_networkd_file(link_index: int) -> Path | None:
    """The .network file by which systemd-networkd manages a link; None if it does not.

    networkd's own record of the link tells: sd_network_link_get_network_file() reads it there.
    """
    state = read_settings(_NETWORKD_LINKS / str(link_index))
    if state.get("ADMIN_STATE", "unmanaged") == "unmanaged" or not state.get("NETWORK_FILE"):
        return None
    return Path(state["NETWORK_FILE"])


def kept_by_networkd(file: Path) -> str | None:
    """What KeepConfiguration says in a .network file and its drop-ins, if that keeps an added address (systemd.network(5))."""
    drop_ins = [
        path for d in _NETWORKD_DIRECTORIES for path in sorted(Path(d, "network", f"{file.name}.d").glob("*.conf"))
    ]
    kept = read_settings(file, *drop_ins).get("KeepConfiguration", "no")
    return kept if kept in ("yes", "true", "static") else None


def unset_foreign_settings() -> list[str]:
    """Those of FOREIGN_SETTINGS that are not set, if networkd runs."""
    if not is_enabled("systemd-networkd.service"):
        return []
    directories = list(reversed(_NETWORKD_DIRECTORIES))
    files = [Path(d, "networkd.conf") for d in directories]
    files += [path for d in directories for path in sorted(Path(d, "networkd.conf.d").glob("*.conf"))]
    settings = read_settings(*files)
    return [name for name in FOREIGN_SETTINGS if settings.get(name, "yes").lower() not in ("no", "false", "0")]


def networkmanager_leaves(mac: str) -> bool:
    """Whether a file says that a device of this MAC is not managed, or gets no profile by itself (NetworkManager.conf(5))."""
    for path in (path for d in _NETWORKMANAGER_DIRECTORIES for path in Path(d).glob("**/*.conf")):
        file = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
        try:
            file.read_string(read_file(path))
        except configparser.Error:
            continue
        told = [file.get("main", "no-auto-default", fallback=""), file.get("keyfile", "unmanaged-devices", fallback="")]
        told += [
            file[section].get("match-device", "*")
            for section in file.sections()
            if section.startswith("device") and file[section].get("managed", "1").lower() in ("0", "no", "false")
        ]
        if any(text.strip() == "*" or mac in text.lower() for text in told):
            return True
    return False


def read_file(path: Path) -> str:
    """The text of a file; nothing where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
