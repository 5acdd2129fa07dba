"""Learned sparse retrieval: the dot product of every document's sparse vector with the query's."""

from __future__ import annotations

from typing import Literal

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings
from e2rank_eval.retrieval.base import Context, Exhaustive, Finder


class SparseRetrievalSettings(FirstStageSettings):
    """Learned sparse retrieval, as with SPLADE."""

    retriever: Literal["sparse"]
    model: Reference

    def build(self, context: Context) -> Finder:
        # Imported here: torch takes seconds to load.
        from e2rank_eval.models.encoders.sparse import load_sparse_encoder

        encoder = load_sparse_encoder(context.models.resolve(self.model, "sparse-encoder"))
        return context.searching(lambda dataset: Exhaustive(dataset.corpus.values(), encoder, matching=True))


FIRST_STAGES.add("sparse", SparseRetrievalSettings)
