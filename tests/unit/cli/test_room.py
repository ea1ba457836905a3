"""The checks that count ENIs: those of network card 0 alone take the places where the ENI can go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ocf_aws.aws.network_interfaces import describe_interfaces
from ocf_aws.aws.vpc import Instance
from ocf_aws.cli.checks import eni, peers
from ocf_aws.cli.findings import Check
from unit.fakes.ec2 import FakeEc2


class ToldFacts(dict[str, Any]):
    """Facts that a test tells. p: the parameters."""

    is_eni_move = True
    p = SimpleNamespace(eni_id="eni-1")


def facts_with(cards: tuple[int, ...]) -> ToldFacts:
    """This node and its peer, both of a type that takes two ENIs a card, with an ENI on each of the cards."""
    ec2 = FakeEc2()
    for index, card in enumerate(cards):
        ec2.add_interface(f"eni-{index + 10}")
        ec2.hold(f"eni-{index + 10}", "i-1", index, card)
    peer = Instance.from_answer(
        {"InstanceId": "i-1", "InstanceType": "m6in.32xlarge", "NetworkInterfaces": list(ec2.interfaces.values())}
    )
    return ToldFacts(
        moved_eni=None,
        limit=2,
        instance_id="i-1",
        instance_type="m6in.32xlarge",
        own_enis=describe_interfaces(ec2, "attachment.instance-id", "i-1"),
        peers={"node2": peer},
        cib="",
    )


@pytest.mark.parametrize("cards, status", [((0,), "passed"), ((0, 1, 1), "passed"), ((0, 0, 1), "failed")])
@pytest.mark.parametrize("check", [eni.check_room, peers.check_room])
def test_enis_on_other_network_cards_take_no_place(check: Any, cards: tuple[int, ...], status: str) -> None:
    found = Check("room", check).findings(facts_with(cards), "eni")
    assert [each.status for each in found] == [status], found
