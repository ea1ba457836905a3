"""Messages of an agent, where OCF agents log them, and the exit reason that `pcs status` and `crm_mon` show.

As ocf_log() of resource-agents does it: to a terminal, else to syslog with the facility that
pacemaker-execd names (HA_LOGFACILITY) and the file it names (HA_LOGFILE), else to stderr, which pacemaker-execd logs.
"""

from __future__ import annotations

from time import monotonic

from ocf_aws.ocf.errors import shorten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO


REPEAT_SECONDS = 10.0
"""How often the same kind of trouble is told while an action waits for its end."""


def one_line(text: str) -> str:
    """`text` without line breaks, and with escapes for what a terminal would obey and syslog cannot take.

    Pacemaker cuts an exit reason at the first line break. Bytes of the environment that are no UTF-8 are no text either.
    """
    line = " ".join(str(text).split())
    return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


class Log:
    """Messages of one action.

    agent, resource: names that each message carries.
    environ: the action's environment.
    stderr: a text stream, for messages that have no other place and for the exit reason.
    """

    def __init__(self, agent: str, resource: str, environ: Mapping[str, str], stderr: TextIO):
        self._name = f"{agent}({resource})"
        self._environ = environ
        self._stderr = stderr
        self._told: dict[str, float] = {}

    def debug(self, text: str) -> None:
        """Said only where debug messages are asked for (HA_debug)."""
        if self._environ.get("HA_debug", "0") not in ("", "0"):
            self._write("DEBUG", text)

    def info(self, text: str) -> None:
        """What an administrator who reads the log of a move wants to find."""
        self._write("INFO", text)

    def warning(self, text: str) -> None:
        """Something is wrong, but the action goes on."""
        self._write("WARNING", text)

    def error(self, text: str) -> None:
        """The action fails."""
        self._write("ERROR", text)

    def once(self, text: str) -> None:
        """An information that an action which is tried again tells the first time alone."""
        if text not in self._told:
            self._told[text] = monotonic()
            self.info(text)

    def repeated(self, kind: str, text: str) -> None:
        """A warning about something that repeats itself: one each REPEAT_SECONDS for each kind."""
        if monotonic() - self._told.get(kind, float("-inf")) >= REPEAT_SECONDS:
            self._told[kind] = monotonic()
            self.warning(text)

    def to_terminal(self, text: str) -> None:
        """What a person who runs the agent by hand wants to know, and nobody else."""
        if self._stderr.isatty():
            print(f"{self._name}: {one_line(text)}", file=self._stderr, flush=True)

    def exit_reason(self, text: str) -> None:
        """The line that `crm_mon` and `pcs status` show beside a failed action, in ASCII: Pacemaker cuts it between bytes."""
        prefix = self._environ.get("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:")
        reason = one_line(text).encode("ascii", "backslashreplace").decode()
        print(f"{prefix}{shorten(reason)}", file=self._stderr, flush=True)

    def _write(self, level: str, text: str) -> None:
        line = f"{level}: {one_line(text)}"
        facility = self._environ.get("HA_LOGFACILITY", "none")
        path = self._environ.get("HA_LOGFILE")
        if self._stderr.isatty() or (facility == "none" and not path):
            print(f"{self._name}: {line}", file=self._stderr, flush=True)
            return
        if facility != "none":
            self._syslog(facility, level, line)
        if path:
            self._append(path, line)

    def _syslog(self, facility: str, level: str, line: str) -> None:
        import syslog

        code = getattr(syslog, f"LOG_{facility.upper()}", syslog.LOG_DAEMON)
        priority = {"ERROR": "ERR"}.get(level, level)
        syslog.openlog(self._name, syslog.LOG_PID, code)
        syslog.syslog(getattr(syslog, f"LOG_{priority}"), line)

    def _append(self, path: str, line: str) -> None:
        from os import getpid
        from time import strftime

        stamp = strftime("%b %d %H:%M:%S")
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{stamp} {self._name}[{getpid()}]: {line}\n")
        except OSError:
            # A log file that cannot be written is no reason for an address to stay where it is.
            print(f"{self._name}: {line}", file=self._stderr, flush=True)
