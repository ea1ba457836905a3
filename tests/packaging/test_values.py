"""What docs/values.md says of failures holds, by Pacemaker's own scheduler."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

KEY = "11111111-1111-1111-1111-111111111111"
NO_PARAMETERS = "f2317cad3d54cec5d7d7aa7d0bf35cf8"
"""Pacemaker's digest of a definition without parameters; another one means that the definition has changed."""


def operation(name: str, key: str, status: int, when: int) -> str:
    """An entry of the resource's history: what the action ended with, and when."""
    task, interval = key.rsplit("_", 1)
    ended = 0 if status in (0, 7) else 4
    digest = f' op-digest="{NO_PARAMETERS}"' if interval == "0" else ""
    return (
        f'<lrm_rsc_op id="ip_{name}" operation_key="ip_{key}" operation="{task}" interval="{interval}" call-id="{when}"'
        f' transition-key="1:1:0:{KEY}" transition-magic="{ended}:{status};1:1:0:{KEY}" rc-code="{status}"'
        f' op-status="{ended}" last-rc-change="{when}" crm_feature_set="3.16.2"{digest}/>'
    )


def node(name: str, history: str, attributes: str = "", others: str = "") -> str:
    """The state of a node, with the resource's history on it, the node's fail counts, and other resources' history."""
    resource = f'<lrm_resource id="ip" class="ocf" provider="pacemaker" type="Dummy">{history}</lrm_resource>'
    return (
        f'<node_state id="{name}" uname="{name}" in_ccm="true" crmd="online" join="member" expected="member">'
        f'<lrm id="{name}"><lrm_resources>{resource}{others}</lrm_resources></lrm><transient_attributes id="{name}">'
        f'<instance_attributes id="status-{name}">{attributes}</instance_attributes></transient_attributes>'
        "</node_state>"
    )


def what_pacemaker_does(
    directory: Path, meta: dict[str, str], states: list[str], minutes: int, others: str = "", constraints: str = ""
) -> str:
    """What the scheduler does with the resource `ip`, so many minutes after now; empty: nothing.

    others, constraints: more resources, and the constraints, as XML.
    """
    values = "".join(f'<nvpair id="meta-{name}" name="{name}" value="{value}"/>' for name, value in meta.items())
    names = re.findall(r'uname="(\w+)"', "".join(states))
    cib = directory / "cib.xml"
    cib.write_text(f"""
        <cib crm_feature_set="3.16.2" validate-with="pacemaker-3.7" epoch="1" num_updates="0" admin_epoch="0"
            have-quorum="1" dc-uuid="node1">
          <configuration>
            <crm_config><cluster_property_set id="options">
              <nvpair id="no-fencing" name="stonith-enabled" value="false"/>
            </cluster_property_set></crm_config>
            <nodes>{"".join(f'<node id="{name}" uname="{name}"/>' for name in names)}</nodes>
            <resources>{others}<primitive id="ip" class="ocf" provider="pacemaker" type="Dummy">
              <meta_attributes id="meta">{values}</meta_attributes>
              <operations><op id="monitor" name="monitor" interval="20s" timeout="60s"/></operations>
            </primitive></resources>
            <constraints>{constraints}</constraints>
          </configuration>
          <status>{"".join(states)}</status>
        </cib>""")
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + 60 * minutes))
    command = ["crm_simulate", "--xml-file", cib, "--run", "--set-datetime", when]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    summary = re.findall(
        r"^\s+\* (Start|Recover|Move|Stop|Restart|Promote|Demote)\s+(ip|db:\d)\s+\( (.*?) \)", done.stdout, re.MULTILINE
    )
    # A database is one of the others.
    told = [f"{action} {' '.join(where.split())}" if name == "ip" else action for action, name, where in summary]
    return ", ".join(told)


def after_a_failed_start(directory: Path, status: int, meta: dict[str, str], minutes: int) -> str:
    """What becomes of a resource whose start failed now on the one node that there is."""
    now = int(time.time())
    attributes = (
        '<nvpair id="count" name="fail-count-ip#start_0" value="INFINITY"/>'
        f'<nvpair id="last" name="last-failure-ip#start_0" value="{now}"/>'
    )
    history = operation("last_failure_0", "start_0", status, now) + operation("last_0", "stop_0", 0, now + 1)
    return what_pacemaker_does(directory, meta, [node("node1", history, attributes)], minutes)


def after_failed_monitors(directory: Path, failures: int, meta: dict[str, str]) -> str:
    """What becomes of a resource on node1 whose monitor has failed so often, the last time now."""
    now = int(time.time())
    attributes = (
        f'<nvpair id="count" name="fail-count-ip#monitor_20000" value="{failures}"/>'
        f'<nvpair id="last" name="last-failure-ip#monitor_20000" value="{now}"/>'
    )
    history = operation("last_0", "start_0", 0, now - 60) + operation("last_failure_0", "monitor_20000", 1, now)
    states = [node("node1", history, attributes), node("node2", operation("last_0", "monitor_0", 7, now - 99))]
    return what_pacemaker_does(directory, meta, states, 0)


@pytest.mark.parametrize("status", [1, 2, 4, 5])
def test_a_failed_start_bans_the_node_until_failure_timeout_has_passed(status: int, tmp_path: Path) -> None:
    meta = {"failure-timeout": "600s", "migration-threshold": "3"}
    assert after_a_failed_start(tmp_path, status, meta, minutes=9) == ""
    assert after_a_failed_start(tmp_path, status, meta, minutes=11) == "Start node1"


def after_a_probe_on_node2(directory: Path, status: int) -> str:
    """What becomes of a resource that is healthy on node1 when its probe on node2 ends so."""
    now = int(time.time())
    healthy = operation("last_0", "start_0", 0, now - 60) + operation("monitor_20000", "monitor_20000", 0, now - 50)
    probe = operation("last_failure_0", "monitor_0", status, now)
    return what_pacemaker_does(directory, {}, [node("node1", healthy), node("node2", probe)], 0)


@pytest.mark.parametrize("status, becomes", [(2, ""), (5, ""), (6, "Stop node1, Stop node2")])
def test_only_6_as_the_answer_of_one_node_stops_the_service_on_another(
    status: int, becomes: str, tmp_path: Path
) -> None:
    assert after_a_probe_on_node2(tmp_path, status) == becomes


def test_a_failed_start_bans_the_node_for_ever_without_failure_timeout(tmp_path: Path) -> None:
    assert after_a_failed_start(tmp_path, 1, {"migration-threshold": "3"}, minutes=60 * 24) == ""


def test_a_resource_is_restarted_in_place_for_ever_without_migration_threshold(tmp_path: Path) -> None:
    assert after_failed_monitors(tmp_path, 1000, {"failure-timeout": "600s"}) == "Recover node1"


def test_the_third_failure_moves_the_resource_with_migration_threshold_3(tmp_path: Path) -> None:
    meta = {"failure-timeout": "600s", "migration-threshold": "3"}
    assert after_failed_monitors(tmp_path, 2, meta) == "Recover node1"
    assert after_failed_monitors(tmp_path, 3, meta) == "Recover node1 -> node2"


def while_a_start_is_retrying_on_node2(directory: Path, seconds: int, meta: dict[str, str]) -> str:
    """What becomes of a resource whose start on node2 has been running for so long, where node1 is free."""
    now = int(time.time())
    pending = (
        f'<lrm_rsc_op id="ip_last_0" operation_key="ip_start_0" operation="start" interval="0" call-id="-1"'
        f' transition-key="1:1:0:{KEY}" transition-magic="-1:193;1:1:0:{KEY}" rc-code="193" op-status="-1"'
        f' last-rc-change="{now - seconds}" crm_feature_set="3.16.2"/>'
    )
    states = [node("node1", operation("last_0", "monitor_0", 7, now - 999)), node("node2", pending)]
    return what_pacemaker_does(directory, meta, states, 0)


def test_a_start_that_takes_longer_than_failure_timeout_is_forgotten_and_begun_elsewhere_too(tmp_path: Path) -> None:
    assert while_a_start_is_retrying_on_node2(tmp_path, 150, {"failure-timeout": "120s"}) == "Start node1"


def test_a_start_that_ends_before_failure_timeout_keeps_its_node(tmp_path: Path) -> None:
    # "Restart": Pacemaker waits for the start and does not know its result yet.
    assert while_a_start_is_retrying_on_node2(tmp_path, 180, {"failure-timeout": "600s"}) == "Restart node2"


def after_the_fencing_device_failed_on_node1(directory: Path, meta: dict[str, str]) -> str:
    """What becomes of a resource on node2 when the API's outage has failed the fencing device on node1."""
    now = int(time.time())
    fence = '<primitive id="fence" class="stonith" type="fence_aws"/>'
    failed = operation("last_0", "start_0", 1, now).replace("ip_", "fence_")
    failed = f'<lrm_resource id="fence" class="stonith" type="fence_aws">{failed}</lrm_resource>'
    attributes = (
        '<nvpair id="count" name="fail-count-fence#start_0" value="INFINITY"/>'
        f'<nvpair id="last" name="last-failure-fence#start_0" value="{now}"/>'
    )
    absent, found = (operation("last_0", "monitor_0", status, now - 60) for status in (7, 0))
    states = [
        node("node1", absent, attributes, failed),
        node("node2", found + operation("monitor", "monitor_20000", 0, now)),
    ]
    return what_pacemaker_does(directory, meta, states, 0, fence)


def test_a_failed_fencing_device_moves_a_healthy_address_without_stickiness(tmp_path: Path) -> None:
    assert after_the_fencing_device_failed_on_node1(tmp_path, {}) == "Move node2 -> node1"
    assert after_the_fencing_device_failed_on_node1(tmp_path, {"resource-stickiness": "1000"}) == ""


DATABASE = (
    '<clone id="dbs"><meta_attributes id="dbs-meta"><nvpair id="promotable" name="promotable" value="true"/></meta_attributes>'
    '<primitive id="db" class="ocf" provider="pacemaker" type="Stateful"/></clone>'
)


def after_failed_monitors_beside_a_primary(directory: Path, score: str, failures: int, meta: dict[str, str]) -> str:
    """What becomes of an address on node1, and of the database's primary there, which it follows by that score."""
    now = int(time.time())

    def database(entry: str) -> str:
        history = entry.replace("ip_", "db_")
        return f'<lrm_resource id="db" class="ocf" provider="pacemaker" type="Stateful">{history}</lrm_resource>'

    # What the agent of SAP HANA gives a primary, and a secondary that is in sync.
    primary, secondary = (
        f'<nvpair id="score-{name}" name="master-db" value="{value}"/>'
        for name, value in (("node1", 150), ("node2", 100))
    )
    counted = (
        f'<nvpair id="count" name="fail-count-ip#monitor_20000" value="{failures}"/>'
        f'<nvpair id="last" name="last-failure-ip#monitor_20000" value="{now}"/>'
    )
    failed = operation("last_0", "start_0", 0, now - 60) + operation("last_failure_0", "monitor_20000", 1, now)
    absent = operation("last_0", "monitor_0", 7, now - 99)
    states = [
        node("node1", failed, primary + counted, database(operation("last_0", "promote_0", 0, now - 80))),
        node("node2", absent, secondary, database(operation("last_0", "start_0", 0, now - 90))),
    ]
    follows = f'<rsc_colocation id="follow" rsc="ip" with-rsc="dbs" with-rsc-role="Master" score="{score}"/>'
    return what_pacemaker_does(directory, {"resource-stickiness": "1000", **meta}, states, 0, DATABASE, follows)


@pytest.mark.parametrize("score", ["2000", "INFINITY"])
def test_a_ban_of_the_address_moves_the_primary_that_it_follows(score: str, tmp_path: Path) -> None:
    meta = {"failure-timeout": "600s", "migration-threshold": "3"}
    assert after_failed_monitors_beside_a_primary(tmp_path, score, 2, meta) == "Recover node1"
    becomes = after_failed_monitors_beside_a_primary(tmp_path, score, 3, meta)
    assert becomes == "Demote, Promote, Recover node1 -> node2"


@pytest.mark.parametrize("score", ["2000", "INFINITY"])
def test_without_a_ban_each_failure_costs_the_address_alone(score: str, tmp_path: Path) -> None:
    meta = {"failure-timeout": "600s", "migration-threshold": "5000"}
    assert after_failed_monitors_beside_a_primary(tmp_path, score, 100, meta) == "Recover node1"
