"""Inputs of similar length in batches that shrink where the device's memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from e2rank_eval.models.language_models.batching import batches
from e2rank_eval.models.memory import run_shrinking, smaller


def run_in_batches(lengths: Sequence[int], budget: int, run: Callable[[list[int]], None]) -> None:
    """Call ``run`` with groups of positions under a ``budget`` of padded tokens, the longest first.

    Where a group runs out of memory, it and all that follow are grouped anew under half of what it
    took, which is said; ``run`` is then called again with some of its positions.

    Raises
    ------
    UnavailableError
        When a single row does not fit.
    """

    def shrink(waiting: Sequence[list[int]]) -> list[list[int]]:
        longest = lengths[waiting[0][0]]
        left = [position for group in waiting for position in group]
        tokens = smaller(len(waiting[0]), longest) * longest
        grouped = batches([lengths[position] for position in left], tokens)
        return [[left[place] for place in group] for group in grouped]

    run_shrinking(batches(lengths, budget), run, shrink)
