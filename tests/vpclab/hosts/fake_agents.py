"""Fake agents for databases: the real meta-data, which tools check a definition against, but no database.

A definition that is written for the database loads as it is, with its type and parameters. What runs is one of
Pacemaker's two agents for tests, by whether the database has a promoted role.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from vpclab.hosts.instance import Instance

_AGENTS = "/usr/lib/ocf/resource.d"
_META_DATA = "/usr/share/vpclab/meta-data"
_HANA = "SID InstanceNumber"
_TAKEOVER = "PREFER_SITE_TAKEOVER DUPLICATE_PRIMARY_TIMEOUT AUTOMATED_REGISTER"
_TYPES = {
    "heartbeat/Filesystem": ("Dummy", None),
    "heartbeat/SAPInstance": ("Dummy", None),
    "heartbeat/SAPDatabase": ("Dummy", None),
    "heartbeat/SAPStartSrv": ("Dummy", "InstanceName START_PROFILE"),
    "heartbeat/db2": ("Stateful", None),
    "heartbeat/pgsql": ("Stateful", None),
    "heartbeat/pgsqlms": ("Stateful", None),
    "mssql/ag": ("Stateful", "ag_name"),
    "heartbeat/SAPHanaTopology": ("Dummy", _HANA),
    "heartbeat/SAPHanaFilesystem": ("Dummy", f"{_HANA} DIRECTORY ON_FAIL_ACTION"),
    "heartbeat/SAPHana": ("Stateful", f"{_HANA} {_TAKEOVER}"),
    "heartbeat/SAPHanaController": ("Stateful", f"{_HANA} {_TAKEOVER} ON_FAIL_ACTION HANA_CALL_TIMEOUT"),
}
_TYPES |= {
    name.replace("heartbeat", "suse"): standin
    for name, standin in _TYPES.items()
    if name.startswith(("heartbeat/SAPHana", "heartbeat/SAPStartSrv"))
}
"""By provider and type: the agent that stands in, and the parameters; None where the machine has the real agent."""

_SCRIPT = """\
#!/bin/sh
[ "$1" != meta-data ] || exec cat {meta_data}
exec {agents}/pacemaker/{standin} "$@"
"""

_DOCUMENT = """\
<?xml version="1.0"?>
<resource-agent name={name}>
<version>1.1</version>
<longdesc lang="en">A stand-in.</longdesc>
<shortdesc lang="en">A stand-in</shortdesc>
<parameters>
{parameters}</parameters>
<actions>
<action name="start" timeout="10s"/>
<action name="stop" timeout="10s"/>
{actions}<action name="monitor" timeout="10s" interval="10s"/>
<action name="meta-data" timeout="5s"/>
</actions>
</resource-agent>
"""

_ROLE_ACTIONS = """\
<action name="promote" timeout="10s"/>
<action name="demote" timeout="10s"/>
<action name="notify" timeout="10s"/>
"""

_PARAMETER = """\
<parameter name={name}>
<longdesc lang="en">A parameter.</longdesc>
<shortdesc lang="en">A parameter</shortdesc>
<content type="string"/>
</parameter>
"""


def install(nodes: Iterable[Instance]) -> None:
    """Replace the real agents on running nodes with fakes."""
    for node in nodes:
        for name, (standin, parameters) in _TYPES.items():
            document = _real(node, name) if parameters is None else _made_up(name, standin, parameters.split())
            node.write(f"{_META_DATA}/{name}", document)
            script = _SCRIPT.format(meta_data=f"{_META_DATA}/{name}", agents=_AGENTS, standin=standin)
            node.write(f"{_AGENTS}/{name}", script, mode=0o755)


def _real(node: Instance, name: str) -> str:
    return node.run(f"{_AGENTS}/{name}", "meta-data", env={"OCF_ROOT": "/usr/lib/ocf"}).stdout


def _made_up(name: str, standin: str, parameters: list[str]) -> str:
    described = "".join(_PARAMETER.format(name=quoteattr(parameter)) for parameter in parameters)
    return _DOCUMENT.format(
        name=quoteattr(name.rpartition("/")[2]),
        parameters=described,
        actions=_ROLE_ACTIONS if standin == "Stateful" else "",
    )
