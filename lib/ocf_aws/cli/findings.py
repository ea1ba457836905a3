"""What a check finds: passed, failed, warning, unknown or not applicable, and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Union

from ocf_aws.aws.errors import AccessDenied
from ocf_aws.ocf.errors import as_failure

PASSED = "passed"
FAILED = "failed"
WARNING = "warning"
UNKNOWN = "unknown"
NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Finding:
    """One precondition of one resource. remedy: a command or an IAM statement to paste, empty where nothing is to do."""

    status: str
    detail: str
    remedy: str = ""
    name: str = ""
    resource: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As `--output json` prints it."""
        return asdict(self)


def passed(detail: str) -> Finding:
    """All right."""
    return Finding(PASSED, detail)


def failed(detail: str, remedy: str) -> Finding:
    """The resource cannot work, or cannot be reached, as long as this is so."""
    return Finding(FAILED, detail, remedy)


def warning(detail: str, remedy: str) -> Finding:
    """It works, and something is likely to break it."""
    return Finding(WARNING, detail, remedy)


def unknown(detail: str, remedy: str = "") -> Finding:
    """It could not be found out."""
    return Finding(UNKNOWN, detail, remedy)


def not_applicable(detail: str) -> Finding:
    """The definition, or this node, does not need it."""
    return Finding(NOT_APPLICABLE, detail)


Verdict = Union[Finding, Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """A precondition: its name, which is stable, and the function that looks at it and changes nothing."""

    name: str
    function: Callable[[Any], Verdict]

    def findings(self, facts: Any, resource: str) -> list[Finding]:
        """What the function finds; a question without an answer makes the finding unknown, never an exception."""
        try:
            verdict = self.function(facts)
            found = [verdict] if isinstance(verdict, Finding) else list(verdict)
        except AccessDenied as error:
            found = [unknown(str(error), "ocf-aws policy --with-check")]
        except Exception as error:
            found = [unknown(str(as_failure(error)))]
        return [replace(each, name=self.name, resource=resource) for each in found]


class Checks:
    """The checks of one area, in the order in which they are told; a decorator adds one: `@CHECKS.add("name")`."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def __iter__(self) -> Any:
        return iter(self._checks)

    def add(self, name: str) -> Callable[[Callable[[Any], Verdict]], Callable[[Any], Verdict]]:
        """Register the function under that name."""

        def register(function: Callable[[Any], Verdict]) -> Callable[[Any], Verdict]:
            self._checks.append(Check(name, function))
            return function

        return register
