"""Planned batches and packs of token sequences, which shrink where the device's memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from e2rank_eval.models.encoders.batching import Batch, plan_batches
from e2rank_eval.models.encoders.packing import PACK_TOKENS, Pack, plan_packs
from e2rank_eval.models.memory import fewer_tokens, run_shrinking, smaller


def run_in_batches(
    lengths: Sequence[int],
    window: int,
    run: Callable[[Batch], None],
    *,
    batch_tokens: int,
    least_tokens: int = 0,
    full: bool = False,
) -> None:
    """Call ``run`` with batches as ``plan_batches`` forms them, the longest first.

    Where a batch runs out of memory, it and all that follow are planned anew under half of what it
    took, which is said; ``run`` is then called again with some of its positions. No batch falls below
    ``least_tokens``, filler included; ``full`` fills every one up to what a batch may hold at that time.

    Raises
    ------
    UnavailableError
        When a single row, or ``least_tokens`` of rows, do not fit.
    """

    def planned(left: Sequence[int], tokens: int) -> list[Batch]:
        batches = plan_batches(
            [lengths[position] for position in left],
            window,
            batch_tokens=tokens,
            least_tokens=max(least_tokens, tokens if full else 0),
        )
        return [replace(one, positions=tuple(left[place] for place in one.positions)) for one in batches]

    def shrink(waiting: Sequence[Batch]) -> list[Batch]:
        first = waiting[0]
        least_rows = max(1, -(-least_tokens // first.length))
        rows = smaller(len(first.positions) + first.filler, first.length, least=least_rows)
        left = [position for batch in waiting for position in batch.positions]
        return planned(left, rows * first.length)

    run_shrinking(planned(range(len(lengths)), batch_tokens), run, shrink)


def run_in_packs(lengths: Sequence[int], run: Callable[[Pack], None], *, least_tokens: int = 0) -> None:
    """Call ``run`` with packs as ``plan_packs`` forms them, which shrink as the batches above do.

    Raises
    ------
    UnavailableError
        When a single sequence, or ``least_tokens``, do not fit.
    """

    def planned(left: Sequence[int], tokens: int) -> list[Pack]:
        packs = plan_packs([lengths[position] for position in left], tokens=tokens, least_tokens=least_tokens)
        return [replace(one, positions=tuple(left[place] for place in one.positions)) for one in packs]

    def shrink(waiting: Sequence[Pack]) -> list[Pack]:
        first = waiting[0]
        took = sum(lengths[position] for position in first.positions) + first.filler
        (least,) = plan_packs([lengths[first.positions[0]]], least_tokens=least_tokens)
        tokens = fewer_tokens(took, least=lengths[first.positions[0]] + least.filler)
        return planned([position for pack in waiting for position in pack.positions], tokens)

    run_shrinking(planned(range(len(lengths)), PACK_TOKENS), run, shrink)
