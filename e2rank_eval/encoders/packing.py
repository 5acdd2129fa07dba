"""Sequences of any length in one row, without padding, each attending to itself alone (on a CPU)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from transformers import AttentionInterface

PACK_TOKENS = 2048
"""Tokens of one row (a longer sequence runs alone): 4,096 leave the caches, 1,024 gained nothing."""

STEP = 16
"""A row whose vectors must be stable is filled up to a multiple of this, so that few shapes occur."""

ARCHITECTURES = frozenset({"bert", "llama", "qwen3"})
"""Those that were held against one sequence at a time; every other is padded."""

_ATTENTION = "within_sequences"


@dataclass(frozen=True, slots=True)
class Pack:
    """Sequences ``positions`` of the input, one after the other, then so many filler tokens."""

    positions: tuple[int, ...]
    filler: int


def can_pack(model: Any) -> bool:
    """Whether ``model`` is of a known architecture, attends over whole sequences and is on a CPU.

    On a GPU each sequence's attention would be a kernel of its own, which costs more than padding.
    """
    config = model.config
    whole = getattr(config, "sliding_window", None) is None
    return bool(config.model_type in ARCHITECTURES and whole and model.device.type == "cpu")


def plan_packs(lengths: Sequence[int], *, tokens: int = PACK_TOKENS, least_tokens: int = 0) -> list[Pack]:
    """Packs of at most ``tokens`` that cover every sequence once, the longest first.

    With ``least_tokens`` each is filled up to that, and to a multiple of :data:`STEP`.

    >>> plan_packs([10, 40, 12], tokens=60, least_tokens=32)
    [Pack(positions=(1, 2), filler=12), Pack(positions=(0,), filler=22)]
    """
    packs: list[Pack] = []
    taken: list[int] = []
    room = tokens

    def close() -> None:
        used = sum(lengths[position] for position in taken)
        filled = -(-max(used, least_tokens) // STEP) * STEP if least_tokens else used
        packs.append(Pack(tuple(taken), filled - used))

    for position in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        if taken and lengths[position] > room:
            close()
            taken, room = [], tokens
        taken.append(position)
        room -= lengths[position]
    if taken:
        close()
    return packs


def packed_inputs(rows: Sequence[tuple[int, ...]], filler: int, *, padding: int) -> dict[str, Any]:
    """What a model attending :func:`within_sequences` is called with for token ids ``rows``.

    Filler tokens are sequences of one, so that none is longer than the model has positions for.
    """
    lengths = [len(ids) for ids in rows] + [1] * filler
    return {
        "input_ids": torch.tensor([[token for ids in rows for token in ids] + [padding] * filler]),
        "position_ids": torch.tensor([[place for length in lengths for place in range(length)]]),
        "runs": [(len(list(group)), length) for length, group in groupby(lengths)],
    }


@contextmanager
def within_sequences(model: Any) -> Iterator[None]:
    """While open, ``model`` takes :func:`packed_inputs`, and no others."""
    before = model.config._attn_implementation
    model.set_attn_implementation(_ATTENTION)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001 - transformers' own call; none is built for this name
    *,
    runs: Sequence[tuple[int, int]],
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention [1, tokens, heads, d] of query [1, heads, tokens, d], by runs of sequences of one length."""
    found = query.new_empty(query.shape[2], query.shape[1], value.shape[3])
    start = 0
    for count, length in runs:
        stop = start + count * length
        # [1, heads, tokens, d] -> [count, heads, length, d]
        q, k, v = (
            whole[0, :, start:stop].view(-1, count, length, whole.shape[3]).transpose(0, 1)
            for whole in (query, key, value)
        )
        states = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, scale=scaling, is_causal=bool(module.is_causal), enable_gqa=q.shape[1] != k.shape[1]
        )
        found[start:stop].view(count, length, *found.shape[1:]).copy_(states.transpose(1, 2))
        start = stop
    return found[None], None


AttentionInterface.register(_ATTENTION, _attend)
