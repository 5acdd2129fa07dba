"""Learned sparse retrieval: the dot product of every document's sparse vector with the query's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings
from e2rank_eval.models.truncation import cut_words
from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.base import Context, Finder, Hits, best_hits, in_blocks

if TYPE_CHECKING:
    from e2rank_eval.retrieval.splade import Splade

_DECIMALS = 6


class SparseSettings(FirstStageSettings):
    """Learned sparse retrieval, as with SPLADE."""

    retriever: Literal["sparse"]
    model: Reference

    def build(self, context: Context) -> Finder:
        # Imported here: torch takes seconds to load.
        from e2rank_eval.retrieval.splade import Splade

        found = context.models.resolve(self.model, "sparse-encoder")
        encoder = Splade(found.path, found.entry)
        return context.searching(lambda dataset: Sparse(dataset.corpus.values(), encoder))


class Sparse:
    """Exact search over one corpus encoded by ``encoder``.

    Scores are summed in float64 and rounded to the 6 decimals that candidate files store. As with
    BM25, documents that share no entry with the query score 0 and follow in corpus order.
    """

    def __init__(self, corpus: Iterable[Document], encoder: Splade) -> None:
        from scipy.sparse import vstack

        self._encoder = encoder
        texts = in_blocks(cut_words(document.contents) for document in corpus)
        blocks = [encoder.encode(block, "document") for block in texts]
        self._documents = vstack(blocks, format="csr")

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best ``min(depth, corpus size)`` documents of each query; ties are in corpus order."""
        vectors = self._encoder.encode([query.text for query in queries], "query")
        return [self._search_one(vector, depth) for vector, depth in zip(vectors, depths, strict=True)]

    def _search_one(self, query: Any, depth: int) -> Hits:
        exact = np.asarray(query.astype(np.float64).todense()).ravel()
        return best_hits(np.round(self._documents @ exact, _DECIMALS), depth)


FIRST_STAGES.add("sparse", SparseSettings)
