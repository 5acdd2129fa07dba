"""Simulated judges of windows: consistent ones, and an arbitrary but repeatable one."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Any

from support import peers

Order = Callable[[list[int]], list[int]]
"""Ranks the positions of a window, best first."""


class Counted:
    """A function, and the number of its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self.function(*arguments)


def consistent(keys: Sequence[float]) -> Order:
    return lambda window: sorted(window, key=lambda position: -keys[position])


def whimsical(seed: int) -> Order:
    """An arbitrary order that depends only on the whole window."""

    def order(window: list[int]) -> list[int]:
        digest = hashlib.sha256(repr((seed, list(window))).encode()).digest()
        return random.Random(digest).sample(list(window), len(window))

    return order


def written(places: Sequence[int]) -> str:
    return " > ".join(f"[{place + 1}]" for place in places)


def as_answer(order: Order) -> peers.Answer:
    return lambda asked: [
        written([window.index(position) for position in order(window)]) for _, window in asked
    ]


def better(order: Order) -> peers.IsBetter:
    """Judges the pair in a fixed order, so that the answer does not depend on the position."""
    return lambda one, other: order(sorted((one, other)))[0] == one


def by_pairs(order: Order) -> Order:
    """Return the order of a pair, independent of its positions."""
    is_better = better(order)
    return lambda pair: list(pair) if is_better(*pair) else [pair[1], pair[0]]


def judges(count: int) -> list[Order]:
    keys = random.Random(count).sample(range(1000), count)
    return [
        consistent(keys),
        consistent(range(count)),
        consistent([-k for k in range(count)]),
        whimsical(count),
    ]
