"""The commands of the pages: pcs, crm and ocf-aws take each as it stands there; what else there is, another test runs."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocf_aws.cli.arguments import parser
from vpclab.checkout import CHECKOUT
from vpclab.hosts.clone import Clone

TESTS = CHECKOUT / "tests"
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "packaging").rglob("*.md"))]

FIRST = [CHECKOUT / "README.md"]

CLUSTER_SHELLS = ("pcs", "crm")

RUN_WHOLE = {"migrate-from-aws-vpc-move-ip.md": "cluster/test_migration.py"}
"""Pages whose blocks a test runs in a cluster."""

RUN_BY = {
    "apt": "packaging/test_in_a_cluster.py",
    "aws": "packaging/test_documents.py",
    "corosync-quorumtool": "cluster/test_quorum.py",
    "crm_resource": "cluster/test_tools.py",
    "crm_standby": "packaging/test_in_a_cluster.py",
    "sed": "vpclab/hosts/postgresql.py",
}
"""The test that runs a program of the pages, or what it shares with others."""

OF_THE_SYSTEM = {"cat", "cp", "curl", "grep", "journalctl", "logger", "ls", "systemctl"}
"""Programs that show something of the system or of other software, and have no part in the resource."""

OTHER_DISTRIBUTIONS = {"dnf", "zypper"}
"""Programs that are not on this machine; tests/packaging/test_rpm_life.py does by rpm what they do."""

NEEDS_NODES = (
    "pcs host auth",
    "pcs cluster setup",
    "pcs qdevice setup",
    "pcs quorum device add",
    "pcs status",
    "crm cluster init",
)
"""What the file of a configuration does not do for. A page that has it says what was not run, or runs on AWS only."""

NO_FENCING = (
    '<crm_config><cluster_property_set id="cib-bootstrap-options">'
    '<nvpair id="no-fencing" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>'
)

PRIMITIVE = '<primitive id="{0}" class="ocf" provider="pacemaker" type="{1}"/>'

CLONE = (
    '<clone id="{0}"><meta_attributes id="{0}-meta"><nvpair id="{0}-promotable" name="promotable" value="true"/>'
    "</meta_attributes>{1}</clone>"
)

PRESUPPOSED = [
    *(PRIMITIVE.format(name, "Dummy") for name in ("RESOURCE", "SERVICE", "SERVER", "awsvip", "vip", "awseip")),
    CLONE.format("rsc_SAPHana_HDB_HDB00-clone", PRIMITIVE.format("rsc_SAPHana_HDB_HDB00", "Stateful")),
    CLONE.format("msl_SAPHana_HDB_HDB00", PRIMITIVE.format("rsc_SAPHana", "Stateful")),
]
"""The resources that the pages speak of and do not create."""


def commands(page: Path, *programs: str) -> Iterator[list[str]]:
    """The words of each command in a page's blocks, in order; of these programs, if any are named.

    Blocks hold what programs print, too: a command begins with the name of a program that this machine or another
    distribution has.
    """
    text = re.sub(r"^( *)```(?!sh$)\w+\n.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if re.match(r" {4,}[a-z]", line):
            for command in joined(line):
                name = command[0] if command else ""
                if (name in programs) if programs else (shutil.which(name) or name in OTHER_DISTRIBUTIONS):
                    yield command


def joined(line: str) -> Iterator[list[str]]:
    """The words of each command of a line, without sudo and comments."""
    for command in re.split(r" (?:&&|\|\||\|) ", re.sub(r" # .*", "", line)):
        try:
            yield shlex.split(command.strip().removeprefix("sudo "))
        except ValueError:  # a quoted word goes on in the next line
            yield command.split()[:1]


def for_a_file(page: Path, program: str) -> Iterator[list[str]]:
    """The commands that can be tried on the file of a configuration; the page says of the others that nobody ran them."""
    for words in commands(page, program):
        if " ".join(words).startswith(NEEDS_NODES):
            assert "on AWS" in page.read_text()
        else:
            yield words


def with_commands_of(program: str) -> pytest.MarkDecorator:
    """The pages that have commands of a program, and are not run as a whole; those that take long behind acceptance."""
    pages = [page for page in PAGES if page.name not in RUN_WHOLE and list(commands(page, program))]
    assert pages
    return pytest.mark.parametrize(
        "page",
        [
            # pcs and crm take seconds for a command.
            pytest.param(
                page, marks=[pytest.mark.acceptance] if program in CLUSTER_SHELLS and page not in FIRST else []
            )
            for page in pages
        ],
        ids=lambda page: str(page.relative_to(CHECKOUT)),
    )


@pytest.fixture(scope="module")
def machine(in_sandbox: None, deb: Path) -> Iterator[Clone]:
    """A machine with the package."""
    with Clone() as machine:
        shutil.copy(deb, machine.root / "tmp")
        machine.run("dpkg", "--install", f"/tmp/{deb.name}")
        yield machine


@pytest.fixture
def cib(machine: Clone) -> str:
    """The file of a configuration, on that machine, with what the pages presuppose."""
    empty = machine.run("cibadmin", "--empty").replace("<crm_config/>", NO_FENCING)
    resources = f"<resources>{''.join(PRESUPPOSED)}</resources>"
    (machine.root / "tmp/cib.xml").write_text(empty.replace("<resources/>", resources))
    return "/tmp/cib.xml"


@with_commands_of("pcs")
def test_pcs_takes_every_command(page: Path, machine: Clone, cib: str) -> None:
    for words in for_a_file(page, "pcs"):
        machine.run("pcs", "-f", cib, *words[1:])
    assert machine.run("crm_verify", "--xml-file", cib) == ""


@with_commands_of("crm")
def test_crm_takes_every_command(page: Path, machine: Clone, cib: str) -> None:
    for words in for_a_file(page, "crm"):
        machine.run("env", f"CIB_file={cib}", *words)
    assert machine.run("crm_verify", "--xml-file", cib) == ""


@pytest.mark.parametrize(
    "command",
    [
        "pcs -f {} resource create x ocf:aws:aws-overlay-ip",
        "crm configure primitive x ocf:pacemaker:Dummy params nonsense=1",
    ],
)
def test_a_wrong_command_is_refused(command: str, machine: Clone, cib: str) -> None:
    with pytest.raises(RuntimeError):
        machine.run("env", f"CIB_file={cib}", *command.format(cib).split())


@with_commands_of("ocf-aws")
def test_ocf_aws_takes_every_command(page: Path) -> None:
    for words in commands(page, "ocf-aws"):
        parser().parse_args(words[1:])


@with_commands_of("make")
def test_make_knows_every_target(page: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    for words in commands(page, "make"):
        assert f".PHONY: {words[1]}\n" in makefile


def test_another_test_runs_every_other_program() -> None:
    programs = {words[0] for page in PAGES if page.name not in RUN_WHOLE for words in commands(page)}
    assert programs >= {"pcs", "crm", *RUN_BY}
    here = {"pcs", "crm", "ocf-aws", "make"}
    assert programs - here - set(RUN_BY) - OF_THE_SYSTEM - OTHER_DISTRIBUTIONS == set()
    for program, test in {**RUN_BY, **RUN_WHOLE}.items():
        assert program in (TESTS / test).read_text()
