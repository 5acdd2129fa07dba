"""Sparse and late-interaction reranking: query and candidates are encoded separately, not as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FAMILIES, Lengths, RerankerSettings, Tokens
from e2rank_eval.models.timing import phase
from e2rank_eval.records import Query
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.rerankers.scores import COSINE_STEP, order_by_score
from e2rank_eval.rerankers.vectors import EncodedCandidates, EncodingReranker, Work

if TYPE_CHECKING:
    from e2rank_eval.models.encoders.representations import TextEncoder


class _Settings(RerankerSettings):
    model: Reference

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        return Tokens(depth * lengths.document + lengths.query)


class SparseSettings(_Settings):
    """The dot product of sparse vectors over a vocabulary, as in SPLADE."""

    model_kinds = ("sparse-encoder",)
    own_colour = "#e69f00"

    family: Literal["sparse"]

    def build(self, context: RerankContext) -> Reranker:
        """Load the model; raises InputError as ``load_sparse_encoder`` does."""
        from e2rank_eval.models.encoders.sparse import load_sparse_encoder

        loaded = context.models.loaded(self.model, "sparse-encoder", load_sparse_encoder)
        return SeparateReranker(loaded, self)


class LateInteractionSettings(_Settings):
    """MaxSim between the token vectors of the query and of each candidate, as in ColBERT."""

    model_kinds = ("late-interaction",)
    own_colour = "#56b4e9"

    family: Literal["late-interaction"]

    def build(self, context: RerankContext) -> Reranker:
        """Load the model; raises InputError as ``LateInteraction`` does."""
        from e2rank_eval.models.encoders.representations import LateInteraction

        loaded = context.models.loaded(self.model, "late-interaction", LateInteraction)
        return SeparateReranker(loaded, self)


class SeparateReranker(EncodingReranker):
    """Ranks candidates by the scores of a :class:`TextEncoder`."""

    _encoder: TextEncoder

    def _join(self, vectors: Sequence[Any]) -> Any:
        return self._encoder.join(vectors)

    def _score(self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates]) -> list[Work]:
        with phase("prompt"):
            encoded = self._encoder.encode([query.text for query in queries], "query")
        work = []
        with phase("scoring"):
            for at, documents in enumerate(candidates):
                scores = self._encoder.scores(encoded.vectors[at : at + 1], documents.vectors)
                order, rounded = order_by_score(scores, COSINE_STEP)
                work.append(Work(calls=1, prompt_tokens=encoded.tokens[at], order=order, scores=rounded))
        return work


FAMILIES.add("sparse", SparseSettings)
FAMILIES.add("late-interaction", LateInteractionSettings)
