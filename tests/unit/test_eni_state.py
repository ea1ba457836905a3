"""What is kept of a moved ENI: all of it or nothing, and only what root alone wrote."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ocf_aws.eni_state import EniState, delete, load, parse_words, save
from ocf_aws.ip import IpAddress, IpNetwork
from ocf_aws.ocf.errors import HardError
from ocf_aws.ocf.log import Log

ENI = "eni-0123456789abcdef0"
FIRST, SECOND, SIX = (IpAddress.parse(text) for text in ("10.0.1.50", "10.0.1.51", "2001:db8::1"))
PREFIX = IpNetwork.parse("10.0.1.64/28")
SUBNET, SUBNET6 = IpNetwork.parse("10.0.1.0/24"), IpNetwork.parse("2001:db8::/64")
MAC = "02:00:00:00:00:01"
FULL = EniState(MAC, 4711, (FIRST, SIX), (PREFIX,), (SUBNET, SUBNET6), "i-1", "eni-attach-1", 1500, "1")
LEAST = EniState(MAC, 4711, (FIRST,))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HA_RSCTMP": str(tmp_path / "state")}


@pytest.fixture
def file(environ: dict[str, str]) -> Path:
    return Path(environ["HA_RSCTMP"]) / f"aws-eni-move-{ENI}"


@pytest.mark.parametrize("state", [FULL, LEAST])
def test_what_is_saved_is_loaded(environ: dict[str, str], state: EniState, log: Log) -> None:
    save(environ, ENI, state, log)
    assert load(environ, ENI) == state


def test_a_second_save_replaces_the_first(environ: dict[str, str], log: Log) -> None:
    save(environ, ENI, FULL, log)
    save(environ, ENI, LEAST, log)
    assert load(environ, ENI) == LEAST


def test_nothing_is_loaded_where_nothing_was_saved_or_it_was_deleted(environ: dict[str, str], log: Log) -> None:
    assert load(environ, ENI) is None
    save(environ, ENI, FULL, log)
    delete(environ, ENI, log)
    delete(environ, ENI, log)
    assert load(environ, ENI) is None and load(environ, "eni-00000000") is None


def test_the_file_is_for_its_owner_alone(environ: dict[str, str], file: Path, log: Log) -> None:
    save(environ, ENI, FULL, log)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_every_part_of_the_file_is_nothing(environ: dict[str, str], file: Path, log: Log) -> None:
    save(environ, ENI, FULL, log)
    text = file.read_bytes()
    for size in range(len(text) - 1):
        file.write_bytes(text[:size])
        assert load(environ, ENI) is None, size


def test_the_state_of_another_eni_is_nothing(environ: dict[str, str], file: Path, log: Log) -> None:
    save(environ, ENI, FULL, log)
    other = "eni-0123456789abcdef1"
    file.rename(file.with_name(f"aws-eni-move-{other}"))
    assert load(environ, other) is None


@pytest.mark.parametrize("line", ["table many", "addresses banana", "subnets 10.0.1.0/99", "mtu large"])
def test_a_value_that_cannot_be_read_makes_all_of_it_nothing(
    environ: dict[str, str], file: Path, line: str, log: Log
) -> None:
    save(environ, ENI, FULL, log)
    lines = [line if each.split()[0] == line.split()[0] else each for each in file.read_text().splitlines()]
    file.write_text("\n".join(lines))
    assert load(environ, ENI) is None


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_what_others_could_have_written_is_not_believed(
    environ: dict[str, str], file: Path, mode: int, log: Log
) -> None:
    save(environ, ENI, FULL, log)
    file.chmod(mode)
    assert load(environ, ENI) is None


def test_a_link_in_its_place_is_neither_read_nor_followed(
    environ: dict[str, str], file: Path, tmp_path: Path, log: Log
) -> None:
    save(environ, ENI, FULL, log)
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    Path(f"{file}.new").symlink_to(tmp_path / "victim")
    assert load(environ, ENI) is None
    save(environ, ENI, FULL, log)
    assert not file.is_symlink() and not (tmp_path / "victim").exists() and load(environ, ENI) == FULL


def test_what_cannot_be_saved_or_deleted_is_warned_of(tmp_path: Path, log: Log, stderr: io.StringIO) -> None:
    (tmp_path / "file").touch()
    environ = {"HA_RSCTMP": str(tmp_path / "file" / "state")}
    save(environ, ENI, LEAST, log)
    assert f"WARNING: what is known of {ENI} cannot be recorded: [Errno" in stderr.getvalue()
    delete(environ, ENI, log)
    assert f"WARNING: the record of {ENI} cannot be removed: [Errno" in stderr.getvalue()


# --- the value --------------------------------------------------------------------------------------------------------


def test_without_a_choice_all_addresses_and_prefixes_stay() -> None:
    assert FULL.restrict_to(None) is FULL and FULL.restrict_to(()) is FULL


def test_a_choice_may_name_addresses_and_addresses_inside_a_prefix() -> None:
    inside = IpAddress.parse("10.0.1.70")
    chosen = FULL.restrict_to((SIX, inside))
    assert (chosen.addresses, chosen.prefixes) == ((SIX, inside), ())
    assert chosen._replace(addresses=FULL.addresses, prefixes=FULL.prefixes) == FULL


def test_an_address_that_the_eni_does_not_have_is_refused() -> None:
    with pytest.raises(HardError, match="parameter 'addresses': 10.0.1.51 is none of the ENI's addresses"):
        FULL.restrict_to((FIRST, SECOND))


def test_of_a_subnet_s_blocks_those_with_an_address_are_taken_one_of_each_family() -> None:
    blocks = [IpNetwork.parse("10.0.2.0/24"), SUBNET, IpNetwork.parse("10.0.0.0/16"), SUBNET6]
    assert FULL.with_subnets(blocks).subnets == (SUBNET, SUBNET6)
    assert LEAST.with_subnets(blocks).subnets == (SUBNET,)


def test_a_prefix_alone_needs_its_subnet_too() -> None:
    state = EniState(MAC, 1, (), (PREFIX,))
    assert not state.has_all_subnets
    assert state.with_subnets([SUBNET]).has_all_subnets


def test_it_is_known_whether_each_family_has_its_subnet() -> None:
    assert FULL.has_all_subnets and not LEAST.has_all_subnets
    assert not FULL.with_subnets([SUBNET]).has_all_subnets


def test_words_become_values() -> None:
    assert parse_words(IpAddress, "10.0.1.50\n10.0.1.51\n") == (FIRST, SECOND)
    assert parse_words(IpNetwork, None) == parse_words(IpNetwork, "") == ()
    with pytest.raises(ValueError):
        parse_words(IpAddress, "banana")
