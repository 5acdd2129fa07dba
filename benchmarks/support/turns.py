"""Works that take turns, so that a busy machine slows all sides alike; their medians, and what GPUs need."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock seconds of ``work``, the GPU waited for before and after where there is one."""
    _synchronise()
    start = time.perf_counter()
    work()
    _synchronise()
    return time.perf_counter() - start


def medians(works: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: int = 0) -> dict[str, float]:
    """Median seconds of each work over ``rounds`` in which all take turns, after ``warm_up`` untimed ones."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(warm_up + rounds):
        for name, work in works.items():
            spent = seconds_of(work)
            if number >= warm_up:
                seconds[name].append(spent)
    return {name: statistics.median(times) for name, times in seconds.items()}


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
