"""Which token sequences run together: batches of one padded length, under a token budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STEP = 16
"""Padded lengths are multiples of this: few distinct shapes, at most 15 wasted positions a sequence."""

BATCH_TOKENS = 4096
"""Padded tokens a batch at most holds (a longer sequence runs alone); more gained nothing on a CPU."""

STABLE_TOKENS = 256
"""Least padded tokens of a batch whose rows must not depend on their company.

Matrix libraries choose their kernel by the shape of the product, and kernels differ in the last bits.
Measured with oneDNN on AVX-512 with 1, 2, 4 and 8 threads: from 208 rows on the choice is constant.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences ``positions`` of the input, padded to ``length``, and so many filler rows below them."""

    positions: tuple[int, ...]
    length: int
    filler: int


def padded_length(tokens: int, window: int) -> int:
    """``tokens`` rounded up to a multiple of :data:`STEP`, at most ``window``."""
    return min(-(-tokens // STEP) * STEP, window)


def plan_batches(
    lengths: Sequence[int], window: int, *, batch_tokens: int = BATCH_TOKENS, least_tokens: int = 0
) -> list[Batch]:
    """Batches that cover every sequence once, longest first (so that memory is asked for at the start).

    Only sequences of one padded length share a batch, so what a sequence is computed with changes
    neither its padding nor, with ``least_tokens`` = :data:`STABLE_TOKENS`, the kernels that run.

    >>> plan_batches([10, 40, 12], window=512)
    [Batch(positions=(1,), length=48, filler=0), Batch(positions=(0, 2), length=16, filler=0)]
    """
    buckets: dict[int, list[int]] = {}
    for position, tokens in enumerate(lengths):
        buckets.setdefault(padded_length(tokens, window), []).append(position)
    batches = []
    for length in sorted(buckets, reverse=True):
        rows = max(1, batch_tokens // length)
        least_rows = -(-least_tokens // length)
        for start in range(0, len(buckets[length]), rows):
            positions = tuple(buckets[length][start : start + rows])
            batches.append(Batch(positions, length, max(0, least_rows - len(positions))))
    return batches
