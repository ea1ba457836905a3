"""A search for sequences of actions, trouble and meddling hands that break a promise.

FAULTS_SEED=... or --hypothesis-seed=... repeats the search that a run has printed, FAULTS=all searches for longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, core, settings
from hypothesis.stateful import run_state_machine_as_test

from faults.conftest import IS_WHOLE
from faults.search import EniSearch, OverlayIpSearch, Search
from vpclab.hosts.pair import Pair
from vpclab.hosts.single_node import SingleNode
from vpclab.plan import ONE_ZONE


@pytest.fixture(scope="module")
def pair(in_sandbox: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two nodes, and neighbours in the kernel and in EC2 that nobody may touch."""
    with SingleNode(tmp_path_factory.mktemp("pair"), ONE_ZONE) as single, Pair(single, ONE_ZONE) as pair:
        client = single.primary_eni("client")
        for table, destination in (("a", "192.168.10.0/24"), ("a", "192.168.10.11/32"), ("b", "fd01:10::/32")):
            single.create_route(table, destination, client)
        for destination in ("192.168.10.10/32", "fd01:10::10/128"):
            single.create_route("clients", destination, client)
        for node in pair.nodes.values():
            node.state.mkdir()
            node.ip(f"address add 192.168.10.11/32 dev {node.link}")
            node.ip("rule add from 10.0.1.50 lookup 77 priority 500")
            node.ip("route add 172.16.0.0/12 via 10.0.1.1 table 77 protocol static")
        single.ec2.times.attach = single.ec2.times.detach = 0.1
        yield pair
        for node in pair.nodes.values():
            node.ip("rule del priority 500")


@pytest.mark.parametrize(
    ("search", "examples", "steps"), [(OverlayIpSearch, 4, 12), (EniSearch, 5, 12)], ids=["an overlay IP", "an ENI"]
)
def test_no_sequence_of_actions_trouble_and_hands_breaks_a_promise(
    pair: Pair,
    judge: Callable[[str, str, int, list[str]], None],
    seed: str,
    search: type[Search],
    examples: int,
    steps: int,
) -> None:
    tried: Counter[tuple[str, int]] = Counter()

    def begin() -> Search:
        return search(pair, tried)

    if core.global_force_seed is None:
        print(f"drawn by FAULTS_SEED={seed}")
        begin = hypothesis.seed(seed)(begin)
    run_state_machine_as_test(
        begin,
        settings=settings(
            max_examples=30 if IS_WHOLE else examples,
            stateful_step_count=30 if IS_WHOLE else steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            # Each step is a process: to look for the shortest sequence takes longer than a person who reads a long one.
            phases=[Phase.generate],
        ),
    )
    print("; ".join(f"{action} {status}: {count}" for (action, status), count in sorted(tried.items())))
    for action in {action for action, _ in tried}:
        judge("in sequences", action, sum(count for (each, _), count in tried.items() if each == action), [])
