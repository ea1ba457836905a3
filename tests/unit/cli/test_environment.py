"""The environment of Pacemaker, as systemd reads it from its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocf_aws.cli import environment

# Each with what systemd 252 makes of it; None: it ignores the line.
LINES = [
    ("no_proxy=a, b", "a, b"),
    ("no_proxy=  a,  b\t", "a,  b"),
    (" no_proxy = a", "a"),
    ("no_proxy=", ""),
    ("no_proxy='a, b'", "a, b"),
    ('no_proxy="a, b" ', "a, b"),
    ('no_proxy="a" "b"', "ab"),
    ("no_proxy='' # c", "# c"),
    ("no_proxy=a # c", "a # c"),
    ("no_proxy=a 'b'", "a 'b'"),
    ("no_proxy=it's", "it's"),
    (r"no_proxy=a\ \b\\c", r"a b\c"),
    (r"""no_proxy='a\b"c'""", r"""a\b"c"""),
    (r'no_proxy="a\"b\\c\d\$"', r'a"b\c\d$'),
    ("# no_proxy=a", None),
    ("; no_proxy=a", None),
    ("export no_proxy=a", None),
]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pacemaker"
    monkeypatch.setattr(environment, "FILES", (path,))
    return path


@pytest.mark.parametrize("line, value", LINES)
def test_a_value_is_what_systemd_makes_of_it(file: Path, line: str, value: str | None) -> None:
    file.write_text(f"AWS_REGION=eu-central-1\n{line}\nAWS_PROFILE=default\n")
    expected = {"AWS_REGION": "eu-central-1", "AWS_PROFILE": "default"}
    assert environment.configured() == (expected if value is None else {**expected, "no_proxy": value})
