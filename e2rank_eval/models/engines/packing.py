"""Padding-free (packed) sequences on a CPU: several in one row, each attending only to itself."""

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
"""Tokens of one row (a longer sequence runs alone): 4,096 exceed the CPU's caches, 1,024 gained nothing."""

ARCHITECTURES = frozenset({"bert", "llama", "qwen3", "roberta", "xlm-roberta"})
"""Architectures whose packed vectors were compared with unpacked ones; all others are padded."""

ROTATIONS = frozenset({"default", "linear", "dynamic", "yarn", "llama3"})
"""Types of rotary positions whose angles do not depend on other sequences (``longrope``'s do)."""

_ATTENTION = "within_sequences"


def can_pack(model: Any) -> bool:
    """Return whether ``model`` runs packed sequences: on a CPU, with the same states as unpacked.

    On a GPU each sequence's attention would be a separate kernel, which costs more than padding.
    """
    config = model.config
    rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    return bool(
        config.model_type in ARCHITECTURES
        and model.device.type == "cpu"
        and getattr(config, "sliding_window", None) is None
        # transformers implements is_causal: false in the mask, which is not built here.
        and getattr(config, "is_causal", True)
        and rotation in ROTATIONS
        and not getattr(config, "chunk_size_feed_forward", 0)
    )


def plan_packs(lengths: Sequence[int], tokens: int = PACK_TOKENS, *, least_tokens: int = 0) -> list[Batch]:
    """Return rows of at most ``tokens`` tokens that cover every sequence once, the longest first.

    With ``least_tokens`` each row is filled up to that number, and to a multiple of :data:`STEP`, so that
    few shapes occur.

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
    """Return the arguments of a model inside :func:`within_sequences`, for sequences of token ids.

    ``first`` is the position of each sequence's first token. Ids and positions are int64 [1, tokens];
    ``runs`` are (count, length) of consecutive sequences of equal length, and cover all tokens. Each filler
    token is a sequence by itself, so that no filler exceeds the model's positions.
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
    """Within the block ``model`` takes :func:`packed_inputs` and nothing else; one thread at a time.

    This changes the configuration of ``model``, which other modules may share.
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
    attention_mask: torch.Tensor | None,  # noqa: ARG001 - transformers passes it; None for this attention
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
