"""Exact dense retrieval: the dot product of every document vector with the query's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings
from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.models.truncation import cut_words
from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.base import DECIMALS, Context, Finder, Hits, Scores, best, best_hits, in_blocks

FAISS_FROM = 200_000
"""Corpus size from which FAISS searches: its heaps then cost less than whole rows of scores."""

_QUERY_BLOCK = 64
_SLACK = 1e-5
"""More than float32 dot products of unit vectors differ by between kernels."""


class DenseSettings(FirstStageSettings):
    """Dense retrieval with the vectors of an encoder."""

    stores_vectors = True

    retriever: Literal["dense"]
    model: Reference

    def build(self, context: Context) -> Finder:
        encoder = context.models.encoder(self.model)
        return context.searching(lambda dataset: Dense(dataset.corpus.values(), encoder))


class Dense:
    """Exact search over one corpus encoded by ``encoder``.

    Either search only proposes; what it proposes is scored again in float64 and rounded to the 6
    decimals that candidate files store. So both give the same result, which no matrix kernel
    changes, and equal scores are in corpus order.
    """

    def __init__(
        self, corpus: Collection[Document], encoder: Encoder, *, faiss_from: int = FAISS_FROM
    ) -> None:
        self._encoder = encoder
        self._vectors = np.empty((len(corpus), encoder.dimension), dtype=np.float32)
        start = 0
        for texts in in_blocks(cut_words(document.contents) for document in corpus):
            self._vectors[start : start + len(texts)] = encoder.encode(texts, "document").vectors
            start += len(texts)
        self._index: Any = None
        if len(corpus) >= faiss_from:
            import faiss

            self._index = faiss.IndexFlatIP(encoder.dimension)
            self._index.add(self._vectors)

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best ``min(depth, corpus size)`` documents of each query; ties are in corpus order."""
        hits: list[Hits] = []
        vectors = self._encoder.encode([query.text for query in queries], "query").vectors
        for start in range(0, len(queries), _QUERY_BLOCK):
            block = vectors[start : start + _QUERY_BLOCK]
            deep = [min(depth, len(self._vectors)) for depth in depths[start : start + _QUERY_BLOCK]]
            if self._index is None:
                proposed = [*map(self._near_the_best, block @ self._vectors.T, deep)]
            else:
                proposed = [*map(self._by_faiss, block, deep)]
            hits += [self._rescored(*one) for one in zip(block, proposed, deep, strict=True)]
        return hits

    @staticmethod
    def _near_the_best(scores: Scores, depth: int) -> NDArray[np.intp]:
        worst = scores[best(scores, depth)[-1]] if depth else np.inf
        return np.flatnonzero(scores >= worst - _SLACK)

    def _by_faiss(self, query: Vectors, depth: int) -> NDArray[np.intp]:
        """Ask for more until what comes last is clearly below rank ``depth``, so that no tie is cut."""
        wanted = min(depth + 16, len(self._vectors))
        while True:
            scores, positions = self._index.search(query[None], wanted)
            whole = wanted == len(self._vectors)
            if depth == 0 or whole or scores[0, -1] < scores[0, depth - 1] - _SLACK:
                return np.sort(positions[0])
            wanted = min(2 * wanted, len(self._vectors))

    def _rescored(self, query: Vectors, positions: NDArray[np.intp], depth: int) -> Hits:
        products = self._vectors[positions].astype(np.float64) * query.astype(np.float64)
        scores = np.round(products.sum(axis=1), DECIMALS) + 0.0  # no -0.0
        hits = best_hits(scores, depth)
        return Hits(tuple(positions[list(hits.positions)].tolist()), hits.scores)


FIRST_STAGES.add("dense", DenseSettings)
