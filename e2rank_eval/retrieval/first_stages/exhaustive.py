"""Sparse and late-interaction retrieval: every document, encoded in memory, is scored for each query."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import (
    DECIMALS,
    Context,
    Finder,
    Hits,
    Retriever,
    best_hits,
    matching_hits,
    text_blocks,
)

if TYPE_CHECKING:
    from e2rank_eval.models.encoders.representations import TextEncoder

MOST_DOCUMENTS = 50_000
"""Limit for late interaction: about 5 GB, for 200 tokens per document and 128 dimensions."""


class SparseRetrievalSettings(FirstStageSettings):
    """Learned sparse retrieval, such as SPLADE."""

    retriever: Literal["sparse"]
    model: Reference

    def build(self, context: Context) -> Finder:
        # Imported here, as below: torch takes seconds to load.
        from e2rank_eval.models.encoders.sparse import load_sparse_encoder

        encoder = context.models.loaded(self.model, "sparse-encoder", load_sparse_encoder)
        return context.searching(lambda dataset: Exhaustive(dataset.corpus.values(), encoder, matching=True))


class LateInteractionRetrievalSettings(FirstStageSettings):
    """Late interaction (ColBERT) over every document of a small corpus."""

    retriever: Literal["late-interaction"]
    model: Reference

    def build(self, context: Context) -> Finder:
        from e2rank_eval.models.encoders.representations import LateInteraction

        encoder = context.models.loaded(self.model, "late-interaction", LateInteraction)

        def searching(dataset: Dataset) -> Retriever:
            if len(dataset.corpus) > MOST_DOCUMENTS:
                raise InputError(
                    f"{dataset.id} has {len(dataset.corpus):,} documents, more than the limit of "
                    f"{MOST_DOCUMENTS:,} for late interaction",
                    hint="rerank another first stage with the family late-interaction",
                )
            return Exhaustive(dataset.corpus.values(), encoder)

        return context.searching(searching)


class Exhaustive:
    """Scores every document of a corpus for each query with ``encoder``.

    With ``matching``, documents with a score of 0 are not returned, as they share no term with the query.
    """

    def __init__(self, corpus: Collection[Document], encoder: TextEncoder, *, matching: bool = False) -> None:
        self._encoder = encoder
        self._hits = matching_hits if matching else best_hits
        blocks = text_blocks(corpus)
        self._documents = encoder.join([encoder.encode(texts, "document").vectors for texts in blocks])

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best documents of each query, at most ``depth``; ties are in corpus order.

        Raises
        ------
        InputError
            When a score is not finite.
        """
        vectors = self._encoder.encode([query.text for query in queries], "query").vectors
        hits = []
        for at, (query, depth) in enumerate(zip(queries, depths, strict=True)):
            scores = self._encoder.scores(vectors[at : at + 1], self._documents)
            if not np.isfinite(scores).all():
                raise InputError(
                    f"query {query.id!r}: a score is not finite", hint="check the model's weights and dtype"
                )
            hits.append(self._hits(np.round(scores, DECIMALS) + 0.0, depth))
        return hits


FIRST_STAGES.add("sparse", SparseRetrievalSettings)
FIRST_STAGES.add("late-interaction", LateInteractionRetrievalSettings)
