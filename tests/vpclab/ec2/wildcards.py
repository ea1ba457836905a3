"""Patterns with * and ?, as EC2 filters and IAM policies write them."""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(pattern: str, value: str) -> bool:
    """Whether the value fits the pattern; brackets mean themselves, unlike in a shell."""
    return fnmatchcase(value, pattern.replace("[", "[[]"))
