"""What of the operating system fights with the agents: tools that remove addresses, kernel settings, hot-plug."""

from __future__ import annotations

import configparser
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ocf_aws.cli.checks.remedies import set_parameter
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, warning
from ocf_aws.kernel.link import Link
from ocf_aws.kernel.policy_routing import carries_default_route

CHECKS = Checks()

_UNIT_DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_NETWORKD_DIRECTORIES = ("/etc/systemd", "/run/systemd", "/usr/lib/systemd")


def is_enabled(unit: str) -> bool:
    """Whether systemd starts a unit at boot, or runs it now.

    A unit is enabled by a link in a .wants directory (systemd.unit(5), "[Install] section options").
    """
    if any(Path(d).glob(f"*.wants/{unit}") and list(Path(d).glob(f"*.wants/{unit}")) for d in _UNIT_DIRECTORIES[:2]):
        return True
    if not Path("/run/systemd/system").is_dir():
        return False
    try:
        asked = ["systemctl", "is-active", "--quiet", unit]
        return subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=5).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _settings(*paths: Path) -> dict[str, str]:
    """NAME=VALUE lines of files, in the order in which later ones win; those that are missing are empty."""
    found: dict[str, str] = {}
    for path in paths:
        try:
            lines = path.read_text(errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            name, equals, value = line.partition("=")
            if equals and not line.lstrip().startswith(("#", ";")):
                found[name.strip()] = value.strip().strip("'\"")
    return found


@CHECKS.add("nm-cloud-setup")
def check_nm_cloud_setup(facts: Facts) -> Finding:
    """RHEL's: sets the addresses of each link to what IMDS tells, and an overlay IP is not among them."""
    units = [unit for unit in ("nm-cloud-setup.timer", "nm-cloud-setup.service") if is_enabled(unit)]
    if not units:
        return passed("not enabled")
    return failed(
        f"{units[0]} is enabled: it removes addresses that IMDS does not tell of",
        "systemctl disable --now nm-cloud-setup.timer nm-cloud-setup.service",
    )


@CHECKS.add("cloud-netconfig")
def check_cloud_netconfig(facts: Facts) -> Finding:
    """SLES's: manages the addresses of links unless told not to."""
    installed = [
        Path("/usr/lib/udev/rules.d/75-cloud-persistent-net-generator.rules"),
        Path("/etc/netconfig.d/cloud-netconfig"),
    ]
    installed += [Path("/usr/lib/cloud-netconfig"), Path("/usr/libexec/cloud-netconfig")]
    if not any(path.exists() for path in installed) and not is_enabled("cloud-netconfig.timer"):
        return not_applicable("not installed")
    link = _link(facts)
    if link is None:
        return not_applicable("the link is not here now")
    ifcfg = Path(f"/etc/sysconfig/network/ifcfg-{link.name}")
    of_all = _settings(Path("/usr/etc/default/cloud-netconfig"), Path("/etc/default/cloud-netconfig"))
    managed = _settings(ifcfg).get("CLOUD_NETCONFIG_MANAGE") or of_all.get("CLOUD_NETCONFIG_MANAGE") or "yes"
    if managed.lower() in ("no", "false", "0"):
        return passed(f"does not manage {link.name}")
    return warning(
        f"cloud-netconfig manages {link.name}: older versions remove addresses that they did not add",
        f"mkdir -p {ifcfg.parent} && echo \"CLOUD_NETCONFIG_MANAGE='no'\" >> {ifcfg}",
    )


@CHECKS.add("networkd")
def check_networkd(facts: Facts) -> Finding:
    """systemd-networkd removes what it did not add when it restarts, unless told to keep it (systemd.network(5))."""
    link = _link(facts)
    if link is None:
        return not_applicable("the link is not here now")
    # networkd's own record of the link: sd_network_link_get_network_file() reads it there.
    state = _settings(Path(f"/run/systemd/netif/links/{link.index}"))
    if state.get("ADMIN_STATE", "unmanaged") == "unmanaged" or not state.get("NETWORK_FILE"):
        return not_applicable(f"systemd-networkd does not manage {link.name}")
    file = Path(state["NETWORK_FILE"])
    drop_ins = [
        path for d in _NETWORKD_DIRECTORIES for path in sorted(Path(d, "network", f"{file.name}.d").glob("*.conf"))
    ]
    kept = _settings(file, *drop_ins).get("KeepConfiguration", "no")
    if kept in ("yes", "static"):
        return passed(f"keeps what it did not add (KeepConfiguration={kept})")
    drop_in = f"/etc/systemd/network/{file.name}.d"
    return warning(
        f"a restart of systemd-networkd removes the address from {link.name} (netplan: critical: true)",
        f"mkdir -p {drop_in} && printf '[Network]\\nKeepConfiguration=yes\\n' > {drop_in}/ocf-aws.conf && networkctl reload",
    )


@CHECKS.add("networkd-foreign-routes")
def check_foreign_routes(facts: Facts) -> Finding:
    """systemd-networkd removes foreign routes and rules, which an ENI that moves lives by (networkd.conf(5))."""
    if not facts.is_eni_move or not facts.p.configure:
        return not_applicable("the agent adds no routes and rules")
    if not is_enabled("systemd-networkd.service"):
        return not_applicable("systemd-networkd does not run")
    files = [Path(d, "networkd.conf") for d in reversed(_NETWORKD_DIRECTORIES)]
    files += [
        path for d in reversed(_NETWORKD_DIRECTORIES) for path in sorted(Path(d, "networkd.conf.d").glob("*.conf"))
    ]
    settings = _settings(*files)
    wanted = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
    missing = [name for name in wanted if settings.get(name, "yes").lower() not in ("no", "false", "0")]
    if not missing:
        return passed("leaves foreign routes and rules alone")
    lines = "".join(f"{name}=no\\n" for name in wanted)
    return warning(
        "a restart of systemd-networkd removes the ENI's routes and rules",
        f"mkdir -p /etc/systemd/networkd.conf.d && printf '[Network]\\n{lines}' > /etc/systemd/networkd.conf.d/ocf-aws.conf"
        " && systemctl restart systemd-networkd",
    )


@CHECKS.add("networkmanager")
def check_networkmanager(facts: Facts) -> Finding:
    """NetworkManager gives a link that is plugged in a connection of its own: DHCP, and a default route."""
    if not facts.is_eni_move or not facts.p.configure:
        return not_applicable("no link is plugged in that the agent configures")
    if not is_enabled("NetworkManager.service"):
        return not_applicable("NetworkManager does not run")
    eni = facts.get("moved_eni")
    mac = eni.mac if eni else "MAC"
    if _networkmanager_is_told_to_leave(mac):
        return passed("leaves the ENI's link alone")
    # Not by keyfile.unmanaged-devices: where the ENI is attached, its reload takes the addresses away (NetworkManager 1.42).
    lines = f"[device-moved-eni]\\nmatch-device=mac:{mac}\\nmanaged=0\\n"
    return warning(
        f"NetworkManager configures the ENI's link too ({mac})",
        f"printf '{lines}' > /etc/NetworkManager/conf.d/ocf-aws.conf && systemctl reload NetworkManager",
    )


def _networkmanager_is_told_to_leave(mac: str) -> bool:
    """Whether a file says that a device of this MAC is not managed, or gets no profile by itself (NetworkManager.conf(5))."""
    for directory in ("/etc", "/run", "/usr/lib"):
        for path in Path(directory, "NetworkManager").glob("**/*.conf"):
            file = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
            try:
                file.read_string(_read(path))
            except configparser.Error:
                continue
            told = [
                file.get("main", "no-auto-default", fallback=""),
                file.get("keyfile", "unmanaged-devices", fallback=""),
            ]
            told += [
                file[section].get("match-device", "*")
                for section in file.sections()
                if section.startswith("device") and file[section].get("managed", "1").lower() in ("0", "no", "false")
            ]
            if any(text.strip() == "*" or mac in text.lower() for text in told):
                return True
    return False


@CHECKS.add("ec2-net-utils")
def check_net_utils(facts: Facts) -> Finding:
    """Amazon Linux's: configures each link that is plugged in, with DHCP and rules of its own."""
    if not facts.is_eni_move:
        return not_applicable("no link is plugged in")
    rules = [
        Path(d, "99-vpc-policy-routes.rules")
        for d in ("/usr/lib/udev/rules.d", "/lib/udev/rules.d", "/etc/udev/rules.d")
    ]
    masked = Path("/etc/systemd/system/policy-routes@.service")
    if not any(rule.exists() for rule in rules):
        return not_applicable("amazon-ec2-net-utils is not installed")
    if masked.is_symlink() and str(masked.readlink() if hasattr(masked, "readlink") else "") == "/dev/null":
        return passed("masked")
    if not facts.p.configure:
        return passed("configures the link (configure=false)")
    return warning(
        "amazon-ec2-net-utils configures the ENI's link too",
        f"ln -sf /dev/null {masked} && systemctl daemon-reload   # or {set_parameter(facts, 'configure', 'false')}",
    )


@CHECKS.add("rp-filter")
def check_rp_filter(facts: Facts) -> Finding:
    """A strict rp_filter drops what comes in by a link by which the answer would not leave."""
    link = facts["link"] if facts.is_overlay_ip else None
    if link is None or link.name == "lo":
        return not_applicable("packets come in by the primary ENI, or rules lead the answers back")
    # The larger of both counts: Documentation/networking/ip-sysctl.rst.
    values = [_read(Path(f"/proc/sys/net/ipv4/conf/{each}/rp_filter")).strip() or "0" for each in ("all", link.name)]
    if max(values) != "1" or facts.p.ip.is_ipv6 or link.mac == facts.get("primary_mac") or carries_default_route(link):
        return passed(f"does not drop packets from {link.name}")
    return warning(
        f"rp_filter is strict on {link.name}, by which answers do not leave",
        f"sysctl -w net.ipv4.conf.{link.name}.rp_filter=2 && echo net.ipv4.conf.{link.name}.rp_filter=2 > /etc/sysctl.d/60-ocf-aws.conf",
    )


@CHECKS.add("hotplug")
def check_hotplug(facts: Facts) -> Iterator[Finding]:
    """Does the kernel notice a device that is plugged in, and udev name it?"""
    if not facts.is_eni_move:
        yield not_applicable("no link is plugged in")
        return
    if not Path("/sys/bus/pci").is_dir() and not Path("/sys/bus/xen").is_dir():
        yield failed(
            "the kernel has no PCI bus: an ENI cannot be plugged in", "use a kernel with CONFIG_HOTPLUG_PCI_ACPI=y"
        )
    if not Path("/run/udev/control").exists():
        yield warning("udev does not run: a new link gets no stable name", "systemctl enable --now systemd-udevd")
    elif Path("/sys/bus/pci").is_dir() or Path("/sys/bus/xen").is_dir():
        yield passed("kernel and udev are ready")


def _link(facts: Facts) -> Link | None:
    """The link that carries the address, or that of the ENI while it is here."""
    if facts.is_overlay_ip:
        link: Link = facts["link"]
        return link
    eni = facts.get("moved_eni")
    return next((link for link in facts["links"] if eni and link.mac == eni.mac), None)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
