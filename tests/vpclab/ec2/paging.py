"""The pages of EC2's describe calls."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, TypeVar

from vpclab.ec2.errors import ApiError, invalid_value

Item = TypeVar("Item")


def page(
    items: list[Item], parameters: Mapping[str, Any], most: int, server_size: int | None
) -> tuple[list[Item], str | None]:
    """One page of the items, and the token for the next page, None on the last one.

    most: the largest MaxResults that the call takes; the smallest is 5. server_size: items in a page where the caller
    does not say MaxResults; None: all. A token is what tells whether there are more items, not their number. Raises
    ApiError.
    """
    size = server_size
    if "MaxResults" in parameters:
        size = int(parameters["MaxResults"])
        if not 5 <= size <= most:
            raise invalid_value("maxResults", str(size), f"Expecting a value between 5 and {most}.")
    start = _read_token(parameters.get("NextToken"))
    end = len(items) if size is None else start + size
    token = base64.b64encode(str(end).encode()).decode() if end < len(items) else None
    return items[start:end], token


def _read_token(token: str | None) -> int:
    """The number of the first item of the page."""
    if token is None:
        return 0
    try:
        return int(base64.b64decode(token))
    except ValueError:
        raise ApiError("InvalidNextToken", "The token is not valid.") from None
