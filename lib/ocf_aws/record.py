"""Values with named items, declared as `typing.NamedTuple`s are.

Loading `typing` takes 6 ms, `collections` and what its namedtuple() compiles for each class 3 ms; a whole local monitor
takes 12.
"""

from __future__ import annotations

# `operator` adds to this built-in part names that nobody needs here.
from _operator import itemgetter

__all__ = ["Record"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeVar

    from typing_extensions import dataclass_transform

    R = TypeVar("R")

    @dataclass_transform(frozen_default=True)
    class Record:
        """As below, for the type checker."""

        def __iter__(self) -> Iterator[Any]: ...

        def _replace(self: R, **changes: Any) -> R: ...

else:

    class Record(tuple):
        """A tuple whose items have names: those that a class annotates, in their order, with the defaults that it gives."""

        _fields = ()
        _defaults = {}

        def __init_subclass__(cls):
            cls._fields = tuple(cls.__annotations__)
            cls._defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}
            for number, name in enumerate(cls._fields):
                setattr(cls, name, property(itemgetter(number)))

        def __new__(cls, *values, **named):
            given = {**cls._defaults, **dict(zip(cls._fields, values)), **named}
            if len(values) > len(cls._fields) or given.keys() != set(cls._fields):
                raise TypeError(f"{cls.__name__} has the items {', '.join(cls._fields)}")
            return super().__new__(cls, [given[name] for name in cls._fields])

        def __repr__(self):
            return f"{type(self).__name__}({', '.join(map('{}={!r}'.format, self._fields, self))})"

        def __getnewargs__(self):
            return tuple(self)

        def _replace(self, **changes):
            return type(self)(**{**dict(zip(self._fields, self)), **changes})
