"""Feedback on vectors: Rocchio, or the plain average, of the first stage's first documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from e2rank_eval.config import FeedbackSettings
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.models.truncation import DOCUMENT_WORDS
from e2rank_eval.records import Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.vectors import (
    EncodedCandidates,
    QueryVector,
    Scored,
    Vector,
    VectorReranker,
    scored_by,
    unit,
)
from e2rank_eval.store.files import sha256_json


class FeedbackReranker(VectorReranker):
    """Scores candidates with unit(q + weight * unit(mean of the first ``documents`` candidates' vectors)).

    Rocchio (1971) without its negative term, in first-stage order: the classic method that tells how
    much of E2Rank's gain is feedback as such. ``method: softmax`` weighs document i, counted from 0, with
    softmax(q . d_i / temperature - decay * i) in that mean: what the vectors alone can say of relevance.
    ``method: average`` leaves the query out, so that only the documents that the first stage proposes
    are asked (the limit of Rocchio as its weight grows).
    """

    def __init__(self, encoder: Encoder, settings: FeedbackSettings) -> None:
        super().__init__(encoder)
        self._settings = settings
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "encoder": encoder.fingerprint,
                "document_words": DOCUMENT_WORDS,
            }
        )

    @classmethod
    def from_settings(cls, settings: FeedbackSettings, context: RerankContext) -> FeedbackReranker:
        encoder = context.models.encoder(settings.model, document_tokens=settings.document_tokens)
        return cls(encoder, settings)

    def _score(
        self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates], clock: PhaseClock
    ) -> list[Scored]:
        with clock.phase("prompt"):
            vectors = self._query_vectors(queries, candidates)
        with clock.phase("scoring"):
            return scored_by(vectors, candidates)

    def _query_vectors(
        self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates]
    ) -> list[QueryVector]:
        first = [one.vectors[: self._settings.documents].astype(np.float64) for one in candidates]
        listed = [tuple(range(len(vectors))) for vectors in first]
        if self._settings.method == "average":
            means = [unit(vectors.mean(axis=0)) for vectors in first]
            return [QueryVector(mean, 0, 0, used) for mean, used in zip(means, listed, strict=True)]
        return [
            replace(plain, vector=self._expanded(plain.vector, vectors), listed=used)
            for plain, vectors, used in zip(self._plain_vectors(queries), first, listed, strict=True)
        ]

    def _expanded(self, query: Vector, documents: Vector) -> Vector:
        """unit(query + weight * unit(their mean)) of unit vectors [d] and [n, d]."""
        softmax = self._settings.method == "softmax"
        mean = self._softmax_mean(query, documents) if softmax else documents.mean(axis=0)
        return unit(query + self._settings.weight * unit(mean))

    def _softmax_mean(self, query: Vector, documents: Vector) -> Vector:
        """The weighted mean up to a factor, which :func:`unit` takes away."""
        logits = documents @ query / self._settings.temperature
        logits -= self._settings.decay * np.arange(len(documents))
        mean: Vector = np.exp(logits - logits.max()) @ documents
        return mean
