"""Batches within a token budget, which is halved when the device runs out of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from e2rank_eval.errors import UnavailableError
from e2rank_eval.progress import say

STEP = 16
"""Padded lengths are multiples of this: few distinct shapes, at most 15 wasted positions a sequence."""

BATCH_TOKENS = 4096
"""Maximum of padded tokens in a batch (a longer sequence runs alone); more gained nothing on a CPU."""

STABLE_TOKENS = 256
"""Minimum of padded tokens in a batch whose rows must not depend on each other.

Matrix libraries choose kernels by the shape of the product, and kernels differ in the last bits. Measured
with oneDNN on AVX-512 with 1, 2, 4 and 8 threads: from 208 rows on the choice is constant.
"""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""Parts of the error messages of CUDA's allocator, and of CPU allocators by platform."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences that run together as ``tokens`` tokens; ``positions`` are their input positions.

    A padded batch has rows of ``length`` tokens, with ``filler`` rows below them; a packed batch is one row
    of ``length`` tokens that ends in ``filler`` tokens.
    """

    positions: tuple[int, ...]
    length: int
    filler: int
    tokens: int


Plan = Callable[[Sequence[int], int], list[Batch]]
"""Return batches for sequences of the given lengths within a token budget, the longest first."""


def padded_length(tokens: int, window: int, step: int = STEP) -> int:
    """Return ``tokens`` rounded up to a multiple of ``step``, at most ``window``."""
    return min(-(-tokens // step) * step, window)


def plan_batches(
    lengths: Sequence[int],
    tokens: int = BATCH_TOKENS,
    *,
    window: int,
    least_tokens: int = 0,
    full: bool = False,
    step: int = STEP,
) -> list[Batch]:
    """Return batches of sequences with the same padded length, a multiple of ``step``.

    The other sequences of a batch then change neither the padding of a sequence nor, with ``least_tokens``
    = :data:`STABLE_TOKENS`, the kernels that run. ``full`` fills every batch up to ``tokens``.

    >>> plan_batches([10, 40, 12], window=512)[1]
    Batch(positions=(0, 2), length=16, filler=0, tokens=32)
    """
    buckets: dict[int, list[int]] = {}
    for position, length in enumerate(lengths):
        buckets.setdefault(padded_length(length, window, step), []).append(position)
    batches = []
    for length in sorted(buckets, reverse=True):
        rows = max(1, tokens // length)
        least_rows = -(-max(least_tokens, tokens if full else 0) // length)
        for start in range(0, len(buckets[length]), rows):
            positions = tuple(buckets[length][start : start + rows])
            filled = max(least_rows, len(positions))
            batches.append(Batch(positions, length, filled - len(positions), filled * length))
    return batches


def padded_rows(
    sequences: Sequence[Sequence[int]], batch: Batch, padding: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and attention mask, int64 [rows, length], of the sequences of a padded ``batch``."""
    ids = torch.full((len(sequences) + batch.filler, batch.length), padding)
    mask = torch.zeros_like(ids)
    mask[:, 0] = 1  # filler rows must attend to some position, or their states would be NaN
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = 1
    return ids, mask


def plan_groups(lengths: Sequence[int], tokens: int) -> list[Batch]:
    """Return batches of sequences of similar length, each padded to its longest sequence.

    Equal lengths keep their order, so that the same lengths always give the same batches.

    >>> [batch.positions for batch in plan_groups([3, 9, 4, 8], 16)]
    [(1,), (3, 2), (0,)]
    """
    groups: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        if groups and (len(groups[-1]) + 1) * lengths[groups[-1][0]] <= tokens:
            groups[-1].append(position)
        else:
            groups.append([position])
    return [Batch(tuple(one), lengths[one[0]], 0, len(one) * lengths[one[0]]) for one in groups]


def run_in_batches(lengths: Sequence[int], plan: Plan, run: Callable[[Batch], None], *, tokens: int) -> None:
    """Call ``run`` with each batch that ``plan`` forms within a budget of ``tokens``, the longest first.

    If a batch runs out of memory, it and all later batches are planned again with half of its tokens as
    budget, which is logged; ``run`` may then be called again for some of its positions.

    Raises
    ------
    UnavailableError
        When the smallest batch that ``plan`` forms of the longest sequence does not fit in memory.
    """

    def planned(left: Sequence[int], budget: int) -> list[Batch]:
        batches = plan([lengths[position] for position in left], budget)
        return [replace(one, positions=tuple(left[place] for place in one.positions)) for one in batches]

    waiting = planned(range(len(lengths)), tokens)
    while waiting:
        batch = waiting[0]
        if _fits(run, batch):
            waiting = waiting[1:]
            continue
        least = plan([lengths[batch.positions[0]]], 1)[0].tokens
        if batch.tokens <= least:
            raise UnavailableError(
                f"{batch.tokens} tokens do not fit in memory; lower document_tokens or the window, or use "
                "a device with more memory"
            )
        budget = max(least, batch.tokens // 2)
        say(f"out of memory with {batch.tokens} tokens in a batch; continuing with up to {budget}")
        waiting = planned([position for one in waiting for position in one.positions], budget)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether ``error`` says that memory ran out, on a GPU or a CPU.

    Only errors of an allocator count. Other GPU errors (such as cuDNN's internal error) may have this cause
    too, but a retry could hide another cause.
    """
    return isinstance(error, torch.OutOfMemoryError) or any(part in str(error) for part in _OUT_OF_MEMORY)


def _fits(run: Callable[[Batch], None], batch: Batch) -> bool:
    try:
        run(batch)
        return True
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    # Outside the except block, as the traceback keeps the tensors that filled the memory.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False
