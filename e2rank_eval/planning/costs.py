"""Tokens that a system reads and writes for one query, by its family; what a model then computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from e2rank_eval.config import (
    CrossEncoderSettings,
    E2RankSettings,
    FeedbackSettings,
    ListwiseSettings,
    MonoT5Settings,
    PairwiseSettings,
    PointwiseSettings,
    RerankerSettings,
)

TOKENS_PER_WORD = 1.3
"""English text in a subword vocabulary; rounded, and an assumption."""

CHARACTERS_PER_TOKEN = 4.0
"""The same where a source counts characters; rounded, and an assumption."""

_ID_TOKENS = 4
"""Of one identifier such as ``[12] > `` in a written ranking."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean tokens of a query and of a document, and where they are from.

    ``measured`` on the stored collection, ``stated`` by a source, or ``assumed`` without one.
    """

    query: float
    document: float
    origin: Literal["measured", "stated", "assumed"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """For one query: ``read`` in forward passes over whole inputs, ``written`` one at a time."""

    read: float
    written: float = 0.0


def tokens(settings: RerankerSettings, lengths: Lengths, depth: int) -> Tokens:
    """What reranking one query of ``depth`` candidates takes, documents encoded online, nothing cached."""
    query, document = lengths.query, _cut(settings, lengths.document)
    if isinstance(settings, E2RankSettings):
        prompt = 0.0
        if settings.prompt != "query-only":
            prompt = min(settings.prompt_documents, depth) * document * _windows(settings, depth)
        return Tokens(depth * document + prompt + query)
    if isinstance(settings, FeedbackSettings):
        return Tokens(depth * document + query)
    if isinstance(settings, ListwiseSettings):
        window = depth if settings.strategy == "full-list" else min(settings.window, depth)
        windows = 1 if window == depth else -(-(depth - window) // settings.step) + 1
        written = 1 if settings.decoding == "first-token" else window * _ID_TOKENS
        return Tokens(windows * (window * document + query), windows * written)
    if isinstance(settings, PairwiseSettings):
        pairs = min(settings.passes, depth - 1) * (depth - 1) * 2
        return Tokens(pairs * (2 * document + query), pairs)
    if isinstance(settings, CrossEncoderSettings | PointwiseSettings | MonoT5Settings):
        return Tokens(depth * (document + query))
    return Tokens(0.0)


def flops(parameters: float, used: Tokens) -> float:
    """2 x parameters x tokens: a forward pass, attention left out (Kaplan et al. 2020, arXiv 2001.08361).

    Kaplan et al. count no embeddings; ``parameters`` are all that a registry entry states, so more.
    """
    return 2 * parameters * (used.read + used.written)


def _windows(settings: E2RankSettings, depth: int) -> int:
    if settings.step is None:
        return settings.passes
    beyond = max(0, depth - settings.prompt_documents)
    return settings.passes * (-(-beyond // settings.step) + 1)


def _cut(settings: RerankerSettings, document: float) -> float:
    limit = getattr(settings, "document_tokens", None)
    return min(document, limit) if limit else document
