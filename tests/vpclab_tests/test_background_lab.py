"""The lab that stays up, as a person uses it: its cheat sheet, its faults, and mistakes with its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from vpclab.checkout import CHECKOUT, PYTHONPATH
from vpclab.waiting import wait_until
from vpclab_tests.processes import left_behind, processes

IP = "192.168.10.10"
SAYS_WHERE = "crm_resource --wait; crm_resource --resource {} --locate 2>&1 | sed 's/^/AT: /'\n"


def vpclab(*words: str, typed: str = "", user: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the lab, and type something into the shell that it opens."""
    return subprocess.run(
        [sys.executable, "-m", "vpclab", *words],
        input=typed,
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        user=user,
    )


def type_in(host: str, *lines: str) -> str:
    """Type lines into a shell on a host of the lab that is up; returns its standard output.

    The shell echoes what is typed on standard error.
    """
    done = vpclab("up", host, typed="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("vpclab fault clear\n\n", 1)[1]


@pytest.fixture(scope="module")
def before() -> set[str]:
    """What ran before the lab was up."""
    return processes()


@pytest.fixture(scope="module")
def lab(in_sandbox: None, before: set[str]) -> Iterator[str]:
    """A lab with one zone, where both agents can be used; the text of its cheat sheet."""
    try:
        yield vpclab("up", "node1", "--zones=1").stdout
    finally:
        vpclab("down")


def chapter(text: str, title: str) -> list[str]:
    """The lines of one chapter of the cheat sheet, indented as they are pasted."""
    lines = text[text.index(title) :].partition("\n\n")[2].partition("\n\n")[0].splitlines()
    assert len(lines) > 8 and all(line.startswith("    ") for line in lines)
    return lines


@pytest.mark.parametrize(
    "title, resource, nodes",
    [
        ("With pcs", "ip", ["node1", "node2", "node1", "node1"]),
        pytest.param("The same with crm", "ip", ["node1", "node2", "node1", "node1"], marks=pytest.mark.acceptance),
        pytest.param("An ENI", "eni", ["node1", "node2"], marks=pytest.mark.acceptance),
    ],
)
def test_the_cheat_sheet_works_as_pasted(lab: str, title: str, resource: str, nodes: list[str]) -> None:
    pasted: list[str] = []
    for line in chapter(lab, title):
        if re.search(r"# (a planned|maintenance|node2 has|remove it)", line):
            pasted.append(SAYS_WHERE.format(resource))
        pasted += [line, *["[ $? = 0 ] || echo FAILED"] * ("#" not in line and not line.endswith("\\"))]
    said = type_in("node1", *pasted, SAYS_WHERE.format(resource))
    assert "FAILED" not in said, said
    found = re.findall(r"AT: resource \w+ is running on: (\w+)|AT: .*(not found)", said)
    assert [node or gone for node, gone in found] == [*nodes, "not found"], said


def test_the_aws_cli_of_the_cheat_sheet_works(lab: str) -> None:
    tables = next(line for line in lab.splitlines() if "aws ec2 describe-route-tables" in line)
    static = re.search(r"aws ec2 search-transit-gateway-routes .*\n.*", lab)[0]  # type: ignore[index]
    said = type_in("node1", f"{tables}; echo status $?", f"{static}; echo status $?", "aws sts get-caller-identity")
    assert said.count("status 0") == 2 and "192.168.10.0/24" in said and "123456789012" in said


def test_faults_are_added_listed_and_cleared(lab: str) -> None:
    describe = "aws ec2 describe-vpcs --output text --query 'length(Vpcs)' 2>&1"
    said = type_in(
        "node1",
        "vpclab fault list",
        "export AWS_MAX_ATTEMPTS=1",
        "vpclab fault add throttle",
        describe,
        "vpclab fault clear",
        "vpclab fault add deny DescribeVpcs node1",
        "vpclab fault add lag 5",
        "vpclab fault list",
        describe,
        "vpclab fault clear 2",
        describe,
        "vpclab fault add silence-imds node1",
        "curl --silent --max-time 1 http://169.254.169.254/; echo status $?",
        "vpclab fault clear",
        "curl --silent --max-time 5 --output /dev/null http://169.254.169.254/; echo status $?",
        "ping -qc 1 -W 1 client >/dev/null; echo ping $?",
        "vpclab fault add cut client",
        "ping -qc 1 -W 1 client >/dev/null; echo ping $?",
        "vpclab fault clear",
        "ping -qc 1 -W 1 client >/dev/null; echo ping $?",
        "vpclab fault list",
    )
    expected = [
        "No fault is active.",
        "Fault 1 is active.",
        "RequestLimitExceeded",
        "Faults ended: 1",
        "Fault 2 is active.",
        "Fault 3 is active.",
        "2  deny DescribeVpcs node1",
        "3  lag 5",
        "UnauthorizedOperation",
        "Faults ended: 1",
        "1",
        "Fault 4 is active.",
        "status 28",
        "Faults ended: 2",
        "status 0",
        "ping 0",
        "Fault 5 is active.",
        "ping 1",
        "Faults ended: 1",
        "ping 0",
        "No fault is active.",
    ]
    pattern = ".*?".join(rf"(?m:^.*{re.escape(text)})" for text in expected)
    assert re.search(pattern, said, re.DOTALL), said


def test_the_cluster_takes_a_stolen_route_back(lab: str) -> None:
    tables = " ".join(re.search(r"routing_table=(\S+)", lab)[1].split(","))  # type: ignore[index]
    create = f"pcs resource create ip ocf:aws:aws-overlay-ip ip={IP} 'routing_table={tables}' op monitor interval=3s"
    type_in("node1", create, "pcs constraint location ip prefers node1", "crm_resource --wait")
    said = type_in("node1", f"vpclab fault add steal-route {IP} node2", "vpclab fault list")
    assert f"Route tables a, b, clients send {IP}/32 to node2 now." in said and "No fault is active." in said
    query = f"RouteTables[].Routes[] | [?DestinationCidrBlock=='{IP}/32'].InstanceId"
    command = f'aws ec2 describe-route-tables --output text --query "{query}"'

    def holders() -> list[str]:
        return re.findall(r"i-[0-9a-f]{17}", type_in("client", command))

    me = re.findall(r"i-[0-9a-f]{17}", type_in("node1", "aws sts get-caller-identity --output text --query Arn"))
    wait_until(lambda: holders() == me * 3, 60, lambda: f"{holders()}, not {me}")
    type_in("node1", "pcs resource delete ip")


def test_the_office_pings_the_address_unless_the_transit_gateway_has_no_static_route_for_it(lab: str) -> None:
    tables = re.search(r"routing_table=(\S+)", lab)[1]  # type: ignore[index]
    type_in("node1", f"pcs resource create ip ocf:aws:aws-overlay-ip ip={IP} routing_table={tables} --wait")
    ping = f"ping -qc 1 -W 1 {IP} >/dev/null; echo ping $?\n"
    shown = vpclab("up", "office", typed=ping).stdout
    assert "ping 0" in shown
    take_away, give_back = re.findall(r"^    (aws ec2 .*\\\n.*)", shown, re.MULTILINE)
    assert "status 0" in type_in("node1", f"{take_away}; echo status $?")
    assert "ping 1" in vpclab("up", "office", typed=ping).stdout
    assert "status 0" in type_in("node1", f"{give_back}; echo status $?", "pcs resource delete ip")


@pytest.mark.parametrize(
    "words, line",
    [
        ("fault add cut foo", "no host 'foo': choose node1, node2, client"),
        ("fault add cut", "wrong number of arguments for 'cut': see `vpclab --help`"),
        ("fault add lag soon", "SECONDS is 'soon': give a whole number from 1 to 600"),
        ("fault add deny Foo", "EC2 has no action 'Foo': for example ReplaceRoute, or Describe*"),
        ("fault add flood", "no fault 'flood': choose throttle, lag, deny, silence-imds, cut or steal-route"),
        ("fault add steal-route 10.0.0.300 node1", "'10.0.0.300' is not an IP address"),
        ("fault add steal-route 192.168.9.9 node1", "no route table has an entry for 192.168.9.9/32"),
        ("fault clear 99", "no fault 99: see `vpclab fault list`"),
        ("banana", "vpclab has no command 'banana': see `vpclab --help`"),
    ],
)
def test_a_wrong_fault_command_gets_one_line(lab: str, words: str, line: str) -> None:
    assert type_in("node1", f"vpclab {words} 2>&1; echo status $?").splitlines()[:2] == [line, "status 1"]


@pytest.mark.parametrize(
    "words, line",
    [
        (("up", "foo"), "HOST=foo: choose node1, node2, client or office"),
        (("up", "node1", "--zones=3"), "ZONES=3: choose 1 (an ENI can move too) or 2"),
    ],
)
def test_a_wrong_argument_gets_one_line(words: tuple[str, ...], line: str) -> None:
    done = vpclab(*words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{line}\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it becomes somebody else")
@pytest.mark.parametrize("command", ["up", "down"])
def test_without_root_one_line_says_what_to_type(command: str) -> None:
    read = subprocess.run([sys.executable, "-c", ""], user=65534, capture_output=True)
    if read.returncode != 0 or not os.access(CHECKOUT, os.X_OK):
        pytest.skip("another user may not run this interpreter")
    done = vpclab(command, user=65534)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "needs root" in done.stderr and "sudo make lab" in done.stderr


def test_a_lab_with_other_zones_is_not_opened_silently(lab: str) -> None:
    done = vpclab("up", "node1", "--zones=2")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "A lab with ZONES=1 is up: use `make lab-down`, then `make lab ZONES=2`\n"
    assert vpclab("up", "node1", "--zones=1").returncode == 0


def test_a_shell_on_a_node_that_is_fenced_says_what_happened(lab: str) -> None:
    type_in("node1", "until crm_node -l | grep -q 'node2 member'; do sleep 1; done; crm_resource --wait")
    done = vpclab("up", "node2", typed="pcs stonith fence node2; sleep 60\n")
    assert done.returncode == 1 and "The lab is still up" not in done.stdout
    assert "node2 lost its power, and this shell with it." in done.stderr


def test_a_shell_on_a_host_without_power_says_so(lab: str) -> None:
    me = "$(aws sts get-caller-identity --query Arn --output text | sed 's,.*/,,')"
    stopped = vpclab("up", "client", typed=f"aws ec2 stop-instances --instance-ids {me}; sleep 60\n")
    assert "client lost its power" in stopped.stderr
    done = vpclab("up", "client")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "client has no power, because it was fenced or stopped. Try again when it has booted.\n"


def test_a_lab_stays_up_until_it_is_taken_down_and_leaves_nothing(lab: str, before: set[str]) -> None:
    assert "make lab-down" in vpclab("up", "node1", typed="crm_node -n >/tmp/who\n").stdout
    assert "node1" in vpclab("up", "node1", typed="cat /tmp/who\n").stdout
    assert "gone" in vpclab("down").stdout
    assert "No lab is up" in vpclab("down").stdout
    assert not left_behind(before)
