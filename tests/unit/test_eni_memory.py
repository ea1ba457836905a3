"""What is kept of a moved ENI: all of it or nothing, and only what root alone wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocf_aws.memory import Memory, drop, keep, recall

ENI = "eni-0123456789abcdef0"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HA_RSCTMP": str(tmp_path / "state")}


@pytest.fixture
def file(environ: dict[str, str]) -> Path:
    return Path(environ["HA_RSCTMP"]) / f"aws-eni-move-{ENI}"


def known() -> Memory:
    memory = Memory()
    memory.mac, memory.table, memory.attachment_id = "02:00:00:00:00:01", "4711", "eni-attach-1"
    memory.addresses, memory.subnets = ("10.0.1.50", "2001:db8::1"), ("10.0.1.0/24",)
    return memory


def test_what_is_kept_is_recalled(environ: dict[str, str]) -> None:
    keep(environ, ENI, known())
    recalled = recall(environ, ENI)
    assert recalled is not None and vars(recalled) == vars(known())


def test_nothing_is_recalled_where_nothing_was_kept_or_it_was_dropped(environ: dict[str, str]) -> None:
    assert recall(environ, ENI) is None
    keep(environ, ENI, known())
    drop(environ, ENI)
    drop(environ, ENI)
    assert recall(environ, ENI) is None and recall(environ, "eni-00000000") is None


def test_it_is_for_its_owner_alone(environ: dict[str, str], file: Path) -> None:
    keep(environ, ENI, known())
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("size", [0, 1, 40, 120])
def test_a_part_of_it_is_nothing(environ: dict[str, str], file: Path, size: int) -> None:
    keep(environ, ENI, known())
    os.truncate(file, size)
    assert recall(environ, ENI) is None


def test_what_others_could_have_written_is_not_believed(environ: dict[str, str], file: Path) -> None:
    keep(environ, ENI, known())
    file.chmod(0o620)
    assert recall(environ, ENI) is None


def test_a_link_in_its_place_is_neither_read_nor_followed(environ: dict[str, str], file: Path, tmp_path: Path) -> None:
    keep(environ, ENI, known())
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    Path(f"{file}.new").symlink_to(tmp_path / "victim")
    assert recall(environ, ENI) is None
    keep(environ, ENI, known())
    assert not file.is_symlink() and not (tmp_path / "victim").exists() and recall(environ, ENI) is not None
