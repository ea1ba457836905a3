"""Restore the cluster's configuration (CIB) after a test, for the next test in the same lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vpclab.hosts.cluster import Cluster


@contextmanager
def restore_cib_after(cluster: Cluster) -> Iterator[None]:
    """Restore the configuration when the context ends: stop and remove what was added, and clean up its failures.

    Options, defaults, constraints and resources become again what they were before. Needs all nodes to be online.
    """
    before = cluster.run("cibadmin", "--query", "--scope", "configuration")
    try:
        yield
    finally:
        for option, value in (("stop-all-resources", "true"), ("maintenance-mode", "false")):
            cluster.run("crm_attribute", "--type", "crm_config", "--name", option, "--update", value)
        cluster.settled(120)
        cluster.run("cibadmin", "--replace", "--scope", "configuration", "--xml-text", before)
        cluster.settled(120)
