"""The pages, drawings, files to copy and the template: whole, sound, and true where a machine can tell."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

PACKAGING = Path(__file__).parents[2] / "packaging"
DOCS = PACKAGING / "docs"
NETWORK = PACKAGING / "examples/network"
TEMPLATE = PACKAGING / "aws/pair.yaml"
PAGES = sorted(page for name in ("docs", "examples", "iam") for page in (PACKAGING / name).rglob("*.md"))
DRAWINGS = sorted((PACKAGING / "pictures").glob("*.svg"))
FILES = sorted(path for path in NETWORK.iterdir() if path.name != "README.md")

LONGEST_PAGE = 200
REGION = "eu-central-1"


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGING))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_stay_in_what_is_installed(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s:#]+)(?:#[^)]*)?\)", page.read_text())
    outside = [link for link in links if not (page.parent / link).resolve().is_relative_to(PACKAGING)]
    assert not outside


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_can_be_read_at_once(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert len(lines) <= LONGEST_PAGE
    assert lines[0].startswith("# ")


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    assert not [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index]


# --- commands ---------------------------------------------------------------------------------------------------------


def aws_commands(page: Path) -> Iterator[list[str]]:
    """The words of each call of the AWS CLI in a page: of code blocks, and of running text where it has options."""
    lines = iter(page.read_text().splitlines())
    for line in lines:
        if not re.match(r"( {4,}|\t)aws ", line):
            continue
        command = line
        while True:
            try:
                if not command.endswith("\\"):
                    words = shlex.split(command)
                    break
            except ValueError:
                pass  # a quoted word goes on in the next line
            command = command.removesuffix("\\") + "\n" + next(lines)
        yield words[: words.index("|")] if "|" in words else words
    for command in re.findall(r"`(aws [^`]+ --[^`]+)`", page.read_text()):
        if "..." not in command:
            yield shlex.split(command)


WITH_COMMANDS = [page for page in PAGES if list(aws_commands(page))]


# The AWS CLI parses each command, holds it against AWS's model, and then finds that nobody listens at the endpoint. All in
# one process of Debian's interpreter, because the CLI needs a second to load.
RUN_COMMANDS = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver

said = []
for words in json.load(sys.stdin):
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
        try:
            create_clidriver().main([*words[1:], "--endpoint-url", "http://127.0.0.1:9", "--no-sign-request"])
        except SystemExit:
            pass
    said.append(stderr.getvalue())
print(json.dumps(said))
"""


def complaints_of_aws_cli(commands: list[list[str]]) -> list[str]:
    """What the AWS CLI says against these commands."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", RUN_COMMANDS],
        cwd=PACKAGING.parent,
        env={"AWS_DEFAULT_REGION": REGION, "AWS_MAX_ATTEMPTS": "1", "PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = zip(commands, json.loads(done.stdout))
    unreachable = "Could not connect to the endpoint URL"
    return [f"{shlex.join(words)}: {said.strip()}" for words, said in answers if unreachable not in said]


def test_the_aws_cli_takes_every_command_of_the_pages() -> None:
    commands = [words for page in WITH_COMMANDS for words in aws_commands(page)]
    # A copy of a file that is not there ends before any call.
    commands = [words for words in commands if words[1:3] != ["s3", "cp"]]
    assert len(commands) > 30
    assert not complaints_of_aws_cli(commands)


def test_the_aws_cli_refuses_wrong_commands() -> None:
    wrong = [
        "aws ec2 create-route --route-table rtb-1 --cidr 192.168.10.10/32",
        "aws ec2 move-route --route-table-id rtb-1",
        "aws elbv2 register-targets --target-group-arn arn --targets Address=192.168.10.10",
    ]
    assert len(complaints_of_aws_cli([shlex.split(command) for command in wrong])) == len(wrong)


@pytest.mark.parametrize("page", [page for page in WITH_COMMANDS if page.parent == DOCS], ids=name_of)
def test_a_page_says_that_its_aws_commands_run_on_aws_only(page: Path) -> None:
    assert "on AWS only" in " ".join(page.read_text().split())


# --- drawings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drawing", DRAWINGS, ids=name_of)
def test_a_drawing_is_well_formed_and_described(drawing: Path) -> None:
    root = xml.etree.ElementTree.parse(drawing).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg" and root.get("viewBox")
    for tag in ("title", "desc"):
        element = root.find(f"{space}{tag}")
        assert element is not None and element.text and element.text.strip()


@pytest.mark.parametrize("drawing", DRAWINGS, ids=name_of)
def test_a_drawing_has_colours_for_light_and_dark(drawing: Path) -> None:
    root = xml.etree.ElementTree.parse(drawing).getroot()
    style = "".join(element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}style"))
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    coloured = {name for name, rule in re.findall(r"\.(\w+) \{([^}]*)\}", light) if "#" in rule}
    assert coloured and coloured <= set(re.findall(r"\.(\w+) \{", dark))


# --- files to copy ----------------------------------------------------------------------------------------------------


def read_sections(path: Path) -> list[tuple[str, str, str]]:
    """Section, key and value of each line of a file in the form of systemd and NetworkManager."""
    parser = configparser.ConfigParser(delimiters="=", comment_prefixes="#", interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return [(section, key, value) for section in parser.sections() for key, value in parser[section].items()]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_says_where_it_belongs_and_is_listed(path: Path) -> None:
    assert re.search(r"^# Copy to /\S+", path.read_text(), re.MULTILINE)
    assert f"({path.name})" in (NETWORK / "README.md").read_text()


@pytest.mark.parametrize("path", [path for path in FILES if path.name.startswith("networkd-")], ids=name_of)
def test_systemd_networkd_knows_every_key(path: Path) -> None:
    # The tables of keys that systemd makes with gperf are plain strings in its program.
    program = Path("/lib/systemd/systemd-networkd").read_bytes()
    keys = read_sections(path)
    assert keys
    assert not [f"{section}.{key}" for section, key, _ in keys if f"{section}.{key}\0".encode() not in program]


def test_systemd_reads_the_drop_in_for_nm_cloud_setup(tmp_path: Path) -> None:
    unit = tmp_path / "nm-cloud-setup.service"
    unit.write_text("[Service]\nType=oneshot\nExecStart=/bin/true\nEnvironment=NM_CLOUD_SETUP_EC2=yes\n")
    drop_in = tmp_path / "nm-cloud-setup.service.d/90-off.conf"
    drop_in.parent.mkdir()
    drop_in.write_text((NETWORK / "nm-cloud-setup-off.conf").read_text())
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], env=environment, capture_output=True, text=True, check=True
    )
    assert str(tmp_path) not in done.stderr
    assert read_sections(drop_in) == [("Service", "Environment", "NM_CLOUD_SETUP_EC2=no")]


def test_networkmanager_is_told_to_leave_one_mac_alone() -> None:
    # "The section name must begin with device-": Red Hat's guide, "Configuring NetworkManager to ignore certain devices".
    assert read_sections(NETWORK / "networkmanager-moved-eni.conf") == [
        ("device-moved-eni", "match-device", "mac:@ENI_MAC@"),
        ("device-moved-eni", "managed", "0"),
    ]


def test_the_file_for_wicked_is_a_shell_s() -> None:
    path = NETWORK / "cloud-netconfig-ifcfg-moved-eni"
    script = f"set -eu; . '{path}'; echo $BOOTPROTO $STARTMODE $CLOUD_NETCONFIG_MANAGE"
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == "none off no\n"


def test_the_files_for_netplan_and_cloud_init_are_yaml() -> None:
    netplan = yaml.safe_load((NETWORK / "netplan-keep-overlay-ip.yaml").read_text())
    assert netplan == {"network": {"version": 2, "ethernets": {"@INTERFACE@": {"critical": True}}}}
    cloud_init = yaml.safe_load((NETWORK / "cloud-init-no-hotplug.cfg").read_text())
    assert cloud_init == {"updates": {"network": {"when": ["boot-new-instance"]}}}


# --- template ---------------------------------------------------------------------------------------------------------


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms of functions."""


def _function(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix: value}


Loader.add_multi_constructor("!", _function)


def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(TEMPLATE.read_text(), Loader)  # noqa: S506: made of SafeLoader
    return loaded


def actions_of(document: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for statement in document["Statement"]:
        actions = statement["Action"]
        found.update([actions] if isinstance(actions, str) else actions)
    return found


def test_cfn_lint_finds_no_fault_with_the_template() -> None:
    program = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([program, TEMPLATE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("zones", ["1", "2"])
def test_cloudformation_creates_the_pair(zones: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    # moto's Fn::GetAZs tells the zones of this region, whatever the stack's is.
    region = "us-east-1"
    with mock_aws():
        ec2 = boto3.client("ec2", region)
        ec2.create_key_pair(KeyName="key")
        values = {
            "ImageId": ec2.register_image(Name="debian-12-amd64")["ImageId"],
            "KeyName": "key",
            "AdminCidr": "203.0.113.7/32",
            "PackageUrl": "s3://bucket/resource-agents-aws_0.1.0_all.deb",
            "PackageBucket": "bucket",
            "Zones": zones,
        }
        cloudformation = boto3.client("cloudformation", region)
        cloudformation.create_stack(
            StackName="pair",
            TemplateBody=TEMPLATE.read_text(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        )
        stack = cloudformation.describe_stacks(StackName="pair")["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        nodes = [
            ec2.describe_instances(InstanceIds=[outputs[name]])["Reservations"][0]["Instances"][0]
            for name in ("Node1Id", "Node2Id")
        ]
        assert [node["PrivateIpAddress"] for node in nodes] == ["10.77.1.10", "10.77.2.10"]
        assert len({node["Placement"]["AvailabilityZone"] for node in nodes}) == int(zones)
        assert ("EniId" in outputs) == (zones == "1")
        iam = boto3.client("iam", region)
        role = iam.list_roles()["Roles"][0]["RoleName"]
        power = iam.get_role_policy(RoleName=role, PolicyName="fence-aws")["PolicyDocument"]["Statement"][1]
        assert [arn.rpartition("/")[2] for arn in power["Resource"]] == [outputs["Node1Id"], outputs["Node2Id"]]


def test_the_nodes_have_no_source_dest_check_and_want_imdsv2() -> None:
    for name in ("Node1", "Node2"):
        properties = template()["Resources"][name]["Properties"]
        assert properties["SourceDestCheck"] is False
        assert properties["MetadataOptions"] == {"HttpTokens": "required"}


def test_the_template_leaves_the_overlay_ip_to_the_agent() -> None:
    routes = [each for each in template()["Resources"].values() if each["Type"] == "AWS::EC2::Route"]
    assert {route["Properties"]["DestinationCidrBlock"] for route in routes} == {"0.0.0.0/0"}


@pytest.mark.parametrize(
    ("resource", "policy", "without"),
    [
        ("OverlayIpPolicy", "aws-overlay-ip-all-options.json", {"ec2:ModifyNetworkInterfaceAttribute"}),
        ("EniPolicy", "aws-eni-move.json", {"ec2:ModifyNetworkInterfaceAttribute"}),
        ("FencePolicy", "fence-aws.json", set()),
    ],
)
def test_the_template_grants_what_the_policies_grant(resource: str, policy: str, without: set[str]) -> None:
    granted = actions_of(template()["Resources"][resource]["Properties"]["PolicyDocument"])
    assert granted == actions_of(json.loads((PACKAGING / "iam" / policy).read_text())) - without


@pytest.mark.parametrize("name", ["Node1", "Node2"])
def test_a_shell_takes_what_a_node_runs_at_its_first_boot(name: str) -> None:
    script = template()["Resources"][name]["Properties"]["UserData"]["Fn::Base64"]["Sub"]
    script = script.replace("${PackageUrl}", "s3://bucket/package.deb")
    assert "${" not in script
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
