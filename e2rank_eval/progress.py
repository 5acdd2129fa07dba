"""Progress of long loops: a bar with rate and remaining time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from functools import cache
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Item = TypeVar("Item")

_PLAIN_INTERVAL = 10.0
"""Seconds between plain lines, so that log files stay short."""


def track(iterable: Iterable[Item], *, description: str, total: int | None = None) -> Iterator[Item]:
    """Yield from ``iterable``, and report progress to standard error.

    ``total`` is by default the length of the iterable, if it has one. Where standard error is not a
    terminal, a line is printed every 10 seconds and at the end.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    if sys.stderr.isatty():
        yield from _bar(iterable, description, total)
    else:
        yield from _plain(iterable, description, total)


def _bar(iterable: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, _Rate(), console=_console()) as progress:
        yield from progress.track(iterable, total=total, description=description)


@cache
def _console() -> Console:
    """Return one console for all bars, so that nested bars are drawn below each other."""
    return Console(stderr=True)


class _Rate(ProgressColumn):
    """Items per second, empty until the first one is done."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


def _plain(iterable: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
    start = last = time.monotonic()
    done = 0
    for item in iterable:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= _PLAIN_INTERVAL and done != total:
            last = now
            say(_line(description, done, total, now - start))
    say(_line(description, done, total, time.monotonic() - start) + ", done")


def _line(description: str, done: int, total: int | None, seconds: float) -> str:
    rate = done / seconds if seconds > 0 else 0.0
    left = f", {(total - done) / rate:.0f} s left" if total and rate and done < total else ""
    of = "" if total is None else f"/{total}"
    return f"{description}: {done}{of} in {seconds:.1f} s ({rate:.1f}/s{left})"


def say(message: str) -> None:
    """Write one line to standard error and flush, so that lines of several processes keep their order."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
