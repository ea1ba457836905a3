"""What of the operating system fights with the agents: tools that remove addresses, kernel settings, hot-plug."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ocf_aws.cli.checks.remedies import set_parameter
from ocf_aws.cli.facts import Facts
from ocf_aws.cli.findings import Checks, Finding, failed, not_applicable, passed, warning
from ocf_aws.kernel.link import Link
from ocf_aws.kernel.policy_routing import carries_default_route
from ocf_aws.network_tools import (
    FOREIGN_SETTINGS,
    enabled_nm_cloud_setup,
    find_networkd_file,
    is_enabled,
    kept_by_networkd,
    networkmanager_leaves,
    nm_cloud_setup_keeps_addresses,
    read_file,
    read_settings,
    unset_foreign_settings,
)

CHECKS = Checks()


@CHECKS.add("nm-cloud-setup")
def check_nm_cloud_setup(facts: Facts) -> Finding:
    """RHEL's: sets the addresses of each link to what IMDS tells, and an overlay IP is not among them."""
    units = enabled_nm_cloud_setup()
    if not units:
        return passed("not enabled")
    if facts.is_overlay_ip and nm_cloud_setup_keeps_addresses():
        return passed(f"{units[0]} is enabled, of a version that keeps addresses which others add")
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
    of_all = read_settings(Path("/usr/etc/default/cloud-netconfig"), Path("/etc/default/cloud-netconfig"))
    managed = read_settings(ifcfg).get("CLOUD_NETCONFIG_MANAGE") or of_all.get("CLOUD_NETCONFIG_MANAGE") or "yes"
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
    file = find_networkd_file(link.index)
    if file is None:
        return not_applicable(f"systemd-networkd does not manage {link.name}")
    kept = kept_by_networkd(file)
    if kept:
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
    if not unset_foreign_settings():
        return passed("leaves foreign routes and rules alone")
    lines = "".join(f"{name}=no\\n" for name in FOREIGN_SETTINGS)
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
    if networkmanager_leaves(mac):
        return passed("leaves the ENI's link alone")
    # Not by keyfile.unmanaged-devices: where the ENI is attached, its reload takes the addresses away (NetworkManager 1.42).
    lines = f"[device-moved-eni]\\nmatch-device=mac:{mac}\\nmanaged=0\\n"
    return warning(
        f"NetworkManager configures the ENI's link too ({mac})",
        f"printf '{lines}' > /etc/NetworkManager/conf.d/ocf-aws.conf && systemctl reload NetworkManager",
    )


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
    values = [
        read_file(Path(f"/proc/sys/net/ipv4/conf/{each}/rp_filter")).strip() or "0" for each in ("all", link.name)
    ]
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
