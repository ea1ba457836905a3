"""The man pages: clean for the programs that show them, and with all that the agents declare."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import load_agent
from vpclab.checkout import CHECKOUT
from vpclab.command import run

AGENTS = sorted(path.name for path in (CHECKOUT / "agents").iterdir() if path.is_file())


@pytest.fixture(params=AGENTS)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The page of an agent."""
    path = tmp_path / f"ocf_aws_{request.param}.7"
    command = ["/usr/bin/python3", "packaging/man/manpage.py", f"agents/{request.param}"]
    path.write_text(run(*command, cwd=CHECKOUT, env={"PYTHONPATH": "lib", "SOURCE_DATE_EPOCH": "0"}))
    return path


def shown(page: Path) -> str:
    return run("man", "--local-file", str(page), env={"MANWIDTH": "80", "MAN_KEEP_FORMATTING": ""})


def test_no_formatter_finds_fault_with_it(page: Path) -> None:
    assert run("mandoc", "-T", "lint", "-W", "style", page) == ""
    groff = "man --warnings --encoding=UTF-8 --local-file --troff-device=utf8 --ditroff".split()
    done = subprocess.run([*groff, page], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    assert done.stderr == ""


def test_it_shows_all_that_the_agent_declares(page: Path) -> None:
    name = page.stem.removeprefix("ocf_aws_")
    agent = load_agent(name).AGENT
    text = " ".join(shown(page).split())
    assert f"ocf_aws_{name} - {agent.shortdesc}" in text
    assert " ".join(agent.longdesc.split()) in text
    for parameter in agent.parameters:
        assert " ".join(parameter.longdesc.split()) in text
        assert parameter.default is None or f'default "{parameter.default}"' in text
        assert all(option in text for option in parameter.options)
    assert all(action.name in text for action in agent.actions)
    assert f"ocf:aws:{name}" in text


def test_apropos_finds_it(page: Path) -> None:
    assert page.stem in run("lexgrog", page)


def test_its_date_is_that_of_what_it_was_built_of(page: Path) -> None:
    assert "1970-01-01" in page.read_text()


@pytest.fixture
def command_page(tmp_path: Path) -> Path:
    """The page of the command."""
    path = tmp_path / "ocf-aws.8"
    environ = {"PYTHONPATH": "lib:packaging/man", "SOURCE_DATE_EPOCH": "0"}
    path.write_text(run("/usr/bin/python3", "-B", "packaging/man/command.py", "page", cwd=CHECKOUT, env=environ))
    return path


def test_no_formatter_finds_fault_with_the_commands_page(command_page: Path) -> None:
    test_no_formatter_finds_fault_with_it(command_page)
    assert "ocf-aws" in run("lexgrog", command_page)


def test_the_commands_page_shows_each_subcommand_and_option(command_page: Path) -> None:
    from ocf_aws.cli.arguments import SUBCOMMANDS

    text = " ".join(shown(command_page).split())
    for subcommand in SUBCOMMANDS:
        assert " ".join(subcommand.description.split()) in text
        assert subcommand.example in text
    assert "--revert" in text and "--format json|terraform|cloudformation" in text
