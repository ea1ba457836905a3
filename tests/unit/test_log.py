"""Messages: where they go, as ocf_log() of resource-agents has it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ocf_aws.log import Log


def test_without_a_facility_messages_go_to_stderr() -> None:
    stderr = io.StringIO()
    Log("an-agent", "rsc", {}, stderr).info("hello")
    assert stderr.getvalue() == "an-agent(rsc): INFO: hello\n"


def test_debug_messages_appear_only_where_they_are_asked_for() -> None:
    stderr = io.StringIO()
    Log("a", "r", {}, stderr).debug("no")
    Log("a", "r", {"HA_debug": "1"}, stderr).debug("yes")
    assert stderr.getvalue() == "a(r): DEBUG: yes\n"


def test_a_log_file_gets_the_messages_instead(tmp_path: Path) -> None:
    stderr, path = io.StringIO(), tmp_path / "log"
    Log("a", "r", {"HA_LOGFILE": str(path)}, stderr).warning("hello")
    assert stderr.getvalue() == ""
    assert path.read_text().endswith("WARNING: hello\n")


def test_a_log_file_that_cannot_be_written_loses_no_message() -> None:
    stderr = io.StringIO()
    Log("a", "r", {"HA_LOGFILE": "/nonexistent/log"}, stderr).error("hello")
    assert "ERROR: hello" in stderr.getvalue()


def test_syslog_gets_the_facility_that_pacemaker_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import syslog

    said: list[object] = []
    monkeypatch.setattr(syslog, "openlog", lambda *arguments: said.append(arguments))
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: said.append(arguments))
    Log("a", "r", {"HA_LOGFACILITY": "local3"}, io.StringIO()).error("hello")
    assert said == [("a(r)", syslog.LOG_PID, syslog.LOG_LOCAL3), (syslog.LOG_ERR, "ERROR: hello")]
