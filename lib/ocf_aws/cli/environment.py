"""The environment in which Pacemaker runs the agents, which is not that of a shell.

Proxies and AWS_* of a login shell do not reach the agents: Pacemaker has what its unit reads from /etc/sysconfig/pacemaker
(RHEL, SLES) or /etc/default/pacemaker (Debian, Ubuntu).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path

FILES = (Path("/etc/sysconfig/pacemaker"), Path("/etc/default/pacemaker"))


_QUOTED = re.compile(r"""\s*(?:'([^']*)'|"((?:[^"\\]|\\.)*)")""")


def matters(name: str) -> bool:
    """Whether a variable changes how AWS is reached."""
    return name.startswith("AWS_") or name.lower() in ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


def settings_file() -> Path | None:
    """The file with Pacemaker's environment on this node, None without one."""
    return next((path for path in FILES if path.is_file()), None)


def configured() -> dict[str, str] | None:
    """The variables in that file; None where there is no file that can be read."""
    path = settings_file()
    if path is None:
        return None
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return None
    found = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and name.strip().isidentifier():
            found[name.strip()] = _value(value)
    return found


def _value(text: str) -> str:
    """A value as systemd reads it, which is no shell: quotes count at its beginning alone, blanks and # within it stay.

    See EnvironmentFile= in systemd.exec(5).
    """
    value = ""
    while quoted := _QUOTED.match(text):
        value += quoted[1] or re.sub(r'\\(["\\`$])', r"\1", quoted[2] or "")
        text = text[quoted.end() :]
    return value + re.sub(r"\\(.)", r"\1", text.strip())


def running() -> dict[str, str] | None:
    """The variables of the process that runs the agents; None where none runs, or where it cannot be read."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() == "pacemaker-execd":
                # /proc has the first 15 characters of a name alone, and this one has 15.
                entries = (process / "environ").read_bytes().split(b"\0")
                return dict(entry.decode(errors="replace").partition("=")[::2] for entry in entries if b"=" in entry)
        except OSError:
            continue
    return None


def become_pacemaker(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Give this process what reaches the agents of proxies and AWS_*; returns what a shell had and they have not."""
    theirs = running()
    if theirs is None:
        theirs = configured()
    if theirs is None:
        return {}
    own = {name: value for name, value in environ.items() if matters(name)}
    for name in own:
        del environ[name]
    environ.update({name: value for name, value in theirs.items() if matters(name)})
    if environ.get("SUDO_USER"):
        # Else ~/.aws is that of the user who became root.
        environ["HOME"] = os.path.expanduser("~root")
    return {name: value for name, value in own.items() if theirs.get(name) != value}


def proxy_of(environ: Mapping[str, str]) -> str | None:
    """The proxy by which an HTTPS request leaves; None without one."""
    return next(
        (environ[name] for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY") if environ.get(name)), None
    )


def no_proxy_of(environ: Mapping[str, str]) -> set[str]:
    """The names for which no proxy is used."""
    text = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return {word.strip() for word in text.split(",") if word.strip()}
