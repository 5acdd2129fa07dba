"""Timers of the phases of a ranking, synchronised with the device, and of parts such as tokenisation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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


class PhaseClock:
    """Times the phases of a ranking inside :func:`watched`.

    ``synchronise`` is called before and after every phase, so that queued GPU work counts in the phase that
    queued it (pass ``torch.cuda.synchronize`` for a GPU, nothing for a CPU).

    >>> with watched() as seconds, PhaseClock().phase("scoring"):
    ...     pass
    >>> list(seconds.wall)
    ['scoring']
    """

    def __init__(self, synchronise: Callable[[], None] = lambda: None) -> None:
        self._synchronise = synchronise

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._synchronise()
        with part(name):
            try:
                yield
            finally:
                self._synchronise()


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
