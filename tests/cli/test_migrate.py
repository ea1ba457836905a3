"""`ocf-aws migrate`: what it refuses, and what it says where it can do nothing more. The rest needs a running cluster."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from cli.conftest import unread_pipe


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
    assert told.status == 1
    refused = "cibadmin --modify --allow-create: no quorum"
    assert told.stderr == (
        f"ocf-aws: run the same command again: rsc_ip may be left in maintenance ({refused}; {refused})\n"
    )
    assert "rsc_ip-ocf-aws-migrate-maintenance" in node.cib.read_text()


def test_where_a_step_fails_it_goes_back_with_status_1(old_agent: Any) -> None:
    old_agent.write_program("cibadmin", ANSWERS_NONSENSE)
    told = old_agent.run("migrate", "rsc_ip", "--apply", "--force", "--output", "json")
    assert (told.status, told.results) == (1, [])
    assert told.stderr.startswith("ocf-aws: went back to ocf:heartbeat:aws-vpc-move-ip: unexpected error: ParseError")
    text = old_agent.cib.read_text()
    assert 'provider="heartbeat" type="aws-vpc-move-ip">' in text and "ocf-aws-migrate" not in text


def test_a_resource_that_is_stopped_is_refused(old_agent: Any) -> None:
    old_agent.report()
    told = old_agent.run("migrate", "rsc_ip", "--apply", "--force")
    assert told.status == 1
    assert told.stderr.startswith("ocf-aws: rsc_ip is active on no node: ")


def test_a_cluster_that_does_not_answer_is_unknown(old_agent: Any) -> None:
    old_agent.write_program("cibadmin", "#!/bin/sh\necho 'Connection refused' >&2; exit 1\n")
    told = old_agent.run("migrate", "rsc_ip", "--apply")
    assert told.status == 3 and "Connection refused" in told.stderr


# What it says after the first change is no XML.
ANSWERS_NONSENSE = """\
#!/bin/sh
case "$*" in
*--modify*) touch "$HOME/changed" ;;
*--xpath*) [ ! -e "$HOME/changed" ] || exec echo "no XML" ;;
esac
exec /usr/sbin/cibadmin "$@"
"""

# The first change is made, the others are refused.
LOSES_QUORUM = """\
#!/bin/sh
case "$*" in
*--modify*) [ ! -e "$HOME/changed" ] || { echo "no quorum" >&2; exit 1; }; touch "$HOME/changed" ;;
esac
exec /usr/sbin/cibadmin "$@"
"""


@pytest.fixture
def old_agent(node: Any) -> Any:
    """A node that runs the resource by the old agent, and where each agent that looks finds it."""
    node.create_cluster()
    node.edit_cib('provider="aws" type="aws-overlay-ip"', 'provider="heartbeat" type="aws-vpc-move-ip"')
    node.report("node1")
    node.write_program("crm_resource", REFRESHES)
    return node


def assert_migrated(node: Any) -> None:
    text = node.cib.read_text()
    assert '<primitive id="rsc_ip" class="ocf" provider="aws" type="aws-overlay-ip">' in text
    assert "ocf-aws-migrate" not in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_nobody_reads_is_finished(old_agent: Any, form: str) -> None:
    with unread_pipe() as pipe:
        told = old_agent.run("migrate", "rsc_ip", "--apply", "--force", "--output", form, stdout=pipe)
    assert (told.status, told.stderr) == (0, "ocf-aws: goes on without output: Broken pipe\n")
    assert_migrated(old_agent)


def test_on_a_full_disk_it_is_finished(old_agent: Any) -> None:
    with open("/dev/full", "w") as full:
        told = old_agent.run("migrate", "rsc_ip", "--apply", "--force", stdout=full.fileno())
    assert (told.status, told.stderr) == (0, "ocf-aws: goes on without output: No space left on device\n")
    assert_migrated(old_agent)


def test_a_terminal_that_is_closed_does_not_end_it(old_agent: Any) -> None:
    old_agent.write_program("cibadmin", SLOW)
    with old_agent.start_on_terminal("migrate", "rsc_ip", "--apply", "--force") as (terminal, running):
        told = b""
        while b"1 put rsc_ip alone into maintenance: done" not in told:
            told += os.read(terminal, 4096)
        os.close(terminal)
        assert running.wait(30) == 0
    assert_migrated(old_agent)


def test_interrupted_it_says_how_to_go_on_and_does(old_agent: Any) -> None:
    old_agent.write_program("cibadmin", INTERRUPTS)
    told = old_agent.run("migrate", "rsc_ip", "--apply", "--force")
    assert told.status == 128 + signal.SIGINT
    assert told.stderr == ("ocf-aws: interrupted: run the same command again, which goes on where this one stopped\n")
    assert "rsc_ip-ocf-aws-migrate-maintenance" in old_agent.cib.read_text()
    assert old_agent.run("migrate", "rsc_ip", "--apply", "--force").status == 0
    assert_migrated(old_agent)


# A refresh makes the agent that is configured look; a cluster that is a file runs none.
REFRESHES = """\
#!/bin/sh
case "$*" in *--refresh*) ;; *) exec /usr/sbin/crm_resource "$@" ;; esac
type=$(grep '<primitive id="rsc_ip"' "$CIB_file" | grep -o 'provider="[^"]*" type="[^"]*"')
exec sed -i '/<lrm_resource /s/provider="[^"]*" type="[^"]*"/'"$type/" "$CIB_file"
"""

# A change takes so long that the terminal is closed meanwhile.
SLOW = """\
#!/bin/sh
case "$*" in *--modify*) sleep 1 ;; esac
exec /usr/sbin/cibadmin "$@"
"""

# The first change is made, and then the operator presses Ctrl-C.
INTERRUPTS = """\
#!/bin/sh
/usr/sbin/cibadmin "$@" || exit
case "$*" in
*--modify*) [ -e "$HOME/pressed" ] || { touch "$HOME/pressed"; kill -INT $PPID; sleep 0.1; } ;;
esac
"""
