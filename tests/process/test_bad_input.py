"""Values that a definition may have by mistake, in the environment of a real process."""

from __future__ import annotations

from pathlib import Path

import pytest

from vpclab.hosts.single_node import SingleNode

NONSENSE = ["", "x" * 1000, "$(reboot); `reboot`", "<a b='c'>&", "two\nlines", "\x1b[31m", "s\xfc\xdf", "\udcff\udcfe"]


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: ascii(text)[1:20])
def test_a_nonsensical_value_is_one_line_in_every_action_and_changes_nothing(
    single_node: SingleNode, tmp_path: Path, text: str
) -> None:
    environ = {"HA_LOGFILE": str(tmp_path / "log"), "HA_LOGFACILITY": "local7", "HA_debug": "1"}
    overlay = {"ip": text, "routing_table": single_node.vpc.route_tables["a"]}
    for agent, name, parameters in (("aws-overlay-ip", "ip", overlay), ("aws-eni-move", "eni_id", {"eni_id": text})):
        before = single_node.addresses()
        for action, level in (("start", 0), ("monitor", 0), ("validate-all", 10), ("reload-agent", 0)):
            result = single_node.run(agent, action, parameters, level=level, environ=environ)
            assert result.status == 6 and f"'{name}'" in result.reason, result
            assert result.stderr == f"ocf-exit-reason:{result.reason}\n" and result.reason.isascii(), result
        assert single_node.run(agent, "stop", parameters, environ=environ).status == 0
        assert single_node.addresses() == before
    assert not single_node.ec2.calls
    assert all(line.isprintable() for line in (tmp_path / "log").read_text().splitlines())


def test_other_wrong_values_do_not_keep_a_stop_from_removing_the_address(single_node: SingleNode) -> None:
    single_node.disable_source_dest_check()
    parameters = {"ip": "192.168.10.10", "routing_table": single_node.vpc.route_tables["a"]}
    assert single_node.run("aws-overlay-ip", "start", parameters).status == 0
    wrong = {
        **parameters,
        "routing_table": "\udcff",
        "api_timeout": "\x1b",
        "region": "x" * 1000,
        "delete_route_on_stop": "true",
    }
    stopped = single_node.run("aws-overlay-ip", "stop", wrong, environ={"HA_LOGFACILITY": "local7"})
    assert stopped.status == 0 and "192.168.10.10/32" not in single_node.addresses(), stopped


@pytest.mark.parametrize("profile", ["no-such", "x" * 1000, "$(reboot)"], ids=lambda text: text[:10])
def test_a_profile_that_is_not_on_this_node_is_named(single_node: SingleNode, profile: str) -> None:
    parameters = {"ip": "192.168.10.10", "routing_table": single_node.vpc.route_tables["a"], "profile": profile}
    result = single_node.run("aws-overlay-ip", "validate-all", parameters, level=10)
    assert result.status == 4 and "parameter 'profile'" in result.reason, result
