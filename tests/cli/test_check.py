"""`ocf-aws check`: what it says of a healthy node, and how it asks."""

from __future__ import annotations



def test_x(node):
    told = node.run("check", *node.overlay_ip())
    print(told.stdout, told.stderr, told.status, told.seconds)
    told = node.run("check", "--all", *node.overlay_ip())
    print(told.stdout, told.stderr, told.status, told.seconds)
    assert 0
