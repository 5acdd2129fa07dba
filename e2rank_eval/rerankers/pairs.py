"""Rerankers that score each (query, document) pair by itself: what pointwise families have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from e2rank_eval.config.systems import ModelSettings
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker, not_finite, query_too_long, shares
from e2rank_eval.store.files import sha256_file

LOGIT_DECIMALS = 4
"""Batches of other shapes move a float32 logit by some 1e-5, which must decide nothing."""

_TOKEN_BUDGET = {"cpu": 4096, "cuda": 131_072}
_JOINT = 2
"""Tokens kept free for words that the tokenizer splits anew where texts join."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PairScore:
    """``tokens`` counts the whole input that the pair was read as."""

    score: float
    tokens: int


class PairReranker(Reranker):
    """Ranks candidates by a score of the query and each of them, read together.

    A family says how long a document may be (:meth:`_document_limit`) and scores pairs
    (:meth:`_score`). Only documents are cut, never queries. Equal texts of one query are scored once
    and tie. A ranking's ``seconds`` has ``prompt``, ``scoring`` and ``total``.
    """

    @abstractmethod
    def _document_limit(self, query: str) -> int:
        """Return how many tokens a document may have beside ``query``; below 1 where none are left."""

    @abstractmethod
    def _truncate(self, text: str, tokens: int) -> str:
        """Return ``text`` cut after so many tokens."""

    @abstractmethod
    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        """Return the score of each (query, document)."""

    @abstractmethod
    def _synchronise(self) -> None:
        """Wait for the device; does nothing on a CPU."""

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries, their pairs in common batches."""
        clock = PhaseClock(self._synchronise)
        with clock.phase("total"):
            with clock.phase("prompt"):
                texts = [self._texts(query, one) for query, one in zip(queries, candidates, strict=True)]
                distinct = [list(dict.fromkeys(cut)) for cut in texts]
            with clock.phase("scoring"):
                pairs = [(q.text, text) for q, cut in zip(queries, distinct, strict=True) for text in cut]
                scored = iter(self._score(pairs) if pairs else [])
                tables = [dict(zip(cut, islice(scored, len(cut)), strict=True)) for cut in distinct]
        seconds = shares(clock, len(queries))
        return [
            _ranking(one, cut, table, seconds)
            for one, cut, table in zip(candidates, texts, tables, strict=True)
        ]

    def _texts(self, query: Query, candidates: CandidateList) -> list[str]:
        if not len(candidates):
            return []
        limit = self._document_limit(query.text)
        if limit < 1:
            raise query_too_long(query)
        return [self._truncate(document.contents, limit) for document in candidates.documents]


class TorchPairReranker(PairReranker):
    """Scores pairs with a PyTorch model of this process, in batches of similar length.

    Documents are cut to ``document_tokens``, where given, and to what the query leaves of ``window``.
    """

    def __init__(self, model: Any, tokenizer: Any, settings: ModelSettings, *, window: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._window = window
        self._document_tokens = settings.document_tokens or window

    @abstractmethod
    def _inputs(self, pairs: Sequence[Pair]) -> list[tuple[Any, int]]:
        """Return what :meth:`_forward` takes for each pair, and of how many tokens it is."""

    @abstractmethod
    def _forward(self, inputs: list[Any]) -> list[float]:
        """Return the scores of one batch."""

    def _document_limit(self, query: str) -> int:
        (_, taken) = self._inputs([(query, "")])[0]
        return min(self._document_tokens, self._window - taken - _JOINT)

    def _truncate(self, text: str, tokens: int) -> str:
        from e2rank_eval.models.truncation import cut_tokens

        return cut_tokens(self._tokenizer, text, tokens)

    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        from e2rank_eval.models.batching import Batch, plan_groups, run_in_batches

        inputs = self._inputs(pairs)
        scores = [0.0] * len(pairs)

        def run(batch: Batch) -> None:
            found = self._forward([inputs[position][0] for position in batch.positions])
            for position, score in zip(batch.positions, found, strict=True):
                scores[position] = score

        lengths = [tokens for _, tokens in inputs]
        run_in_batches(lengths, plan_groups, run, tokens=_TOKEN_BUDGET[self._model.device.type])
        return [PairScore(score, tokens) for score, tokens in zip(scores, lengths, strict=True)]

    def _synchronise(self) -> None:
        if self._model.device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._model.device)


def _ranking(
    candidates: CandidateList, texts: Sequence[str], scored: dict[str, PairScore], seconds: dict[str, float]
) -> Ranking:
    scores = [round(scored[text].score, LOGIT_DECIMALS) + 0.0 for text in texts]  # no -0.0
    for document, score in zip(candidates.documents, scores, strict=True):
        if not math.isfinite(score):
            raise not_finite(f"the score {score} of query {candidates.query_id!r}, document {document.id!r},")
    stats = QueryStats(
        calls=len(scored),
        prompt_tokens=sum(one.tokens for one in scored.values()),
        truncated_documents=sum(
            text != document.contents for text, document in zip(texts, candidates.documents, strict=True)
        ),
        scores=tuple(scores),
    )
    order = sorted(range(len(scores)), key=lambda position: -scores[position])
    return Ranking(candidates, tuple(order), stats, seconds)


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of everything in ``folder`` that can decide a score, by path within it."""
    files = (path for path in folder.rglob("*") if path.suffix in {".json", ".safetensors", ".txt", ".jinja"})
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(files)}
