"""The life of an instance: its states, and the power that follows them.

Each function is called within `State.change`, sets the state that the call's answer tells, and lets the rest happen in
the background.
"""

from __future__ import annotations

import copy
import time
from typing import Any

from moto.ec2.models.instances import Instance

from vpclab.ec2.state import State

_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
STATE_CODES = set(_CODES)
"""All states that an instance can be in."""


def stop(state: State, instance: Instance) -> None:
    """Cut the power; the instance counts as stopped when it is off and `times.stop` have passed."""
    if instance.state != "running":
        return
    _set(instance, "stopping")

    def cut() -> None:
        if _power_off(state, instance):
            with state.change():
                instance.stop()

    state.background(cut)


def start(state: State, instance: Instance) -> None:
    """Boot the instance; it counts as running, and has its links, from before its first process."""
    if instance.state != "stopped":
        return
    _set(instance, "pending")

    def boot() -> None:
        if state.pause(state.times.start):
            with state.change():
                instance.start()
            state.power.on(instance.id)

    state.background(boot)


def reboot(state: State, instance: Instance) -> None:
    """Cut the power and boot again; the state stays `running`."""

    def cycle() -> None:
        state.power.off(instance.id)
        state.power.on(instance.id)

    state.background(cycle)


def terminate(state: State, instance: Instance) -> None:
    """Cut the power for good; the ENIs end with the instance or become free."""
    if instance.state in ("shutting-down", "terminated"):
        return
    _set(instance, "shutting-down")

    def cut() -> None:
        if _power_off(state, instance):
            with state.change():
                _end(instance)

    state.background(cut)


def _power_off(state: State, instance: Instance) -> bool:
    """Cut the power and wait for the rest of the time; returns False when the lab closes."""
    began = time.monotonic()
    state.power.off(instance.id)
    return state.pause(began + state.times.stop - time.monotonic())


class _Remains(dict[int, Any]):
    """The ENIs of a terminated instance: EC2 lists none, but moto reads the old address from the first."""

    def values(self) -> Any:
        """None to list."""
        return ()


def _end(instance: Instance) -> None:
    """What is left of a terminated instance: an entry without ENIs."""
    # Deletes the ENIs that are to end with it.
    instance.terminate()
    primary = copy.copy(instance.nics[0])
    for eni in list(instance.nics.values()):
        instance.detach_eni(eni)
    instance.nics = _Remains({0: primary})


def _set(instance: Instance, name: str) -> None:
    """Put an instance into a state."""
    instance._state.name = name
    instance._state.code = _CODES[name]
