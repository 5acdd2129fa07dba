"""Timing of functions in turns, so that other load affects all alike; medians; GPU synchronisation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from e2rank_eval.models.timing import synchronise


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds of ``work``; a GPU is synchronised before and after."""
    synchronise()
    start = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - start


def medians(works: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: int = 0) -> dict[str, float]:
    """Return median seconds of each function over ``rounds`` in turns, after ``warm_up`` untimed ones."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(warm_up + rounds):
        for name, work in works.items():
            spent = seconds_of(work)
            if number >= warm_up:
                seconds[name].append(spent)
    return {name: statistics.median(times) for name, times in seconds.items()}
