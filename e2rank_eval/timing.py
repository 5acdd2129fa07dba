"""A clock for the phases of one ranking, synchronised with the device around each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
