"""Timers of the phases of a ranking, synchronised with the device, and of parts such as tokenisation."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import RLock

TOKENISATION = "tokenisation"

_TOKENISING = RLock()


@dataclass(slots=True)
class Watched:
    """Seconds by name of phase or part: ``wall`` time, and ``cpu`` time of all threads of the process."""

    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to ``name``."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - cpu
            self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - wall


_WATCHED: ContextVar[Watched | None] = ContextVar("watched", default=None)


def synchronise() -> None:
    """Wait for the work that this process has queued on a GPU; torch is not imported for it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


@contextmanager
def part(name: str) -> Iterator[None]:
    """Add the block's seconds to ``name`` inside :func:`watched`; does nothing outside.

    This is for CPU work within a phase, as the device is not synchronised.
    """
    watching = _WATCHED.get()
    if watching is None:
        yield
        return
    with watching.timed(name):
        yield


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Add the block's seconds to ``name`` inside :func:`watched`, with the GPU work that the block queues.

    >>> with watched() as seconds, phase("scoring"):
    ...     pass
    >>> list(seconds.wall)
    ['scoring']
    """
    synchronise()
    with part(name):
        try:
            yield
        finally:
            synchronise()


@contextmanager
def tokenising() -> Iterator[None]:
    """Time a block as tokenisation, in one thread at a time: a tokenizer stores the settings of a call."""
    with _TOKENISING, part(TOKENISATION):
        yield


@contextmanager
def watched() -> Iterator[Watched]:
    """Yield the seconds of phases and parts that run in the block, in this thread.

    >>> with watched() as seconds:
    ...     with part("tokenisation"):
    ...         pass
    >>> list(seconds.wall)
    ['tokenisation']
    """
    seconds = Watched()
    token = _WATCHED.set(seconds)
    try:
        yield seconds
    finally:
        _WATCHED.reset(token)
