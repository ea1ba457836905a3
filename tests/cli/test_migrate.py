"""`ocf-aws migrate`: what it refuses before it changes anything. The rest needs a running cluster."""

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
