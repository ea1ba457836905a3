"""Patterns with * and ?, as EC2 filters and IAM policies write them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase


def matches(pattern: str, value: str) -> bool:
    """Whether the value fits the pattern; brackets mean themselves, unlike in a shell."""
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def fnmatch_pattern(pattern: str) -> str:
    """The pattern of an EC2 filter, in which a backslash lets a character mean itself, as fnmatch writes it."""
    return re.sub(r"\\(.)|(\[)", lambda found: f"[{found[1] or found[2]}]", pattern)
