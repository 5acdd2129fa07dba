"""Pseudo-relevance feedback on vectors (Rocchio): the query moves towards the first-stage top documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from e2rank_eval.config.systems import FAMILIES, Lengths, ModelSettings, Tokens, refuse_unused
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.timing import phase
from e2rank_eval.records import Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.vectors import EncodedCandidates, Vector, VectorReranker, Work, unit


class FeedbackSettings(ModelSettings):
    """Rocchio: the query vector moves towards the mean of its first candidates."""

    own_colour = "#009e73"

    family: Literal["feedback"]
    method: Literal["rocchio", "softmax"] = Field(
        "rocchio", description="softmax: documents more similar to the query weigh more"
    )
    documents: int = Field(3, ge=1, le=1000)
    weight: float = Field(0.5, gt=0, le=100, description="of the documents' mean")
    temperature: float = Field(0.1, gt=0, description="softmax only: of the similarity to the query")

    @model_validator(mode="after")
    def _no_unused_option(self) -> FeedbackSettings:
        refuse_unused(self, "method", self.method, {"temperature": ("softmax",)})
        return self

    def build(self, context: RerankContext) -> FeedbackReranker:
        return FeedbackReranker(
            context.models.encoder(self.model, document_tokens=self.document_tokens), self
        )

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        return Tokens(depth * self.cut(lengths.document) + lengths.query)


class FeedbackReranker(VectorReranker):
    """Scores candidates with unit(q + weight * unit(mean of the first ``documents`` candidates' vectors)).

    This is Rocchio (1971) without the negative term. Compared with E2Rank it shows how much of the gain is
    due to feedback as such. ``method: softmax`` weighs document i in the mean with
    softmax(q . d_i / temperature).
    """

    def __init__(self, encoder: Encoder, settings: FeedbackSettings) -> None:
        super().__init__(encoder, settings)
        self._settings = settings

    def _score(self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates]) -> list[Work]:
        first = [one.vectors[: self._settings.documents].astype(np.float64) for one in candidates]
        work = [Work(listed=tuple(range(len(vectors)))) for vectors in first]
        with phase("prompt"):
            plain = self._plain_vectors(queries, work)
            vectors = [self._expanded(*pair) for pair in zip(plain, first, strict=True)]
        with phase("scoring"):
            for one, vector, texts in zip(work, vectors, candidates, strict=True):
                one.rank(vector, texts.vectors)
        return work

    def _expanded(self, query: Vector, documents: Vector) -> Vector:
        """Return unit(query + weight * unit(mean of documents)) of unit vectors [d] and [n, d]."""
        if self._settings.method == "softmax":
            logits = documents @ query / self._settings.temperature
            # The softmax's denominator is a factor that unit() removes.
            mean = np.exp(logits - logits.max()) @ documents
        else:
            mean = documents.mean(axis=0)
        return unit(query + self._settings.weight * unit(mean))


FAMILIES.add("feedback", FeedbackSettings)
