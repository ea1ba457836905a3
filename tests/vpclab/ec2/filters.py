"""The filters and pages of EC2's describe calls."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from vpclab.ec2.errors import ApiError, invalid_value
from vpclab.ec2.wildcards import matches

Item = TypeVar("Item")
Readers = Mapping[str, Callable[[Any], Iterable[Any]]]
"""By filter name: the values of an item that the filter compares."""


def select(items: Iterable[Item], filters: Iterable[Mapping[str, Any]], readers: Readers) -> list[Item]:
    """The items that satisfy all filters, as parsed from the call; raises ApiError for one unknown."""
    chosen = list(items)
    for condition in filters:
        read = _reader(condition.get("Name", "null"), readers)
        wanted = [str(value) for value in condition.get("Values", ())]
        chosen = [item for item in chosen if _has_one(read(item), wanted)]
    return chosen


def page(items: list[Item], parameters: Mapping[str, Any], most: int) -> tuple[list[Item], str | None]:
    """The part of the items that a call asks for, and the token for the next part, if any.

    `most` is the largest MaxResults that the call takes; the smallest is 5.
    """
    size = parameters.get("MaxResults")
    if size is None:
        return items, None
    if not 5 <= int(size) <= most:
        raise invalid_value("maxResults", size, f"Expecting a value between 5 and {most}.")
    start = _read_token(parameters.get("NextToken"))
    end = start + int(size)
    token = base64.b64encode(str(end).encode()).decode() if end < len(items) else None
    return items[start:end], token


def _reader(name: str, readers: Readers) -> Callable[[Any], Iterable[Any]]:
    """How to read what a filter compares; tags are everybody's."""
    if name in readers:
        return readers[name]
    if name.startswith("tag:"):
        key = name[len("tag:") :]
        return lambda item: [t["value"] for t in item.get_tags() if t["key"] == key]
    if name == "tag-key":
        return lambda item: [tag["key"] for tag in item.get_tags()]
    raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")


def _has_one(values: Iterable[Any], wanted: list[str]) -> bool:
    """Whether any value fits any of the patterns wanted."""
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values if value is not None]
    return any(matches(pattern, text) for pattern in wanted for text in texts)


def _read_token(token: str | None) -> int:
    """Where the page begins."""
    if token is None:
        return 0
    try:
        return int(base64.b64decode(token))
    except ValueError:
        raise ApiError("InvalidNextToken", "The token is not valid.") from None
