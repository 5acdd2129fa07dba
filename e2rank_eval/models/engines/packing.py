"""Padding-free (packed) sequences on a CPU: one row, in which each sequence attends to itself alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from threading import RLock
from typing import Any

import torch
from transformers import AttentionInterface

from e2rank_eval.models.batching import STEP, Batch

PACK_TOKENS = 2048
"""Tokens of one row (a longer sequence runs alone): 4,096 leave the caches, 1,024 gained nothing."""

ARCHITECTURES = frozenset({"bert", "llama", "qwen3", "roberta", "xlm-roberta"})
"""Those that were compared with one sequence at a time; every other is padded."""

ROTATIONS = frozenset({"default", "linear", "dynamic", "yarn", "llama3"})
"""Rotary positions whose angles do not depend on the other sequences (``longrope``'s do)."""

_ATTENTION = "within_sequences"


def can_pack(model: Any) -> bool:
    """Return whether each sequence of a row gets the states from ``model`` that it gets alone, at less cost.

    On a GPU each sequence's attention would be a kernel of its own, which costs more than padding.
    """
    config = model.config
    rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    return bool(
        config.model_type in ARCHITECTURES
        and model.device.type == "cpu"
        and getattr(config, "sliding_window", None) is None
        # transformers puts this wish into the mask, and none is built here.
        and getattr(config, "is_causal", True)
        and rotation in ROTATIONS
        and not getattr(config, "chunk_size_feed_forward", 0)
    )


def plan_packs(lengths: Sequence[int], tokens: int = PACK_TOKENS, *, least_tokens: int = 0) -> list[Batch]:
    """Plan rows of at most ``tokens`` that cover every sequence once, the longest first.

    With ``least_tokens`` each is filled up to that, and to a multiple of :data:`STEP`, so that few shapes
    occur.

    >>> [(pack.positions, pack.filler) for pack in plan_packs([10, 40, 12], tokens=60, least_tokens=32)]
    [((1, 2), 12), ((0,), 22)]
    """
    rows: list[list[int]] = []
    left = 0
    for position in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        if not rows or lengths[position] > left:
            rows.append([])
            left = tokens
        rows[-1].append(position)
        left -= lengths[position]
    packs = []
    for row in rows:
        used = sum(lengths[position] for position in row)
        filled = -(-max(used, least_tokens) // STEP) * STEP if least_tokens else used
        packs.append(Batch(tuple(row), filled, filled - used, filled))
    return packs


def packed_inputs(
    rows: Sequence[tuple[int, ...]], filler: int, *, padding: int, first: int = 0
) -> dict[str, Any]:
    """Return the arguments of a model that attends :func:`within_sequences`, for token ids ``rows``.

    ``first`` is the position of each one's first token.
    Ids and positions are int64 [1, tokens]; ``runs`` are (count, length) of sequences of one length that
    follow one another, and cover all tokens.
    Filler tokens are sequences of one, so that none is longer than the model has positions for.
    """
    lengths = [len(ids) for ids in rows] + [1] * filler
    return {
        "input_ids": torch.tensor([[token for ids in rows for token in ids] + [padding] * filler]),
        "position_ids": torch.tensor([[first + place for length in lengths for place in range(length)]]),
        "runs": [(len(list(group)), length) for length, group in groupby(lengths)],
    }


_CHANGING = RLock()


@contextmanager
def within_sequences(model: Any) -> Iterator[None]:
    """Make ``model`` take :func:`packed_inputs`, and no others, within the block; one thread at a time.

    It changes the configuration of ``model``, which a module that shares it sees too.
    """
    with _CHANGING:
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
    """Return attention [1, tokens, heads, d] of query [1, heads, tokens, d], by runs of equal lengths."""
    found = query.new_empty(query.shape[2], query.shape[1], value.shape[3])
    start = 0
    for count, length in runs:
        stop = start + count * length
        # [1, heads, tokens, d] -> [count, heads, length, d]
        q, k, v = (
            states[0, :, start:stop].view(-1, count, length, states.shape[3]).transpose(0, 1)
            for states in (query, key, value)
        )
        attended = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, scale=scaling, is_causal=bool(module.is_causal), enable_gqa=q.shape[1] != k.shape[1]
        )
        found[start:stop].view(count, length, *found.shape[1:]).copy_(attended.transpose(1, 2))
        start = stop
    return found[None], None


AttentionInterface.register(_ATTENTION, _attend)
