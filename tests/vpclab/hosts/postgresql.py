"""PostgreSQL in a lab, from Debian's packages: a pair with streaming replication, stopped, as an administrator leaves it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vpclab.checkout import CHECKOUT
from vpclab.hosts.instance import Instance

VERSION = "15"
PLACES = {
    "PGBIN": f"/usr/lib/postgresql/{VERSION}/bin",
    "PGDATA": f"/var/lib/postgresql/{VERSION}/main",
    "PGCONFDIR": f"/etc/postgresql/{VERSION}/main",
    "PGCONFIG": f"/etc/postgresql/{VERSION}/main/postgresql.conf",
    "PGTMP": "/var/lib/postgresql/pgsql",
}
"""What the placeholders of the examples stand for on Debian."""

_SETTINGS = "listen_addresses = '*'\nwal_keep_size = 64MB\n"
# No password: nobody but the lab reaches its network.
_ACCESS = "local all all peer\nhost all all 0.0.0.0/0 trust\nhost replication replicator 0.0.0.0/0 trust\n"


def create_pair(primary: Instance, standby: Instance, settings: Mapping[str, str], access: str = "") -> None:
    """Create a database on a node and a copy of it on another; both are stopped.

    settings: more lines of postgresql.conf by node. access: first lines of pg_hba.conf.
    """
    for node in (primary, standby):
        node.run("sh", "-c", _repair())
        node.enable("postgresql", "#!/bin/sh\nexec systemd-tmpfiles --create postgresql-common.conf\n")
        node.run("systemd-tmpfiles", "--create", "postgresql-common.conf")
        node.run("sh", "-c", f"pg_dropcluster --stop {VERSION} main; pg_createcluster {VERSION} main")
        node.write(f"{PLACES['PGCONFDIR']}/conf.d/lab.conf", _SETTINGS + settings[node.name], owner="postgres")
        node.write(f"{PLACES['PGCONFDIR']}/pg_hba.conf", access + _ACCESS, owner="postgres")
    _control(primary, "start")
    # The settings may have it wait for a standby, and there is none yet.
    sql(primary, "SET synchronous_commit = local; CREATE ROLE replicator LOGIN REPLICATION; CREATE ROLE client LOGIN;")
    sql(primary, "SET synchronous_commit = local; CREATE TABLE written (n integer); GRANT ALL ON written TO client;")
    copy(standby, primary.name)
    _control(primary, "stop")


def copy(node: Instance, host: str) -> None:
    """Copy the database anew from a running one; it is stopped then, and a standby."""
    data = PLACES["PGDATA"]
    node.run("sh", "-c", f"rm -rf {data}")
    _as_postgres(
        node, f"{PLACES['PGBIN']}/pg_basebackup", "-h", host, "-U", "replicator", "-D", data, "--write-recovery-conf"
    )
    # What pg_basebackup writes there would hide what the configuration says of the primary.
    node.write(f"{data}/postgresql.auto.conf", "", mode=0o600, owner="postgres:postgres")


def sql(node: Instance, text: str) -> str:
    """What the database on a node answers to SQL, asked there. Raises RuntimeError if it does not."""
    return _as_postgres(node, f"{PLACES['PGBIN']}/psql", "--quiet", "--no-align", "--tuples-only", "--command", text)


def _repair() -> str:
    """The command that makes ocf:heartbeat:pgsql start on Debian 12, as the examples' page has it."""
    page = (CHECKOUT / "packaging/examples/README.md").read_text()
    found = re.search(r"^    (sed -i .* \\\n.*)$", page, re.MULTILINE)
    assert found
    return found[1]


def _as_postgres(node: Instance, *command: str) -> str:
    return node.run("runuser", "-u", "postgres", "--", *command).stdout.strip()


def _control(node: Instance, action: str) -> None:
    node.run("pg_ctlcluster", VERSION, "main", action)
