"""Every call, every fault, every action: nothing that passes bans a node, fails a healthy resource or fences anybody.

The calls are those that a healthy action makes here, so that a new one is tried as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from faults.attack import attack, cases
from faults.promises import ACTIONS, FAULTS
from faults.subjects import Subject

SUBJECTS = ("an overlay IP", "a shared overlay IP", "an ENI", "an ENI of a stopped holder")


@pytest.mark.matrix
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", SUBJECTS)
def test_every_promise_is_kept(
    subjects: dict[str, Subject],
    recorded: Callable[[Subject, str], list[str]],
    sample: random.Random | None,
    judge: Callable[[str, str, int, list[str]], None],
    kind: str,
    action: str,
    fault: str,
) -> None:
    subject = subjects[kind]
    tried = list(cases(action, recorded(subject, action), fault))
    if sample:
        tried = [sample.choice(tried)] if tried else []
    broken = [each for case in tried for each in attack(subject, case)]
    judge(fault, action, len(tried), broken)
