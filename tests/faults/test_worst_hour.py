"""AWS's worst hour, story by story: what passes bans no node, fails no healthy address and fences nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from faults.attack import check_answer
from faults.subjects import CIDR, EniMove, OverlayIp, Subject, ip
from vpclab.ec2 import effects
from vpclab.ec2.errors import ApiError
from vpclab.ec2.http_server import Response
from vpclab.hosts.single_node import Result

BOTH = ("an overlay IP", "an ENI")
ROLES = "/latest/meta-data/iam/security-credentials/"


@pytest.fixture
def overlay(subjects: dict[str, Subject]) -> OverlayIp:
    """An overlay IP."""
    subject = subjects["an overlay IP"]
    assert isinstance(subject, OverlayIp)
    return subject


@pytest.fixture
def eni(subjects: dict[str, Subject]) -> EniMove:
    """An ENI, whose holder runs."""
    subject = subjects["an ENI"]
    assert isinstance(subject, EniMove)
    return subject


@pytest.fixture(autouse=True)
def tidy(subjects: dict[str, Subject]) -> object:
    """No fault and no file outlives its test."""
    yield
    node = subjects["an ENI"].node
    node.ec2.faults.clear()
    node.imds.faults.clear()
    (node.directory / ".aws/config").unlink(missing_ok=True)


@dataclass
class First:
    """Something happens in EC2 just before it executes the call, or refuses it by `error`."""

    act: Callable[[], object]
    error: ApiError | None = None

    def around(self, exchange: effects.Exchange, released: threading.Event) -> Response:
        """Act, then answer."""
        self.act()
        if self.error:
            raise self.error
        return exchange.execute()


def write_profile(subject: Subject, text: str) -> dict[str, str]:
    """Write root's ~/.aws/config and return the parameter that makes the resource use it."""
    config = subject.node.directory / ".aws/config"
    config.parent.mkdir(exist_ok=True)
    config.write_text(text)
    return {"profile": "odd"}


def assert_starts(subject: Subject, **how: object) -> Result:
    """A start succeeds, and everything is here. Returns its result."""
    result = subject.run("start", **how)
    assert result.status == 0 and subject.is_right(), result
    return result


# --- what a typing error must not cost --------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["10.0.1.11", "10.0.1.77"])
def test_an_address_that_the_node_lives_by_is_refused_and_never_removed(overlay: OverlayIp, address: str) -> None:
    overlay.reset()
    typo = {"ip": address, "interface": overlay.node.link}
    before = overlay.state()
    for action in ("start", "probe", "monitor", "validate-all 10"):
        result = overlay.run(action, parameters=typo)
        assert result.status == 2 and f"ip {address} is this node's own address" in result.reason, result
    assert overlay.run("stop", parameters=typo).status == 0
    assert overlay.state() == before


def test_a_primary_eni_is_refused_and_its_link_stays_up(eni: EniMove) -> None:
    eni.prepare("monitor")
    before = eni.state()
    for typo in ({"eni_id": eni.node.eni}, {"eni_id": eni.node.primary_eni("node2")}):
        start = eni.run("start", parameters=typo, timeout=40)
        assert start.status == 2 and "create an ENI for the service" in start.reason, start
        assert eni.run("stop", parameters=typo).status == 0
        assert eni.state() == before
    probe = eni.run("probe", parameters={"eni_id": eni.node.eni})
    assert probe.status == 2 and "create an ENI for the service" in probe.reason


# --- a start outlasts trouble -----------------------------------------------------------------------------------------


@pytest.mark.matrix
@pytest.mark.parametrize("trouble", ["throttled", "reset", "hanging", "IMDS silent"])
@pytest.mark.parametrize("kind", BOTH)
def test_a_start_outlasts_25_seconds_of_trouble_and_says_little_about_it(
    subjects: dict[str, Subject], kind: str, trouble: str
) -> None:
    subject = subjects[kind]
    subject.reset()
    node = subject.node
    effect = {"throttled": effects.Error("RequestLimitExceeded"), "reset": effects.Reset()}.get(trouble, effects.Hang())
    faults = node.imds.faults if trouble == "IMDS silent" else node.ec2.faults
    fault = faults.add(effect=effect)
    timer = threading.Timer(25, faults.remove, [fault])
    timer.start()
    parameters = {"awscli_timeout": "1"} if kind == "an overlay IP" else {}
    result = assert_starts(subject, timeout=180, parameters=parameters)
    timer.join()
    assert 20 < result.seconds < 60
    warnings = [line for line in result.stderr.splitlines() if "WARNING" in line]
    assert 1 <= len(warnings) <= 2 * (1 + result.seconds / 10), result.stderr


# --- credentials ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["monitor", "probe", "stop"])
def test_a_credential_process_that_hangs_delays_nothing_for_long(subjects: dict[str, Subject], action: str) -> None:
    subject = subjects["a shared overlay IP"]
    subject.prepare(action)
    parameters = write_profile(subject, "[profile odd]\ncredential_process = sleep 600\n")
    result = subject.run(action, timeout=20, parameters=parameters)
    assert not list(check_answer(result, {0}, [])), result
    assert action != "stop" or subject.is_off()


def test_a_stop_of_an_eni_outlasts_a_credential_process_that_hangs(eni: EniMove) -> None:
    eni.prepare("stop")
    result = eni.run(
        "stop", timeout=20, parameters=write_profile(eni, "[profile odd]\ncredential_process = sleep 600\n")
    )
    assert result.status == 0 and eni.is_off(), result


@pytest.mark.parametrize(
    "code", "AuthFailure InvalidClientTokenId RequestExpired ExpiredToken SignatureDoesNotMatch".split()
)
def test_credentials_that_are_refused_for_some_seconds_ban_no_node(overlay: OverlayIp, code: str) -> None:
    overlay.reset()
    overlay.node.ec2.faults.add(effect=effects.Error(code, 403), seconds=3)
    assert_starts(overlay)


@pytest.mark.parametrize(
    "path, effect",
    [
        (ROLES, effects.Garbage(200, b"")),
        (ROLES, effects.Error("NotFound", 404)),
        (f"{ROLES}?*", effects.Truncated()),
        (f"{ROLES}?*", effects.Garbage(200, b'{"Code": "Success"}')),
        (f"{ROLES}?*", effects.Garbage(200, b'{"Code": "Failed", "Message": "later"}')),
        (f"{ROLES}?*", effects.Garbage(200, b'"text"')),
        (
            f"{ROLES}?*",
            effects.Garbage(200, b'{"Code": "Success", "AccessKeyId": null, "SecretAccessKey": 1, "Token": []}'),
        ),
    ],
)
def test_imds_without_credentials_for_some_seconds_bans_no_node(
    overlay: OverlayIp, path: str, effect: effects.Effect
) -> None:
    overlay.prepare("monitor")
    with overlay.node.imds.faults.add(path, effect=effect):
        assert overlay.run("monitor").status == 0
    overlay.reset()
    overlay.node.imds.faults.add(path, effect=effect, seconds=3)
    assert_starts(overlay)


ROLE_BY_IMDS = (
    "[profile odd]\nrole_arn = arn:aws:iam::123456789012:role/route-tables\ncredential_source = Ec2InstanceMetadata\n"
)


def test_a_profile_whose_credentials_come_from_a_silent_imds_bans_no_node(overlay: OverlayIp) -> None:
    overlay.reset()
    parameters = {**write_profile(overlay, ROLE_BY_IMDS), "region": "eu-central-1"}
    with overlay.node.imds.faults.add(effect=effects.Hang()):
        result = overlay.run("start", timeout=14, parameters=parameters)
    assert not list(check_answer(result, {1}, [])), result


def test_a_profile_whose_credentials_come_from_imds_takes_them_past_a_proxy(overlay: OverlayIp) -> None:
    overlay.reset()
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
    parameters = write_profile(overlay, f"{ROLE_BY_IMDS}region = eu-central-1\n")
    overlay.run("start", parameters=parameters, environ=proxy, timeout=20)
    # Only with the credentials of the node's role can that one be taken.
    assert "AssumeRole" in {call.action for call in overlay.node.ec2.calls}


def test_a_credential_process_that_fails_once_bans_no_node(overlay: OverlayIp) -> None:
    overlay.reset()
    keys = overlay.node.ec2.credentials(overlay.node.instance_id)
    directory = overlay.node.directory
    script = directory / "process"
    script.write_text(
        f"#!/bin/sh\n[ -e {directory}/tried ] || {{ touch {directory}/tried; echo out of luck >&2; exit 1; }}\n"
        f"""echo '{{"Version": 1, "AccessKeyId": "{keys["AccessKeyId"]}", "SecretAccessKey": "{keys["SecretAccessKey"]}","""
        f""" "SessionToken": "{keys["Token"]}", "Expiration": "{keys["Expiration"]}"}}'\n"""
    )
    script.chmod(0o755)
    result = assert_starts(
        overlay, parameters=write_profile(overlay, f"[profile odd]\ncredential_process = {script}\n")
    )
    assert keys["SecretAccessKey"] not in result.stderr


@pytest.mark.parametrize(
    "text", ["[profile odd\nregion = x", "profile odd", "[profile odd]\naws_access_key_id = A\n", "\xff\xfe"]
)
def test_a_broken_aws_config_is_this_nodes_fault_alone(overlay: OverlayIp, text: str) -> None:
    overlay.prepare("monitor")
    odd = write_profile(overlay, text)
    assert overlay.run("monitor", parameters=odd).status == 0
    result = overlay.run("start", timeout=30, parameters=odd)
    assert not list(check_answer(result, {2}, [])), result
    assert overlay.run("stop", parameters={"profile": "odd", "delete_route_on_stop": "true"}).status == 0


# --- what another one has just done -----------------------------------------------------------------------------------


def test_a_detach_that_is_refused_because_the_attachment_has_just_gone_is_no_missing_right(eni: EniMove) -> None:
    eni.reset()
    gone = First(eni.detach, ApiError("UnauthorizedOperation", "You are not authorized to perform this operation."))
    eni.node.ec2.faults.add("DetachNetworkInterface", effect=gone, times=1)
    assert_starts(eni)


@pytest.mark.parametrize("code", ["InvalidParameterValue", "InvalidNetworkInterface.InUse", "IncorrectState"])
def test_an_attach_that_is_refused_while_the_eni_is_in_use_is_tried_again(eni: EniMove, code: str) -> None:
    eni.reset()
    busy = effects.Error(code, message=f"Interface: [{eni.id}] in use.")
    eni.node.ec2.faults.add("AttachNetworkInterface", effect=busy, seconds=3)
    assert_starts(eni)


@pytest.mark.parametrize("delete_code", ["InvalidParameterValue", "InvalidRoute.NotFound"])
def test_a_route_that_the_other_nodes_stop_deletes_is_created(overlay: OverlayIp, delete_code: str) -> None:
    overlay.reset()
    table = {"RouteTableId": overlay.tables["a"]}

    def delete() -> None:
        overlay.operator.delete_route(DestinationCidrBlock=CIDR, **table)

    error = ApiError(delete_code, f"There is no route defined for '{CIDR}' in the route table.")
    overlay.node.ec2.faults.add("ReplaceRoute", where=table, effect=First(delete, error), times=1)
    assert_starts(overlay)


# --- old reads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 10])
def test_one_old_read_fails_no_healthy_address(overlay: OverlayIp, level: int) -> None:
    overlay.reset()
    # What is here from now on is missing from the next read.
    overlay.node.ec2.faults.add("DescribeRouteTables", effect=effects.Stale(600), times=1)
    for table in overlay.tables:
        overlay.operator.replace_route(
            RouteTableId=overlay.tables[table], DestinationCidrBlock=CIDR, NetworkInterfaceId=overlay.node.eni
        )
    ip(f"address add {CIDR} dev {overlay.node.link}")
    assert overlay.run("monitor", level=level).status == 0
    assert overlay.is_right()


def test_a_contradiction_that_stays_fails_the_monitor(overlay: OverlayIp) -> None:
    overlay.prepare("monitor")
    overlay.disturb()
    result = overlay.run("monitor")
    assert result.status == 1 and overlay.tables["b"] in result.reason


def test_an_eni_that_one_read_does_not_show_is_moved_all_the_same(eni: EniMove) -> None:
    eni.reset()
    empty = b"<DescribeNetworkInterfacesResponse><requestId>1</requestId><networkInterfaceSet/></DescribeNetworkInterfacesResponse>"
    nothing = effects.Garbage(200, empty)
    eni.node.ec2.faults.add("DescribeNetworkInterfaces", effect=nothing, seconds=3)
    assert_starts(eni)
    eni.node.ec2.faults.add("DescribeNetworkInterfaces", effect=nothing, seconds=3)
    assert eni.run("monitor 10").status == 0


def test_an_old_read_after_the_move_fails_no_start(eni: EniMove) -> None:
    eni.reset()
    eni.node.ec2.faults.add("DescribeNetworkInterfaces", effect=effects.Stale(4))
    assert_starts(eni, timeout=60)


# --- route tables that are gone ---------------------------------------------------------------------------------------


def test_a_table_that_somebody_deleted_fails_no_start_while_others_work(overlay: OverlayIp) -> None:
    overlay.reset()
    gone = {"routing_table": f"{overlay.parameters['routing_table']} rtb-0123456789abcdef0"}
    result = overlay.run("start", parameters=gone)
    assert result.status == 0 and "rtb-0123456789abcdef0" in result.stderr and overlay.is_right(), result
    assert overlay.run("monitor", parameters=gone).status == 0


def test_a_definition_of_which_no_table_is_left_is_refused(overlay: OverlayIp) -> None:
    overlay.reset()
    gone = {"routing_table": "rtb-0123456789abcdef0 rtb-0123456789abcdef1"}
    result = overlay.run("start", parameters=gone, timeout=40)
    assert result.status == 2 and "rtb-0123456789abcdef0" in result.reason and result.seconds > 9, result


# --- reload -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BOTH)
def test_a_reload_that_meets_an_outage_restarts_nothing(subjects: dict[str, Subject], kind: str) -> None:
    subject = subjects[kind]
    subject.prepare("reload-agent")
    with subject.node.ec2.faults.add(effect=effects.Reset()):
        result = subject.run("reload-agent", timeout=14)
    assert result.status == 0 and "WARNING" in result.stderr, result
    assert subject.run("start").status == 0 and subject.is_right()


def test_a_reload_names_a_table_that_the_definition_has_dropped(overlay: OverlayIp) -> None:
    overlay.prepare("monitor")
    dropped = overlay.tables["clients"]
    kept = " ".join(table for table in overlay.tables.values() if table != dropped)
    result = overlay.run("reload-agent", parameters={"routing_table": kept})
    assert result.status == 0 and dropped in result.stderr, result


# --- the source/destination check -------------------------------------------------------------------------------------


def test_a_source_destination_check_that_somebody_turns_on_fails_the_deep_monitor_and_a_restart_mends_it(
    overlay: OverlayIp,
) -> None:
    overlay.prepare("monitor")
    change = {"NetworkInterfaceId": overlay.node.eni, "SourceDestCheck": {"Value": True}}
    overlay.operator.modify_network_interface_attribute(**change)
    assert overlay.run("monitor").status == 0
    result = overlay.run("monitor 10")
    assert result.status == 1 and "source/destination check is on" in result.reason, result
    disable = {"source_dest_check": "disable"}
    assert overlay.run("start", parameters=disable).status == 0
    assert overlay.run("monitor 10", parameters=disable).status == 0


# --- places that are still taken --------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{"device_index": "1"}, {}], ids=["the index is taken", "the node is full"])
def test_an_attach_waits_for_the_place_of_an_eni_that_is_leaving(eni: EniMove, parameters: dict[str, str]) -> None:
    eni.reset()
    node = eni.node
    leaving = []
    for index in (1,) if parameters else (1, 2):
        other = eni.operator.create_network_interface(SubnetId=node.vpc.subnets["a"])["NetworkInterface"]
        attached = eni.operator.attach_network_interface(
            NetworkInterfaceId=other["NetworkInterfaceId"], InstanceId=node.instance_id, DeviceIndex=index
        )
        leaving.append(attached["AttachmentId"])
    node.ec2.times.detach = 4
    try:
        eni.operator.detach_network_interface(AttachmentId=leaving[0])
        assert_starts(eni, parameters=parameters, timeout=60)
    finally:
        node.ec2.times.detach = 0
        for attachment in leaving[1:]:
            eni.operator.detach_network_interface(AttachmentId=attachment, Force=True)
        eni.reset()


def test_a_right_to_detach_that_stays_missing_bans_the_node(eni: EniMove) -> None:
    eni.reset()
    with eni.node.ec2.faults.add("DetachNetworkInterface", effect=effects.Error("UnauthorizedOperation")):
        result = eni.run("start", timeout=40)
    assert result.status == 4 and "ec2:DetachNetworkInterface" in result.reason and result.seconds > 9, result


# --- force ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "UnauthorizedOperation", "IncorrectState"])
def test_a_detach_by_force_that_fails_for_some_seconds_is_tried_again(subjects: dict[str, Subject], code: str) -> None:
    subject = subjects["an ENI of a stopped holder"]
    subject.reset()
    error = effects.Error(code)
    subject.node.ec2.faults.add("DetachNetworkInterface", where={"Force": True}, effect=error, seconds=3)
    result = assert_starts(subject, timeout=40)
    assert "by force" in result.stderr
