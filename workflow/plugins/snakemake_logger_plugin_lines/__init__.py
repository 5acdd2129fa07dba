"""Snakemake's log as one line per finished job: its command, result and time; for a failed job, its error.

    PYTHONPATH=workflow/plugins snakemake --logger lines > /dev/null

The result is the last line of the job's log, such as the number of queries. On a terminal, running jobs are
shown with the newest line of their logs, which is their progress.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

_COMMAND = re.compile(r"e2rank-eval (.+?)(?= --config| --cache| --output| 2>&1|$)", re.DOTALL)
_LONGEST = 100
"""Characters of a log's last line that are shown."""

_SHOWN_OF_A_FAILURE = 20
"""Lines at the end of a failed job's log that are shown."""


@dataclass
class _Job:
    what: str
    logs: list[str]
    runs_a_command: bool
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def lines(self) -> list[str]:
        """Return the non-empty lines of its logs; every state of a progress bar is a line."""
        paths = [Path(one) for one in self.logs if Path(one).exists()]
        text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)
        return [line.rstrip() for line in re.split(r"[\r\n]", text) if line.strip()]


class LogHandler(LogHandlerBase):
    """Writes warnings, errors and one line for each finished or failed job to standard error."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._running: dict[int, _Job] = {}
        self._finished = self._total = 0
        self._started = time.monotonic()
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._status, console=self._console, transient=True, refresh_per_second=2,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._live.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one log record of Snakemake."""
        event, values = getattr(record, "event", None), record.__dict__
        if event == LogEvent.RUN_INFO:
            self._total = values["stats"]["total"]
        elif event == LogEvent.JOB_INFO:
            self._running[values["jobid"]] = _job(values)
        elif event == LogEvent.JOB_FINISHED:
            self._end(values["job_id"])
        elif event == LogEvent.JOB_ERROR:
            self._fail(values)
        elif record.levelno >= logging.WARNING and record.getMessage() != "None":
            self._print(record.getMessage())

    def _end(self, identifier: int) -> None:
        job = self._running.pop(identifier)
        self._finished += 1
        said = [line.strip("│ ") for line in job.lines() if re.search(r"\w", line)]  # no table borders
        many = said[-1:] if job.runs_a_command else []
        seconds = job.seconds if job.runs_a_command else time.monotonic() - self._started
        detail = "".join(f": {line[:_LONGEST]}" for line in many if line != job.what)
        total = str(self._total)
        self._print(f"{self._finished:{len(total)}}/{total} {seconds:6.1f} s  {job.what}{detail}")

    def _fail(self, values: dict[str, Any]) -> None:
        job = self._running.pop(values["jobid"], None) or _job(values)
        lines = job.lines()
        self._print(f"FAILED after {job.seconds:.1f} s: {job.what}", *lines[-_SHOWN_OF_A_FAILURE:])
        self._print(f"log: {', '.join(job.logs) or 'none'}; command: {values['shellcmd']}")

    def _print(self, *lines: str) -> None:
        for line in lines:
            self._console.print(Text(line))

    def _status(self) -> Text:
        shown = []
        for job in list(self._running.values()):
            newest = "".join(f": {line}" for line in job.lines()[-1:])
            shown.append(f"... {job.seconds:6.1f} s  {job.what}{newest}"[: self._console.width - 1])
        return Text("\n".join(shown))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
        super().close()


def _job(values: dict[str, Any]) -> _Job:
    command = values["shellcmd"] or ""
    found = _COMMAND.search(command)
    what = " ".join(found[1].split()) if found else values["rule_name"]
    return _Job(what, list(values["log"]), bool(command))
