"""Clocks: of the phases of one ranking, synchronised with the device, and of parts marked deep within."""

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
    """Seconds by name of phases and parts: ``wall``, and ``cpu``, the process time of all threads."""

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


def _nothing() -> None:
    return None


@contextmanager
def part(name: str) -> Iterator[None]:
    """Add the block's seconds to ``name`` where :func:`watched` watches; costs nothing else.

    For work of the CPU that is not a phase of its own: the device is not waited for.
    """
    watching = _WATCHED.get()
    if watching is None:
        yield
        return
    with watching.timed(name):
        yield


class PhaseClock:
    """Times the phases of a ranking for whoever watches (:func:`watched`).

    ``synchronise`` is called before and after every phase, so that work queued on a GPU is
    counted where it was caused (pass ``torch.cuda.synchronize`` there; nothing on a CPU).

    >>> with watched() as seconds, PhaseClock().phase("scoring"):
    ...     pass
    >>> list(seconds.wall)
    ['scoring']
    """

    def __init__(self, synchronise: Callable[[], None] = _nothing) -> None:
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
    """Mark a block as tokenisation, for one thread at a time: a tokenizer holds the settings of one call."""
    with _TOKENISING, part(TOKENISATION):
        yield


@contextmanager
def watched() -> Iterator[Watched]:
    """Yield the seconds of the phases and parts that run within the block, in this thread.

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
