"""Which windows of a list are ranked, and in what order; knows nothing of models or texts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from e2rank_eval.errors import InputError

REVISION = 2
"""Of the orders that sliding windows give for one and the same judge: shards are keyed by it."""

Steps = Generator[tuple[int, ...], Sequence[int], tuple[int, ...]]
"""Yields positions to be ranked, is sent a permutation of them, returns the order of all positions."""

RankWindow = Callable[[Sequence[int]], Sequence[int]]


class Strategy(Protocol):
    """A way to order a list of any length by ranking windows of it."""

    def run(self, count: int) -> Steps:
        """Order ``range(count)``, best first.

        Positions are those of the list as it was at first. A generator rather than a loop around a
        callback, so that the windows of several lists can be ranked in one batch.
        """
        ...

    def calls(self, count: int) -> int:
        """How many windows :meth:`run` asks for; at most, where that depends on the answers."""
        ...


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """RankGPT's strategy (arXiv 2304.09542): windows slide from the bottom of the list to its top.

    The first window is the last ``size`` positions; each next one lies ``step`` places higher, so
    that ``size - step`` documents are carried upwards. Where ``step`` does not divide the way up, the
    last window is what remains of it within the list, as in rank_llm and llm4ranking; no window of
    one document is asked for.

    Raises
    ------
    InputError
        When ``size`` is below 2 (nothing to compare) or ``step`` is not in 1..size (an endless loop,
        or documents passed over).
    """

    size: int
    step: int

    def __post_init__(self) -> None:
        if self.size < 2:
            raise InputError(f"window {self.size} compares nothing", hint="give a window of at least 2")
        if not 1 <= self.step <= self.size:
            raise InputError(
                f"step {self.step} is not between 1 and the window {self.size}", hint="fix the step"
            )

    def run(self, count: int) -> Steps:
        order = list(range(count))
        for start, end in self._windows(count):
            window = tuple(order[start:end])
            order[start:end] = checked((yield window), window)
        return tuple(order)

    def calls(self, count: int) -> int:
        return len(self._windows(count))

    def _windows(self, count: int) -> list[tuple[int, int]]:
        """Start and end of each, the lowest first."""
        way_up = range(count, self.size, -self.step)
        ends = [*way_up, way_up[-1] - self.step if way_up else count]
        return [(max(0, end - self.size), end) for end in ends if end > 1]


@dataclass(frozen=True, slots=True)
class FullList:
    """The whole list in one window, for models that read that much."""

    def run(self, count: int) -> Steps:
        window = tuple(range(count))
        return tuple(checked((yield window), window)) if count > 1 else window

    def calls(self, count: int) -> int:
        return int(count > 1)


@dataclass(frozen=True, slots=True)
class Repeated:
    """Another strategy several times, each pass over the order of the last."""

    strategy: Strategy
    passes: int

    def run(self, count: int) -> Steps:
        order = tuple(range(count))
        for _ in range(self.passes):
            steps, answer = self.strategy.run(count), None
            while True:
                try:
                    # A generator is started by sending it None.
                    window = steps.send(answer)  # type: ignore[arg-type]
                except StopIteration as done:
                    order = tuple(order[place] for place in done.value)
                    break
                ranked = yield tuple(order[place] for place in window)
                places = {order[place]: place for place in window}
                answer = [places[position] for position in ranked]
        return order

    def calls(self, count: int) -> int:
        return self.passes * self.strategy.calls(count)


def run_strategy(strategy: Strategy, count: int, rank_window: RankWindow) -> tuple[int, ...]:
    """The order of ``range(count)``, one window at a time.

    Raises
    ------
    ValueError
        When ``rank_window`` returns no permutation of the positions it was given.

    >>> run_strategy(SlidingWindow(size=2, step=1), 3, lambda window: sorted(window, reverse=True))
    (2, 0, 1)
    """
    return run_together(
        strategy, [count], lambda windows: [rank_window(positions) for _, positions in windows]
    )[0]


def run_together(
    strategy: Strategy,
    counts: Sequence[int],
    rank_windows: Callable[[Sequence[tuple[int, tuple[int, ...]]]], Sequence[Sequence[int]]],
) -> list[tuple[int, ...]]:
    """The orders of several lists, in lock-step.

    ``rank_windows`` is given ``(list, positions)`` pairs, the next window of every list that still
    has one, and returns a permutation of each one's positions.
    """
    lists = [_Progress(strategy.run(count)) for count in counts]
    while pending := [(number, one.window) for number, one in enumerate(lists) if one.window]:
        ranked = rank_windows(pending)
        for (number, _), answer in zip(pending, ranked, strict=True):
            lists[number].advance(answer)
    return [one.order for one in lists]


class _Progress:
    """How far one list has come: the window that waits to be ranked, or the order once none does."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.window: tuple[int, ...] = ()
        self.order: tuple[int, ...] = ()
        self.advance(None)

    def advance(self, ranked: Sequence[int] | None) -> None:
        try:
            # A generator is started by sending it None.
            self.window = self._steps.send(ranked)  # type: ignore[arg-type]
        except StopIteration as done:
            self.window, self.order = (), done.value


def checked(ranked: Sequence[int], window: Sequence[int]) -> Sequence[int]:
    """``ranked``; raises ValueError where it is no permutation of ``window``."""
    if sorted(ranked) != sorted(window):
        raise ValueError(f"{list(ranked)} is no permutation of the window {list(window)}")
    return ranked
