"""Work in batches that shrink where the device's memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from e2rank_eval.errors import UnavailableError
from e2rank_eval.language_models.batching import batches
from e2rank_eval.progress import say

_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory")
"""How allocators put it: of CUDA, and of CPUs by platform."""


def run_in_batches(lengths: Sequence[int], budget: int, run: Callable[[list[int]], None]) -> None:
    """Call ``run`` with groups of positions under a ``budget`` of padded tokens, the longest first.

    Where a group runs out of memory, it and all that follow are grouped anew under half of what it
    took, which is said; ``run`` is then called again with some of its positions.

    Raises
    ------
    UnavailableError
        When a single row does not fit.
    """
    waiting = batches(lengths, budget)
    while waiting:
        group = waiting[0]
        if _fits(run, group):
            waiting = waiting[1:]
            continue
        longest = lengths[group[0]]
        if len(group) == 1:
            raise UnavailableError(
                f"one input of {longest} tokens does not fit the memory; "
                "lower document_tokens or the window, or use a device with more memory"
            )
        rows = len(group) // 2
        say(f"out of memory with {len(group)} inputs of up to {longest} tokens; going on with {rows}")
        left = [position for one in waiting for position in one]
        smaller = batches([lengths[position] for position in left], rows * longest)
        waiting = [[left[place] for place in one] for one in smaller]


def _fits(run: Callable[[list[int]], None], group: list[int]) -> bool:
    try:
        run(group)
        return True
    except RuntimeError as error:
        if not any(message in str(error) for message in _MESSAGES):
            raise
    # Only now has the traceback let go of the tensors that filled the memory.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False
