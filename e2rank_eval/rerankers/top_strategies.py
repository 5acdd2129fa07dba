"""Strategies that order the top of a list only: top-down partitioning, setwise heap-sort, bubble passes."""

from __future__ import annotations

from dataclasses import dataclass

from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.strategies import Steps, checked


@dataclass(frozen=True, slots=True)
class TopDown:
    """Top-down partitioning (TDPart, arXiv 2405.14589).

    The first ``size`` documents are ranked and the one at rank ``top`` is the pivot. Every further
    partition of ``size - 1`` documents is ranked together with the pivot; what comes before it joins
    the candidates, what comes after it is done with. The candidates are then ordered in the same way,
    until they fit one window or none beat the pivot. A perfect judge brings the best ``top`` documents
    to the top.

    ``budget`` is the paper's b: once so many candidates beat the pivot, the partitions that are left
    are passed over and keep their order below it, which saves calls and gives up that promise. With
    None, all partitions are ranked.

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
            raise InputError(f"budget {self.budget} is below top {self.top}", hint="raise it or leave it out")

    def run(self, count: int) -> Steps:
        pool, below = list(range(count)), list[int]()
        while len(pool) > self.size:
            ranked = [*checked((yield (window := tuple(pool[: self.size]))), window)]
            pivot, worse, rest = ranked[self.top - 1], ranked[self.top :], pool[self.size :]
            better = ranked[: self.top - 1]
            while rest and not self._is_spent(len(better)):
                window, rest = (pivot, *rest[: self.size - 1]), rest[self.size - 1 :]
                ranked = [*checked((yield window), window)]
                place = ranked.index(pivot)
                better, worse = better + ranked[:place], worse + ranked[place + 1 :]
            below = [pivot, *worse, *rest, *below]
            pool = better
            if len(better) < self.top:
                return (*better, *below)
        if len(pool) > 1:
            pool = [*checked((yield (window := tuple(pool))), window)]
        return (*pool, *below)

    def calls(self, count: int) -> int:
        """At most: a round over n documents takes 1 + ceil((n - size) / (size - 1)) windows.

        It leaves n - 1 - (size - top) candidates or fewer for the next one, and ``budget - 1`` and a
        partition where there is a budget. There is one round only where no document beats the pivot.
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

    def _is_spent(self, candidates: int) -> bool:
        return self.budget is not None and candidates >= self.budget


@dataclass(frozen=True, slots=True)
class Setwise:
    """Heap-sort by the best of a set (arXiv 2310.09497): ``size`` documents are a node and its children.

    Only the first place of a ranked window counts. The ``top`` best are taken from the heap; all
    others stay below them in their former order. A perfect judge brings the best ``top`` to the top.

    Raises
    ------
    InputError
        When ``size`` or ``top`` leaves nothing to do.
    """

    size: int = 4
    top: int = 10

    def __post_init__(self) -> None:
        _at_least_two(self.size)
        if self.top < 1:
            raise InputError(f"top {self.top} orders nothing", hint="give at least 1")

    def run(self, count: int) -> Steps:
        heap, best = list(range(count)), list[int]()
        for root in range((count - 2) // (self.size - 1), -1, -1):
            yield from self._sift(heap, root)
        while heap and len(best) < self.top:
            best.append(heap[0])
            last = heap.pop()
            if heap:
                heap[0] = last
                if len(best) < self.top:
                    yield from self._sift(heap, 0)
        return (*best, *sorted(heap))

    def calls(self, count: int) -> int:
        """At most: the height of every inner node, and that of the root for each document after the first."""
        inner = range((count - 2) // (self.size - 1), -1, -1)
        built = sum(self._height(root, count) for root in inner)
        return built + sum(self._height(0, count - taken) for taken in range(1, min(self.top, count)))

    def _sift(self, heap: list[int], root: int) -> Steps:
        """Let the document at ``root`` sink until it is the best of its node."""
        while children := self._children(root, len(heap)):
            nodes = (root, *children)
            window = tuple(heap[node] for node in nodes)
            best = nodes[window.index(checked((yield window), window)[0])]
            if best == root:
                break
            heap[root], heap[best] = heap[best], heap[root]
            root = best
        return ()

    def _children(self, node: int, count: int) -> range:
        first = node * (self.size - 1) + 1
        return range(first, min(first + self.size - 1, count))

    def _height(self, node: int, count: int) -> int:
        height = 0
        while node * (self.size - 1) + 1 < count:
            node = node * (self.size - 1) + 1
            height += 1
        return height


@dataclass(frozen=True, slots=True)
class Bubble:
    """PRP-sliding (arXiv 2306.17563): each pass carries one document from the bottom up, pair by pair.

    A pass compares neighbours and ends below the documents that earlier passes have settled. A perfect
    judge brings the best ``passes`` documents to the top.

    Raises
    ------
    InputError
        When there is no pass.
    """

    passes: int = 10

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise InputError(f"{self.passes} passes order nothing", hint="give at least 1")

    def run(self, count: int) -> Steps:
        order = list(range(count))
        for settled in range(min(self.passes, count - 1)):
            for upper in range(count - 2, settled - 1, -1):
                pair = (order[upper], order[upper + 1])
                order[upper : upper + 2] = checked((yield pair), pair)
        return tuple(order)

    def calls(self, count: int) -> int:
        """k (n - 1) - k (k - 1) / 2 with k passes, n - 1 at most."""
        passes = max(0, min(self.passes, count - 1))
        return passes * (count - 1) - passes * (passes - 1) // 2


def _at_least_two(size: int) -> None:
    if size < 2:
        raise InputError(f"window {size} compares nothing", hint="give a window of at least 2")
