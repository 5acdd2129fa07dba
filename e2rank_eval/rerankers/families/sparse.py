"""Sparse reranking: candidates by the dot product of their sparse vectors with the query's, as SPLADE's."""

from __future__ import annotations

from typing import Literal

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FAMILIES, Lengths, RerankerSettings, Tokens
from e2rank_eval.rerankers.base import RerankContext, Reranker


class SparseSettings(RerankerSettings):
    """The dot product of sparse vectors over a vocabulary, as SPLADE's."""

    model_kinds = ("sparse-encoder",)
    own_colour = "#e69f00"

    family: Literal["sparse"]
    model: Reference

    def build(self, context: RerankContext) -> Reranker:
        """Load the model; raises InputError for one that ``load_sparse_encoder`` refuses."""
        from e2rank_eval.models.encoders.sparse import load_sparse_encoder
        from e2rank_eval.rerankers.separate import SeparateReranker

        encoder = load_sparse_encoder(context.models.resolve(self.model, "sparse-encoder"))
        return SeparateReranker(encoder, self)

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        return Tokens(depth * lengths.document + lengths.query)


FAMILIES.add("sparse", SparseSettings)
