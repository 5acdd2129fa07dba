"""Exact dense retrieval: the dot product of every document vector with the query's."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.base import Hits, best, texts_in_blocks

FAISS_FROM = 200_000
"""Corpus size from which FAISS searches: its heaps then cost less than whole rows of scores."""

_QUERY_BLOCK = 64
_SLACK = 1e-5
"""More than float32 dot products of unit vectors differ by between kernels."""

_DECIMALS = 6


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
        for texts in texts_in_blocks(corpus):
            self._vectors[start : start + len(texts)] = encoder.encode(texts, "document").vectors
            start += len(texts)
        self._index: faiss.IndexFlatIP | None = None
        if len(corpus) >= faiss_from:
            self._index = faiss.IndexFlatIP(encoder.dimension)
            self._index.add(self._vectors)

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """For each query its best ``min(depth, corpus size)`` documents; equal scores in corpus order."""
        hits: list[Hits] = []
        vectors = self._encoder.encode([query.text for query in queries], "query").vectors
        for start in range(0, len(queries), _QUERY_BLOCK):
            block = vectors[start : start + _QUERY_BLOCK]
            deep = [min(depth, len(self._vectors)) for depth in depths[start : start + _QUERY_BLOCK]]
            proposed = self._by_matrix(block, deep) if self._index is None else self._by_faiss(block, deep)
            hits += [self._rescored(*one) for one in zip(block, proposed, deep, strict=True)]
        return hits

    def _by_matrix(self, queries: Vectors, depths: Sequence[int]) -> list[NDArray[np.intp]]:
        proposed = []
        for scores, depth in zip(queries @ self._vectors.T, depths, strict=True):
            worst = scores[best(scores, depth)[-1]] if depth else np.inf
            proposed.append(np.flatnonzero(scores >= worst - _SLACK))
        return proposed

    def _by_faiss(self, queries: Vectors, depths: Sequence[int]) -> list[NDArray[np.intp]]:
        assert self._index is not None
        return [self._by_faiss_one(query[None], depth) for query, depth in zip(queries, depths, strict=True)]

    def _by_faiss_one(self, query: Vectors, depth: int) -> NDArray[np.intp]:
        """Ask for more until what comes last lies clearly below rank ``depth``, so that no tie is cut."""
        assert self._index is not None
        wanted = min(depth + 16, len(self._vectors))
        while True:
            scores, positions = self._index.search(query, wanted)
            whole = wanted == len(self._vectors)
            if depth == 0 or whole or scores[0, -1] < scores[0, depth - 1] - _SLACK:
                return np.sort(positions[0])
            wanted = min(2 * wanted, len(self._vectors))

    def _rescored(self, query: Vectors, positions: NDArray[np.intp], depth: int) -> Hits:
        products = self._vectors[positions].astype(np.float64) * query.astype(np.float64)
        scores = np.round(products.sum(axis=1), _DECIMALS) + 0.0  # no -0.0
        order = best(scores, depth)
        return Hits(tuple(positions[order].tolist()), tuple(scores[order].tolist()))
