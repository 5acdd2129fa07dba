"""Strategies that order a long list by ranking windows of it; independent of models and texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from e2rank_eval.errors import InputError

Steps = Generator[tuple[int, ...], Sequence[int], tuple[int, ...]]
"""Yields the positions of a window, is sent a permutation of them, returns the order of all positions."""

RankWindow = Callable[[Sequence[int]], Sequence[int]]
RankWindows = Callable[[Sequence[tuple[int, tuple[int, ...]]]], Sequence[Sequence[int]]]


class Strategy(ABC):
    """A way to order a list of any length by ranking windows of it."""

    @abstractmethod
    def run(self, count: int) -> Steps:
        """Order ``range(count)``, best first.

        Positions refer to the original list. This is a generator, not a loop around a callback, so that the
        windows of several lists can be ranked in one batch.
        """

    def calls(self, count: int) -> int:
        """Return the maximum number of windows that :meth:`run` yields.

        It is reached when the first document of every window is ranked last.
        """
        asked = 0

        def worst(window: Sequence[int]) -> Sequence[int]:
            nonlocal asked
            asked += 1
            return [*window[1:], window[0]]

        run_strategy(self, count, worst)
        return asked


def run_strategy(strategy: Strategy, count: int, rank_window: RankWindow) -> tuple[int, ...]:
    """Return the order of ``range(count)``, one window at a time; raises as :func:`run_together` does.

    >>> run_strategy(SlidingWindow(size=2, step=1), 3, lambda window: sorted(window, reverse=True))
    (2, 0, 1)
    """
    return run_together(strategy, [count], lambda windows: [rank_window(window) for _, window in windows])[0]


def run_together(
    strategy: Strategy, counts: Sequence[int], rank_windows: RankWindows
) -> list[tuple[int, ...]]:
    """Return the orders of several lists, ranked in lock-step.

    ``rank_windows`` is given ``(list, positions)`` pairs, the next window of every unfinished list, and
    returns a permutation of the positions of each.

    Raises
    ------
    ValueError
        When ``rank_windows`` returns something other than permutations.
    """
    steps = [strategy.run(count) for count in counts]
    pending: dict[int, tuple[int, ...]] = {}
    orders: dict[int, tuple[int, ...]] = {}

    def advance(number: int, ranked: Sequence[int] | None) -> None:
        window = pending.pop(number, ())
        if sorted(ranked or ()) != sorted(window):
            raise ValueError(f"{ranked} is not a permutation of the window {list(window)}")
        try:
            # A generator is started by sending it None.
            pending[number] = steps[number].send(ranked)  # type: ignore[arg-type]
        except StopIteration as done:
            orders[number] = done.value

    for number in range(len(counts)):
        advance(number, None)
    while pending:
        windows = sorted(pending.items())
        for (number, _), ranked in zip(windows, rank_windows(windows), strict=True):
            advance(number, ranked)
    return [orders[number] for number in range(len(counts))]


@dataclass(frozen=True, slots=True)
class SlidingWindow(Strategy):
    """RankGPT's strategy (arXiv 2304.09542): windows slide from the bottom of the list to its top.

    The first window is the last ``size`` positions; each next one starts ``step`` positions higher, so
    that ``size - step`` documents are carried upwards. Where ``step`` does not divide the distance to the
    top, the last window is clipped at the top of the list, as in rank_llm and llm4ranking; windows of one
    document are skipped.

    Raises
    ------
    InputError
        When ``size`` is below 2 (nothing to compare) or ``step`` is not in 1..size (an endless loop,
        or documents skipped).
    """

    size: int
    step: int

    def __post_init__(self) -> None:
        _at_least_two(self.size)
        if not 1 <= self.step <= self.size:
            raise InputError(
                f"step {self.step} is not between 1 and the window {self.size}", hint="fix the step"
            )

    def run(self, count: int) -> Steps:
        order, end = list(range(count)), count
        while end > 1:
            start = max(0, end - self.size)
            order[start:end] = yield tuple(order[start:end])
            end = end - self.step if start else 0
        return tuple(order)


@dataclass(frozen=True, slots=True)
class FullList(Strategy):
    """The whole list in one window; lists of fewer than ``least`` documents keep their order."""

    least: int = 2

    def run(self, count: int) -> Steps:
        window = tuple(range(count))
        return tuple((yield window)) if count >= self.least else window


@dataclass(frozen=True, slots=True)
class TopDown(Strategy):
    """Top-down partitioning (TDPart, arXiv 2405.14589).

    The first ``size`` documents are ranked and the one at rank ``top`` is the pivot. Every further
    partition of ``size - 1`` documents is ranked together with the pivot: documents above it join the
    candidates, documents below it are not ranked again. The candidates are then partitioned in the same
    way, until they fit one window or none beats the pivot. With a perfect judge the best ``top`` documents
    reach the top.

    ``budget`` is the paper's b: once that many candidates beat the pivot, the remaining partitions are
    skipped and keep their order below it. This saves calls, but a perfect judge may miss some of the best
    documents. With None, all partitions are ranked.

    Raises
    ------
    InputError
        When ``size`` is below 2, ``top`` not in 1..size, or ``budget`` below ``top``.
    """

    size: int
    top: int = 10
    budget: int | None = None

    def __post_init__(self) -> None:
        _at_least_two(self.size)
        if not 1 <= self.top <= self.size:
            raise InputError(f"top {self.top} is not between 1 and the window {self.size}", hint="fix top")
        if self.budget is not None and self.budget < self.top:
            raise InputError(f"budget {self.budget} is below top {self.top}", hint="raise it or omit it")

    def run(self, count: int) -> Steps:
        pool, below = list(range(count)), list[int]()
        while len(pool) > self.size:
            ranked = [*(yield tuple(pool[: self.size]))]
            pivot, worse, rest = ranked[self.top - 1], ranked[self.top :], pool[self.size :]
            better = ranked[: self.top - 1]
            while rest and not (self.budget is not None and len(better) >= self.budget):
                window, rest = (pivot, *rest[: self.size - 1]), rest[self.size - 1 :]
                ranked = [*(yield window)]
                place = ranked.index(pivot)
                better, worse = better + ranked[:place], worse + ranked[place + 1 :]
            below = [pivot, *worse, *rest, *below]
            pool = better
            if len(better) < self.top:
                return (*better, *below)
        if len(pool) > 1:
            pool = [*(yield tuple(pool))]
        return (*pool, *below)

    def calls(self, count: int) -> int:
        """Return the maximum number of windows, in closed form.

        A round over n documents takes at most 1 + ceil((n - size) / (size - 1)) windows. It leaves at most
        n - 1 - (size - top) candidates for the next round, and with a budget at most
        budget - 1 + (size - 1).
        """
        calls, pool = 0, count
        while pool > self.size:
            left = pool - 1 - (self.size - self.top)
            rest = pool - self.size
            if self.budget is not None:
                left = min(left, self.budget - 1 + self.size - 1)
            calls += 1 - -rest // (self.size - 1)
            pool = left
        return calls + int(pool > 1)


@dataclass(frozen=True, slots=True)
class Setwise(Strategy):
    """Setwise heap sort (arXiv 2310.09497); a window is a node of the heap and its ``size - 1`` children.

    Only the best document of a window is used. The ``top`` best documents are extracted from the heap; all
    others stay below them in their original order. With a perfect judge the best ``top`` reach the top.

    Raises
    ------
    InputError
        When ``size`` is below 2 or ``top`` below 1.
    """

    size: int = 4
    top: int = 10

    def __post_init__(self) -> None:
        _at_least_two(self.size)
        if self.top < 1:
            raise InputError(f"top {self.top} orders nothing", hint="give at least 1")

    def run(self, count: int) -> Steps:
        heap, best = list(range(count)), list[int]()
        for root in range((count - 2) // (self.size - 1), -1, -1):  # the nodes with children, lowest first
            yield from self._sift(heap, root)
        while heap and len(best) < self.top:
            best.append(heap[0])
            last = heap.pop()
            if heap:
                heap[0] = last
                if len(best) < self.top:
                    yield from self._sift(heap, 0)
        return (*best, *sorted(heap))

    def _sift(self, heap: list[int], root: int) -> Steps:
        """Sift the document at ``root`` down until it beats its children."""
        while children := self._children(root, len(heap)):
            nodes = (root, *children)
            window = tuple(heap[node] for node in nodes)
            best = nodes[window.index((yield window)[0])]
            if best == root:
                break
            heap[root], heap[best] = heap[best], heap[root]
            root = best
        return ()

    def _children(self, node: int, count: int) -> range:
        first = node * (self.size - 1) + 1
        return range(first, min(first + self.size - 1, count))


@dataclass(frozen=True, slots=True)
class Bubble(Strategy):
    """PRP-sliding (arXiv 2306.17563): bubble-sort passes from the bottom up over pairs of neighbours.

    Each pass ends below the documents that earlier passes have settled. With a perfect judge the best
    ``passes`` documents reach the top.

    Raises
    ------
    InputError
        When ``passes`` is below 1.
    """

    passes: int = 10

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise InputError(f"{self.passes} passes order nothing", hint="give at least 1")

    def run(self, count: int) -> Steps:
        order = list(range(count))
        for settled in range(min(self.passes, count - 1)):
            for upper in range(count - 2, settled - 1, -1):
                order[upper : upper + 2] = yield (order[upper], order[upper + 1])
        return tuple(order)


def _at_least_two(size: int) -> None:
    if size < 2:
        raise InputError(f"window {size} compares nothing", hint="give a window of at least 2")
