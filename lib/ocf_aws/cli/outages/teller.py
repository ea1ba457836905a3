"""Tells each outage when it begins and when it ends, while it is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ocf_aws.cli.outages.record import Recorder, Stretch
from ocf_aws.cli.outages.target import TIMEOUT
from ocf_aws.cli.outages.timeline import errors_text, length


@dataclass
class _State:
    """How far an address has been told. place: of the stretch to go on with. before: the host that answered last."""

    place: int = 0
    is_told: bool = False
    before: str | None = None
    outage: Stretch | None = None


class Teller:
    """Tells what is new.

    Args:
        recorder: what is measured.
        minimum: seconds; a shorter time without an answer is not told.
        say: called with a wall clock, an address ("" for this client itself) and a text.
    """

    def __init__(self, recorder: Recorder, minimum: float, say: Callable[[float, str, str], None]) -> None:
        self._recorder = recorder
        self._minimum = minimum
        self._say = say
        self._states = {address: _State() for address in recorder.stretches}
        self._stalls = 0

    def tell(self) -> None:
        """Tell all that has happened since the last call."""
        for end, late in self._recorder.stalls[self._stalls :]:
            self._say(end, "", f"this client itself stood still for {length(late)}")
        self._stalls = len(self._recorder.stalls)
        for address, stretches in self._recorder.stretches.items():
            state = self._states[address]
            while state.place < len(stretches):
                here = stretches[state.place]
                after = stretches[state.place + 1] if state.place + 1 < len(stretches) else None
                if here.host:
                    self._tell_host(state, here, here.host)
                else:
                    self._tell_silence(state, here, after)
                if after is None:
                    break
                state.place, state.is_told = state.place + 1, False

    def _tell_host(self, state: _State, stretch: Stretch, host: str) -> None:
        if state.is_told:
            return
        who = "" if host == stretch.address else f": {host}"
        if state.outage:
            lost = length(state.outage.end - state.outage.start)
            self._say(
                stretch.start, stretch.address, f"answers again after {lost}{who}{errors_text(state.outage.errors)}"
            )
        elif state.before is None:
            self._say(stretch.start, stretch.address, f"answers{who}")
        elif state.before != host:
            self._say(stretch.start, stretch.address, f"another host answers, without an outage{who}")
        state.is_told, state.before, state.outage = True, host, None

    def _tell_silence(self, state: _State, silent: Stretch, after: Stretch | None) -> None:
        seconds = silent.end - silent.start
        if state.before is None:
            if not state.is_told and seconds > 2 * TIMEOUT:
                self._say(silent.end, silent.address, f"no answer so far{errors_text(silent.errors)}")
                state.is_told = True
            return
        # While it lasts, its probes may still be answered: then they were only late.
        is_outage = seconds >= (self._minimum if after else self._minimum + TIMEOUT)
        if after and after.host == state.before and not silent.probes:
            is_outage = False
        if is_outage and not state.is_told:
            self._say(silent.start, silent.address, f"no answer any more{errors_text(silent.errors)}")
            state.is_told = True
        if state.is_told:
            state.outage = silent
