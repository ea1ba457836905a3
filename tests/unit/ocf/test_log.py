"""Messages: where they go, as ocf_log() of resource-agents has it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ocf_aws.ocf.log import Log, one_line
from unit.fakes.clock import Clock


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


def test_a_message_is_one_line(log: Log, stderr: io.StringIO) -> None:
    log.error("one\n two\tthree")
    log.exit_reason("one\ntwo")
    assert one_line("one\n two") == "one two"
    assert stderr.getvalue().splitlines() == ["an-agent(rsc): ERROR: one two three", "ocf-exit-reason:one two"]


def test_pacemaker_names_the_start_of_an_exit_reason() -> None:
    stderr = io.StringIO()
    Log("a", "r", {"OCF_EXIT_REASON_PREFIX": "why:"}, stderr).exit_reason("because")
    assert stderr.getvalue() == "why:because\n"


def test_an_information_is_told_once_in_an_action(log: Log, stderr: io.StringIO) -> None:
    for _ in range(3):
        log.once("hello")
    log.once("bye")
    assert [line.rpartition(" ")[2] for line in stderr.getvalue().splitlines()] == ["hello", "bye"]


def test_each_kind_of_trouble_is_told_once_each_ten_seconds(clock: Clock, log: Log, stderr: io.StringIO) -> None:
    for second in range(25):
        log.repeated("Unknown", f"no answer at {second}")
        log.repeated("AccessDenied", f"no right at {second}")
        clock.sleep(1)
    told = [line.partition("WARNING: ")[2] for line in stderr.getvalue().splitlines()]
    assert told == [f"{what} at {second}" for second in (0, 10, 20) for what in ("no answer", "no right")]


def test_words_for_a_terminal_go_nowhere_else(log: Log, stderr: io.StringIO) -> None:
    log.to_terminal("hello")
    assert stderr.getvalue() == ""
    stderr.isatty = lambda: True  # type: ignore[method-assign]
    log.to_terminal("hello")
    assert stderr.getvalue() == "an-agent(rsc): hello\n"


def test_syslog_gets_the_facility_that_pacemaker_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import syslog

    said: list[object] = []
    monkeypatch.setattr(syslog, "openlog", lambda *arguments: said.append(arguments))
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: said.append(arguments))
    Log("a", "r", {"HA_LOGFACILITY": "local3"}, io.StringIO()).error("hello")
    assert said == [("a(r)", syslog.LOG_PID, syslog.LOG_LOCAL3), (syslog.LOG_ERR, "ERROR: hello")]


def test_what_is_no_text_or_would_be_obeyed_by_a_terminal_is_escaped(tmp_path: Path) -> None:
    stderr, path = io.StringIO(), tmp_path / "log"
    log = Log("a", "r", {"HA_LOGFILE": str(path), "HA_LOGFACILITY": "local7"}, stderr)
    log.error("\udcff\x1b[31m\u202e grün")
    log.exit_reason("\udcff\x1b[31m\u202e grün " + "ü" * 127)
    assert path.read_text(encoding="utf-8").endswith("ERROR: \\udcff\\x1b[31m\\u202e grün\n")
    reason = stderr.getvalue().partition("ocf-exit-reason:")[2].rstrip("\n")
    assert reason.startswith("\\udcff\\x1b[31m\\u202e gr\\xfcn") and reason.isascii() and len(reason) <= 127
