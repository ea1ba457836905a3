"""Whatever a definition says: a wrong value is one clear line that names its parameter, and nothing else happens."""

from __future__ import annotations

import io
import os
import string
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ocf_aws.ocf.errors import REASON_LENGTH
from ocf_aws.ocf.runtime import run

RIGHT = {
    "aws-overlay-ip": {"ip": "192.168.10.10", "routing_table": "rtb-0123456789abcdef0", "monapi": "false"},
    "aws-eni-move": {"eni_id": "eni-0123456789abcdef0"},
}
REQUIRED = {"aws-overlay-ip": {"ip", "routing_table"}, "aws-eni-move": {"eni_id"}}

BAD = [
    "",
    "   ",
    "\t\n",
    "0",
    "-1",
    "1_0",
    "٣",
    "1e3",
    "+-7",
    "\u00b2",
    "true false",
    "10.0.1.11",
    "127.0.0.1",
    "::",
    "fe80::1%ens5",
    "192.168.10.0/24",
    "10.0.0.300",
    "x" * 1000,
    "x " * 500,
    "9" * 5000,
    "$(reboot)",
    "`reboot`; reboot | reboot & > /etc/passwd",
    "../../etc/passwd",
    "<a b='c'>&amp;\"]]>",
    "first\nsecond",
    "first\r\nsecond",
    "\x1b[31mred\x1b[0m",
    "\x7f\x01",
    "süß",
    "日本語" * 100,
    "\u2028\u202e",
    "\udcff\udcfe",
    "eni-",
    "rtb-",
    "tag:",
    "tag:=",
    "http://",
    "http://[::1",
    "http://host:port",
    "https://user:secret@host:99999",
    "arn:aws:iam::123456789012:role/",
    "arn:aws:iam::x:role/two words",
]

TEXTS = st.one_of(
    st.sampled_from(BAD),
    st.text(st.characters(exclude_characters="\0"), max_size=60),
    st.text(string.printable, max_size=40),
    # As Python reads bytes of the environment that are no UTF-8.
    st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
)


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def names(agent: ModuleType) -> list[str]:
    return [parameter.name for parameter in agent.AGENT.parameters]


def act(agent: ModuleType, action: str, parameters: dict[str, str], **environ: str) -> tuple[int, str]:
    """Exit status and stderr of an action, as a process has it that writes UTF-8."""
    variables = {f"OCF_RESKEY_{name}": value for name, value in parameters.items()}
    said = io.BytesIO()
    stderr = io.TextIOWrapper(said, encoding="utf-8", errors="backslashreplace", write_through=True)
    status = run(agent.AGENT, [agent.AGENT.name, action], {**variables, **environ}, io.StringIO(), stderr)
    return status, said.getvalue().decode()


def check_line(said: str, name: str) -> None:
    """One reason, of which Pacemaker and the CIB keep all, and which names the parameter."""
    reasons = [line for line in said.split("\n") if "ocf-exit-reason:" in line]
    assert len(reasons) == 1 and reasons[0].startswith("ocf-exit-reason:"), said
    reason = reasons[0].partition(":")[2]
    assert len(reason.encode()) <= REASON_LENGTH and reason.isascii() and reason.isprintable(), reason
    assert f"'{name}'" in reason or reason.startswith(f"{name} "), reason
    assert len(reason) > len(f"parameter '{name}': ''") + 7, reason
    assert "Traceback" not in said and "unexpected" not in said, said
    assert "secret" not in said or name not in ("proxy", "endpoint_url"), said
    # What a terminal or a log viewer would take for a new line or for an order of its own.
    assert all(line.isprintable() for line in said.split("\n")), said


def try_it(agent: ModuleType, name: str, text: str) -> None:
    """Give one parameter this text, in each action."""
    kind = agent.AGENT.name
    parameters = {**RIGHT[kind], name: text}
    if name == "address":
        parameters.pop("ip")
    status, said = act(agent, "validate-all", parameters)
    is_missing = not text.strip() and name in REQUIRED[kind] | {"address"}
    assert status in ((6,) if is_missing else (0, 6)), said
    if status == 0:
        return
    wrong = {"address": "ip"}.get(name, name) if is_missing else name
    check_line(said, wrong)
    if "is this node's own address" in said:
        return
    for action in ("start", "monitor", "reload-agent"):
        status, said = act(agent, action, parameters)
        assert status == 6, said
        check_line(said, wrong)
    status, said = act(agent, "stop", parameters)
    assert status == 0 and "ocf-exit-reason" not in said and wrong in said, said


@pytest.fixture
def looked(agent: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An agent of which nothing is on this machine: a stop that may begin finds nothing."""
    if agent.AGENT.name == "aws-eni-move":
        monkeypatch.setattr(agent, "find_state", lambda context: None)
    return agent


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(data=st.data(), text=TEXTS)
def test_any_text_for_any_parameter_is_right_or_one_line_that_names_it(
    looked: ModuleType, data: st.DataObject, text: str
) -> None:
    try_it(looked, data.draw(st.sampled_from(names(looked))), text)


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text)[1:20])
def test_each_kind_of_nonsense_for_each_parameter_is_one_line_that_names_it(looked: ModuleType, text: str) -> None:
    for name in names(looked):
        try_it(looked, name, text)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(name=st.text(st.characters(exclude_characters="\0="), min_size=1, max_size=40), text=TEXTS)
@example(name="crm", text="x")
@example(name="\udcff", text="x")
def test_an_unknown_parameter_is_named_in_one_line(looked: ModuleType, name: str, text: str) -> None:
    if name in names(looked) or name.startswith(("CRM_meta_", "crm_", "trace_", "OCF_CHECK_LEVEL")):
        return
    status, said = act(looked, "validate-all", {**RIGHT[looked.AGENT.name], name: text})
    if not text.strip():
        assert status == 0, said
        return
    assert status == 6, said
    reason = said.partition("ocf-exit-reason:")[2]
    assert reason.startswith("unknown parameter") and reason.count("\n") == 1 and len(reason) <= REASON_LENGTH + 1


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(variables=st.dictionaries(st.sampled_from(["CRM_meta_timeout", "CRM_meta_interval", "crm_feature_set"]), TEXTS))
def test_nonsense_from_pacemaker_itself_does_not_end_in_a_traceback(
    looked: ModuleType, variables: dict[str, str]
) -> None:
    status, said = act(looked, "validate-all", {**RIGHT[looked.AGENT.name], **variables}, OCF_CHECK_LEVEL="ten")
    assert status == 0, said


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text)[1:20])
def test_a_log_file_takes_any_text(looked: ModuleType, tmp_path: Any, text: str) -> None:
    log = tmp_path / "log"
    parameters = {**RIGHT[looked.AGENT.name], "api_timeout": text, "region": text}
    status, said = act(looked, "stop", parameters, HA_LOGFILE=str(log))
    assert status == 0 and not said, said
    written = log.read_text(encoding="utf-8") if log.exists() else ""
    assert all(line.isprintable() for line in written.split("\n")), written


def test_syslog_takes_any_text(looked: ModuleType) -> None:
    for text in BAD:
        parameters = {**RIGHT[looked.AGENT.name], "api_timeout": text, "region": text}
        assert act(looked, "stop", parameters, HA_LOGFACILITY="local7") == (0, "")


@pytest.mark.parametrize("text", ["<x/>", "süß", "\udcff", "\x1b"], ids=lambda text: ascii(text)[1:20])
def test_the_meta_data_are_xml_whatever_the_environment_says(looked: ModuleType, text: str) -> None:
    variables = {f"OCF_RESKEY_{name}": text for name in names(looked)}
    stdout = io.StringIO()
    assert run(looked.AGENT, ["agent", "meta-data"], variables, stdout, io.StringIO()) == 0
    assert ElementTree.fromstring(stdout.getvalue()).get("name") == looked.AGENT.name
