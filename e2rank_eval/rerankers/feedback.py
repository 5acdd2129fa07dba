"""Rocchio on vectors: pseudo-relevance feedback from the first stage's first documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from e2rank_eval.configuration import FeedbackSettings
from e2rank_eval.encoders.base import Encoder
from e2rank_eval.prompts.truncation import DOCUMENT_WORDS
from e2rank_eval.records import Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.vectors import EncodedCandidates, QueryVector, VectorReranker, unit
from e2rank_eval.store.files import sha256_json


class FeedbackReranker(VectorReranker):
    """Scores candidates with unit(q + weight * unit(mean of the first ``documents`` candidates' vectors)).

    Rocchio (1971) without its negative term, in first-stage order: the classic method that tells how
    much of E2Rank's gain is feedback as such.
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

    def _query_vectors(
        self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates]
    ) -> list[QueryVector]:
        return [
            self._expanded(plain, one)
            for plain, one in zip(self._plain_vectors(queries), candidates, strict=True)
        ]

    def _expanded(self, plain: QueryVector, candidates: EncodedCandidates) -> QueryVector:
        first = candidates.vectors[: self._settings.documents].astype(np.float64)
        expanded = unit(plain.vector + self._settings.weight * unit(first.mean(axis=0)))
        return replace(plain, vector=expanded, prompt_documents=len(first))
