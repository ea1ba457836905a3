"""What a subcommand prints: text for people, JSON for scripts, and the exit status that both come with.

JSON is stable: {"version": 1, "command": NAME, "results": [...]}; members may be added, none goes or changes its meaning.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable
from contextlib import suppress
from shutil import get_terminal_size
from typing import Any, TextIO

JSON_VERSION = 1
OK = 0
FOUND = 1
USAGE = 2
UNKNOWN = 3

_COLOURS = {"red": "31", "yellow": "33", "green": "32", "blue": "34", "bold": "1", "dim": "2"}


class Output:
    """Where a subcommand prints.

    is_json: for scripts. is_terminal: colours and redrawing are welcome. is_needed: output that cannot be written ends the
    command; without it the command goes on, and says so.
    """

    def __init__(self, command: str, form: str, stream: TextIO | None = None):
        self.command = command
        self.is_json = form == "json"
        self._stream = stream or sys.stdout
        self.is_terminal = self._stream.isatty() and not self.is_json
        self.is_needed = True
        # https://no-color.org: present and not empty.
        self._has_colour = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """Columns to fill."""
        return max(60, get_terminal_size((120, 24)).columns) if self.is_terminal else 120

    def line(self, text: str = "") -> None:
        """A line of text, for people alone."""
        if not self.is_json:
            self._print(text.rstrip())

    def colour(self, text: str, name: str) -> str:
        """The text in a colour, where there are any."""
        return f"\033[{_COLOURS[name]}m{text}\033[0m" if self._has_colour else text

    def wrapped(self, text: str, indent: str, first: str | None = None) -> None:
        """A paragraph, each line but the first indented."""
        lines = textwrap.wrap(
            text,
            self.width,
            initial_indent=first if first is not None else indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for each in lines or [""]:
            self.line(each)

    def results(self, results: Iterable[Any]) -> None:
        """The document, for scripts alone."""
        if self.is_json:
            document = {"version": JSON_VERSION, "command": self.command, "results": list(results)}
            self._print(json.dumps(document, indent=2))

    def _print(self, text: str) -> None:
        try:
            print(text, file=self._stream, flush=True)
        except OSError as error:
            if self.is_needed:
                raise
            # Of a terminal that is closed, nothing can be written at all.
            with suppress(OSError):
                print(f"ocf-aws: goes on without output: {error.strerror}", file=sys.stderr)
            # The text is still in the buffer, and would fail again ("Note on SIGPIPE", module signal in Python's library).
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def progress(self, text: str) -> None:
        """What is being done, on a terminal alone; the next text replaces it, and an empty one removes it."""
        if sys.stderr.isatty() and not self.is_json:
            print(f"\r{text:<{self.width - 1}}\r", end="", file=sys.stderr, flush=True)


class Progress:
    """A line on the terminal that tells what is being waited for, once that takes longer than a second."""

    def __init__(self, output: Output, text: str):
        from threading import Timer

        self._output = output
        self._is_shown = False
        self._timer = Timer(1.0, self._show, [f"{text} ..."])
        self._timer.daemon = True

    def _show(self, text: str) -> None:
        self._is_shown = True
        self._output.progress(text)

    def __enter__(self) -> Progress:
        self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()
        if self._is_shown:
            self._output.progress("")
