"""The declaration of an agent: its parameters and actions, said once.

Meta-data, defaults, types, validation, man page and the tables of the README are all made from it.
Words are those of the OCF resource agent API 1.1 (ra-api.rng).
"""

from __future__ import annotations

from ocf_aws.ocf.errors import FatalError, shorten
from ocf_aws.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ocf_aws.ocf.runtime import Context

PREFIX = "OCF_RESKEY_"

# Set by Pacemaker (CRM_meta_*, crm_feature_set) and by crmsh's `resource trace` (trace_*), never by the definition.
FOREIGN = ("CRM_meta_", "crm_", "trace_", "OCF_CHECK_LEVEL")

_VALUE_LENGTH = 40
_INTEGER_LENGTH = 20

TRUE = frozenset("true yes on 1 y".split())
FALSE = frozenset("false no off 0 n".split())


def boolean(text: str) -> bool:
    """The truth value that Pacemaker's crm_str_to_boolean() reads in `text`. Raises ValueError."""
    word = text.strip().lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise ValueError(f"'{text}' is neither true nor false")


def integer(text: str) -> int:
    """The whole number in `text`. Raises ValueError."""
    # int() takes underscores, the digits of all scripts, and thousands of them.
    if text.isascii() and "_" not in text and len(text) <= _INTEGER_LENGTH:
        try:
            return int(text)
        except ValueError:
            pass
    raise ValueError(f"'{text}' is not a whole number")


def _brief(reason: str, text: str) -> str:
    """What is wrong with a value, told with no more of the value than leaves room for that."""
    # Escaped before it is cut: an exit reason is ASCII.
    reason, text = (each.encode("ascii", "backslashreplace").decode() for each in (reason, text))
    words = reason.replace(text, shorten(text, _VALUE_LENGTH)).split() if text else [reason]
    return " ".join(f"{word[:_VALUE_LENGTH]}...'" if len(word) > _VALUE_LENGTH + 5 else word for word in words)


class Parameter:
    """A parameter of an agent.

    name, shortdesc, longdesc, type, default, required, unique_group, reloadable: as the API has them.
    options: the words that are allowed, where only some are.
    parse: makes the value of a text, raising ValueError with what is wrong with it; made of `type` and `options`
        unless given.
    alias_of: the parameter that this one is an older name of.
    has_effect: False for a name that is accepted only for the sake of older definitions.
    """

    def __init__(
        self,
        name: str,
        shortdesc: str,
        longdesc: str,
        *,
        type: str = "string",
        default: str | None = None,
        required: bool = False,
        unique_group: str | None = None,
        reloadable: bool = False,
        options: tuple[str, ...] = (),
        parse: Callable[[str], Any] | None = None,
        alias_of: str | None = None,
        has_effect: bool = True,
    ):
        self.name = name
        self.shortdesc = shortdesc
        self.longdesc = longdesc
        self.type = type
        self.default = default
        self.required = required
        self.unique_group = unique_group
        self.reloadable = reloadable
        self.options = options
        self.alias_of = alias_of
        self.has_effect = has_effect
        by_type: dict[str, Callable[[str], Any]] = {"boolean": boolean, "integer": integer}
        self._parse = parse or by_type.get(type, str)

    def parse(self, text: str) -> Any:
        """The value of `text`. Raises ValueError saying what is wrong with it."""
        if self.options and text not in self.options:
            raise ValueError(f"'{text}' is none of {', '.join(self.options)}")
        return self._parse(text)


class Action(Record):
    """An action of an agent.

    name: as the API has it. function: what does it, with a Context; it returns, or raises a Failure.
    timeout, interval: seconds. depth: the OCF check level.
    needs: parameters without which a stop has nothing to stop.
    outlasts: whether the action is tried again, until its deadline, while what it meets may pass.
    """

    name: str
    function: Callable[[Context], None]
    timeout: int
    interval: int | None = None
    depth: int | None = None
    needs: tuple[str, ...] = ()
    outlasts: bool = False


META_DATA = Action("meta-data", lambda context: None, timeout=5)
"""The action that needs no function: the frame answers it from the declaration."""


class ParameterValues:
    """Values by parameter name, as attributes; None where neither a value nor a default is given.

    given: names that the definition of the resource sets.
    wrong: what is wrong, one text a parameter, by name.
    unknown: names that are set and that the agent does not have.
    """

    def __init__(self) -> None:
        self.given: set[str] = set()
        self.wrong: dict[str, str] = {}
        self.unknown: list[str] = []

    def __getattr__(self, name: str) -> Any:
        # Only reached for a name that the declaration does not have.
        raise AttributeError(f"no parameter '{name}'")

    def require_right(self) -> None:
        """Raises FatalError naming each parameter that is wrong or missing."""
        if self.wrong:
            raise FatalError("; ".join(self.wrong.values()), "; ".join(self.wrong.values()))

    def require_known(self) -> None:
        """Raises FatalError naming each parameter that the agent does not have."""
        if self.unknown:
            raise FatalError(self.unknown_text, self.unknown_text)

    @property
    def unknown_text(self) -> str:
        """The unknown parameters in words."""
        return f"unknown parameter {', '.join(map(repr, self.unknown))}"


class Agent:
    """An agent: name (the file's), version of the agent, descriptions, parameters and actions but for meta-data."""

    def __init__(
        self,
        name: str,
        version: str,
        shortdesc: str,
        longdesc: str,
        parameters: Iterable[Parameter],
        actions: Iterable[Action],
    ):
        self.name = name
        self.version = version
        self.shortdesc = shortdesc
        self.longdesc = longdesc
        self.parameters = tuple(parameters)
        self.actions = (*actions, META_DATA)

    def find_action(self, name: str) -> Action | None:
        """The action that Pacemaker calls by this name, None where the agent has none."""
        return next((action for action in self.actions if action.name == name and action is not META_DATA), None)

    def read(self, environ: Mapping[str, str]) -> ParameterValues:
        """The parameters that `environ` sets, wrong ones with their default's value and a line in `wrong`."""
        values = ParameterValues()
        texts = {
            key[len(PREFIX) :]: text.strip() for key, text in environ.items() if key.startswith(PREFIX) and text.strip()
        }
        for parameter in self.parameters:
            text = texts.pop(parameter.name, None)
            # An alias must not undo the parameter it stands for, which comes first in the declaration.
            if parameter.alias_of and (text is None or parameter.alias_of in values.given):
                continue
            target = parameter.alias_of or parameter.name
            if text is not None:
                values.given.add(target)
                values.wrong.pop(target, None)
            self._set(values, parameter, target, text)
        values.unknown = sorted(n for n in texts if not n.startswith(FOREIGN))
        return values

    @staticmethod
    def _set(values: ParameterValues, parameter: Parameter, target: str, text: str | None) -> None:
        value = None
        try:
            if text is not None:
                value = parameter.parse(text)
            elif parameter.required:
                values.wrong[target] = f"parameter '{parameter.name}' is required"
        except ValueError as error:
            values.wrong[target] = f"parameter '{parameter.name}': {_brief(str(error), text or '')}"
        if value is None and parameter.default is not None:
            value = parameter.parse(parameter.default)
        setattr(values, target, value)
