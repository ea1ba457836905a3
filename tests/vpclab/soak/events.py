"""The events of the soak: what an operator, a broken machine, a network or AWS does to a cluster, at random."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from threading import Timer

from vpclab.ec2 import effects
from vpclab.ec2.effects import Effect
from vpclab.lab import Lab
from vpclab.soak.services import SERVICES, Service

OF_AGENTS = "*Route*", "*NetworkInterface*", "*Address*", "DescribeSubnets", "DescribeInstanceTypes"
"""The EC2 actions of the agents without those on instances, which fence_aws needs: EC2 limits each action on its own."""

_FENCED_SECONDS = 120.0
"""How long a node may take to have its peer fenced."""


@dataclass(frozen=True)
class Done:
    """What an event did, and the services that it may have interrupted."""

    text: str
    interrupts: tuple[Service, ...] = ()


class Events:
    """Makes one event after the other; each kind once before any comes again.

    lab: with the resources of `services`. random: decides about everything.
    """

    def __init__(self, lab: Lab, random: Random) -> None:
        self._lab = lab
        self._random = random
        self._bag: list[tuple[str, Callable[[], Done]]] = []
        self._kinds: dict[str, Callable[[], Done]] = {
            "move": self._move,
            "standby": self._standby,
            "power lost": self._power_lost,
            "network cut": self._cut,
            "short network cut": self._short_cut,
            "EC2 or IMDS broken": self._broken,
            "move, EC2 broken": self._move_while_broken,
            "power lost, EC2 broken": self._power_lost_while_broken,
            "power lost, EC2 dead for fencing too": self._power_lost_while_dead,
        }

    def next(self) -> tuple[str, Callable[[], Done]]:
        """The kind of the next event, and what makes it happen and returns when the lab only needs time to recover."""
        if not self._bag:
            self._bag = list(self._kinds.items())
            self._random.shuffle(self._bag)
        return self._bag.pop()

    def end_all(self) -> None:
        """End every fault."""
        self._lab.ec2.faults.clear()
        self._lab.imds.dead.clear()
        for node in self._lab.nodes.values():
            self._lab.network.heal(node.id)

    # --- what an operator does ----------------------------------------------------------------------------------------

    def _move(self) -> Done:
        service = self._random.choice(SERVICES)
        target = self._move_away(service)
        return Done(f"`{service.resource}` moved to {target}", (service,))

    def _standby(self) -> Done:
        node = self._random_node()
        there = self._services_on(node)
        self._lab.cluster.pcs("node", "standby", node)
        self._lab.cluster.wait_until(lambda: not self._services_on(node), 90)
        self._lab.cluster.settled(120)
        self._lab.cluster.pcs("node", "unstandby", node)
        return Done(f"{node} in standby and back", there)

    # --- what breaks --------------------------------------------------------------------------------------------------

    def _power_lost(self) -> Done:
        node = self._random_node()
        there = self._services_on(node)
        with self._fenced(node):
            self._lab.nodes[node].off()
        return Done(f"power of {node} lost", there)

    def _cut(self) -> Done:
        node = self._random_node()
        there = self._services_on(node)
        with self._fenced(node):
            self._lab.network.cut(self._lab.nodes[node].id)
        return Done(f"network of {node} cut until it was fenced", there)

    def _short_cut(self) -> Done:
        node, seconds = self._random_node(), self._random.uniform(0.2, 0.7)
        there = self._services_on(node)
        self._lab.network.cut(self._lab.nodes[node].id)
        time.sleep(seconds)
        self._lab.network.heal(self._lab.nodes[node].id)
        return Done(f"network of {node} cut for {seconds:.1f} s", there)

    # --- what AWS does ------------------------------------------------------------------------------------------------

    def _broken(self) -> Done:
        seconds = self._random.uniform(8, 20)
        text = self._break(seconds)
        time.sleep(seconds)
        return Done(f"{text} for {seconds:.0f} s")

    def _move_while_broken(self) -> Done:
        service, seconds = self._random.choice(SERVICES), self._random.uniform(3, 12)
        text = self._break(seconds)
        target = self._move_away(service)
        return Done(f"`{service.resource}` moved to {target}; {text} for {seconds:.0f} s", (service,))

    def _power_lost_while_broken(self) -> Done:
        node, seconds = self._random_node(), self._random.uniform(8, 20)
        there, survivor = self._services_on(node), self._lab.nodes[self._lab.other(node)]
        effect = self._random_effect()
        with self._fenced(node):
            self._fail(OF_AGENTS, effect, seconds)
            self._lab.nodes[node].off()
        # fence_aws has had its credentials from IMDS.
        self._silence_imds([survivor.id], seconds / 2)
        return Done(f"power of {node} lost; EC2: {_name(effect)} for {seconds:.0f} s, then IMDS silent", there)

    def _power_lost_while_dead(self) -> Done:
        node, seconds = self._random_node(), self._random.uniform(5, 15)
        there = self._services_on(node)
        with self._fenced(node):
            self._fail(["*"], effects.Reset(), seconds)
            self._lab.nodes[node].off()
        return Done(f"power of {node} lost; EC2 refuses every connection for {seconds:.0f} s", there)

    # --- steps --------------------------------------------------------------------------------------------------------

    def _random_node(self) -> str:
        return self._random.choice(sorted(self._lab.nodes))

    def _random_effect(self) -> Effect:
        possible: list[Effect] = [
            effects.Error("RequestLimitExceeded", 503),
            effects.Error("InternalError", 500),
            effects.Error("AuthFailure"),
            effects.Reset(),
            effects.Hang(),
            effects.Delay(2.0),
            effects.Garbage(),
            effects.Garbage(200, b"<DescribeRouteTablesResponse><routeTableSet>"),
            effects.Stale(3.0),
        ]
        return self._random.choice(possible)

    def _services_on(self, node: str) -> tuple[Service, ...]:
        return tuple(service for service in SERVICES if node in self._lab.cluster.resource_runs_on(service.resource))

    def _move_away(self, service: Service) -> str:
        """Move a resource as an operator does; returns the target."""
        (node,) = self._lab.cluster.resource_runs_on(service.resource)
        target = self._lab.other(node)
        self._lab.cluster.pcs("resource", "move", service.resource, target)
        return target

    def _break(self, seconds: float) -> str:
        """Break EC2 or IMDS for some seconds; returns what is broken."""
        if self._random.random() < 0.25:
            self._silence_imds([node.id for node in self._lab.nodes.values()], seconds)
            return "IMDS silent"
        effect = self._random_effect()
        self._fail(["*"], effect, seconds)
        return f"EC2: {_name(effect)}"

    def _fail(self, actions: Iterable[str], effect: Effect, seconds: float) -> None:
        for action in actions:
            fault = self._lab.ec2.faults.add(action, effect=effect)
            _after(seconds, partial(self._lab.ec2.faults.remove, fault))

    def _silence_imds(self, instance_ids: list[str], seconds: float) -> None:
        dead = self._lab.imds.dead
        dead.update(instance_ids)
        _after(seconds, lambda: dead.difference_update(instance_ids))

    @contextmanager
    def _fenced(self, node: str) -> Iterator[None]:
        """Wait, at the end of the context, until the node has been stopped by its peer."""
        stops = self._stops(node)
        yield
        self._lab.cluster.wait_until(lambda: self._stops(node) > stops, _FENCED_SECONDS)

    def _stops(self, node: str) -> int:
        """How often the node has been stopped."""
        calls = [call for call in self._lab.ec2.calls.named("StopInstances") if call.outcome == "ok"]
        return sum(self._lab.nodes[node].id in call.parameters["InstanceIds"] for call in calls)


def _name(effect: Effect) -> str:
    """An effect in words."""
    if isinstance(effect, effects.Error):
        return effect.code
    if isinstance(effect, effects.Garbage):
        return f"nonsense with status {effect.status}"
    texts = {"Reset": "connections refused", "Hang": "silent", "Delay": "slow", "Stale": "old answers"}
    return texts[type(effect).__name__]


def _after(seconds: float, end: Callable[[], object]) -> None:
    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
