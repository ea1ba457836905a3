"""`ocf-aws migrate`: what it refuses, and what it says where it can do nothing more. The rest needs a running cluster."""

from __future__ import annotations

from typing import Any


def test_a_resource_that_is_made_of_a_template_is_left_alone(node: Any) -> None:
    node.create_cluster()
    node.edit_cib(
        '<primitive id="rsc_ip" class="ocf" provider="aws" type="aws-overlay-ip">',
        '<template id="moved" class="ocf" provider="heartbeat" type="aws-vpc-move-ip"/>'
        '<primitive id="rsc_ip" template="moved">',
    )
    before = node.cib.read_text()
    told = node.run("migrate", "rsc_ip", "--apply")
    assert (told.status, told.stdout) == (2, "")
    assert told.stderr == (
        "ocf-aws: rsc_ip has its type from the template moved: give it a definition of its own first\n"
    )
    assert node.cib.read_text() == before


def test_where_the_cluster_takes_no_change_any_more_it_says_how_to_go_on(node: Any) -> None:
    node.create_cluster()
    node.edit_cib('provider="aws" type="aws-overlay-ip"', 'provider="heartbeat" type="aws-vpc-move-ip"')
    node.report("node1")
    node.write_program("cibadmin", LOSES_QUORUM)
    told = node.run("migrate", "rsc_ip", "--apply", "--force")
    assert told.status == 3
    refused = "cibadmin --modify --allow-create: no quorum"
    assert told.stderr == (
        f"ocf-aws: run the same command again: rsc_ip is left in maintenance ({refused}; {refused})\n"
    )
    assert "rsc_ip-ocf-aws-migrate-maintenance" in node.cib.read_text()


# The first change is made, the others are refused.
LOSES_QUORUM = """\
#!/bin/sh
case "$*" in
*--modify*) [ ! -e "$HOME/changed" ] || { echo "no quorum" >&2; exit 1; }; touch "$HOME/changed" ;;
esac
exec /usr/sbin/cibadmin "$@"
"""
