"""Clocks: for the phases of one ranking, synchronised with the device, and for parts marked deep within."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TOKENISATION = "tokenisation"

_PARTS: ContextVar[dict[str, float] | None] = ContextVar("parts", default=None)


def _nothing() -> None:
    return None


class PhaseClock:
    """Adds up wall-clock seconds by phase name.

    ``synchronise`` is called before and after every phase, so that work queued on a GPU is
    counted where it was caused (pass ``torch.cuda.synchronize`` there; nothing on a CPU).

    >>> clock = PhaseClock()
    >>> with clock.phase("scoring"):
    ...     pass
    >>> sorted(clock.seconds)
    ['scoring']
    """

    def __init__(self, synchronise: Callable[[], None] = _nothing) -> None:
        self._synchronise = synchronise
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._synchronise()
        start = time.perf_counter()
        try:
            yield
        finally:
            self._synchronise()
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@contextmanager
def part(name: str) -> Iterator[None]:
    """Add the block's wall-clock seconds to ``name`` where :func:`watched_parts` watches; costs nothing else.

    For work of the CPU that is not a phase of its own: the device is not waited for.
    """
    watched = _PARTS.get()
    if watched is None:
        yield
        return
    start = time.perf_counter()
    try:
        yield
    finally:
        watched[name] = watched.get(name, 0.0) + time.perf_counter() - start


@contextmanager
def watched_parts() -> Iterator[dict[str, float]]:
    """Seconds by name of the parts that run within the block, in this thread.

    >>> with watched_parts() as seconds:
    ...     with part("tokenisation"):
    ...         pass
    >>> list(seconds)
    ['tokenisation']
    """
    seconds: dict[str, float] = {}
    token = _PARTS.set(seconds)
    try:
        yield seconds
    finally:
        _PARTS.reset(token)
