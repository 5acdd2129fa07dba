"""Ranking by a score of each (query, document) pair: what pointwise families have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from e2rank_eval.errors import InputError
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.records import CandidateList, Document, Query, QueryStats, Ranking

_DECIMALS = 4
"""Batches of other shapes move a float32 logit by some 1e-5, which must decide nothing."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PairScore:
    """``tokens`` counts the whole input that the pair was read as."""

    score: float
    tokens: int


class PairReranker(ABC):
    """Ranks candidates by a score of the query and each of them, read together.

    A family says how long a document may be (:meth:`_document_limit`) and scores pairs
    (:meth:`_score`). Only documents are cut, never queries. Equal texts of one query are scored once
    and tie; ties keep first-stage order.
    """

    fingerprint: str

    @abstractmethod
    def _document_limit(self, query: str) -> int:
        """Tokens that a document may have beside ``query``; below 1 where the query leaves no room."""

    @abstractmethod
    def _truncate(self, text: str, tokens: int) -> str:
        """``text`` cut after so many tokens."""

    @abstractmethod
    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        """The score of each (query, document)."""

    @abstractmethod
    def _synchronise(self) -> None:
        """Wait for the device; nothing on a CPU."""

    def prepare(self, documents: Sequence[Document]) -> None:  # noqa: B027 - nothing to do
        """Nothing can be done before the query is known."""

    def rank(self, query: Query, candidates: CandidateList) -> Ranking:
        """Rank one query's candidates; ``seconds`` has ``prompt``, ``scoring`` and ``total``.

        Raises
        ------
        InputError
            When the query leaves no room for documents, or a score is not finite.
        """
        return self.rank_many([query], [candidates])[0]

    def rank_many(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries, their pairs in common batches; each has an even share of the seconds."""
        clock = PhaseClock(self._synchronise)
        with clock.phase("total"):
            with clock.phase("prompt"):
                texts = [self._texts(query, one) for query, one in zip(queries, candidates, strict=True)]
                distinct = [list(dict.fromkeys(cut)) for cut in texts]
            with clock.phase("scoring"):
                pairs = [(q.text, text) for q, cut in zip(queries, distinct, strict=True) for text in cut]
                scored = iter(self._score(pairs) if pairs else [])
                tables = [dict(zip(cut, islice(scored, len(cut)), strict=True)) for cut in distinct]
        seconds = {phase: spent / max(1, len(queries)) for phase, spent in clock.seconds.items()}
        return [
            _ranking(query, one, cut, table, seconds)
            for query, one, cut, table in zip(queries, candidates, texts, tables, strict=True)
        ]

    def _texts(self, query: Query, candidates: CandidateList) -> list[str]:
        if not len(candidates):
            return []
        limit = self._document_limit(query.text)
        if limit < 1:
            raise InputError(
                f"query {query.id!r} fills the model's window and leaves no room for a document",
                hint="shorten the query, or name a model that reads more",
            )
        return [self._truncate(document.contents, limit) for document in candidates.documents]


def _ranking(
    query: Query,
    candidates: CandidateList,
    texts: Sequence[str],
    scored: dict[str, PairScore],
    seconds: dict[str, float],
) -> Ranking:
    scores = [round(scored[text].score, _DECIMALS) + 0.0 for text in texts]  # no -0.0
    for document, score in zip(candidates.documents, scores, strict=True):
        if not math.isfinite(score):
            raise InputError(
                f"the score of query {query.id!r} and document {document.id!r} is {score}",
                hint="check the model's weights, or load it in float32",
            )
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
