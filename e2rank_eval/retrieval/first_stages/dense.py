"""Exact dense retrieval: the dot product of the query vector with every document vector."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings
from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.base import DECIMALS, Context, Finder, Hits, Scores, best, best_hits, text_blocks

SCORES = 1 << 26
"""Number of scores in memory at once (256 MB)."""

_SLACK = 1e-5
"""An upper bound on the differences between kernels in float32 dot products of unit vectors."""


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

    Candidates from the float32 product are scored again in float64 and rounded to the 6 decimals of candidate
    files, so that the result does not depend on the matrix kernel, and equal scores are in corpus order.
    """

    def __init__(self, corpus: Collection[Document], encoder: Encoder) -> None:
        self._encoder = encoder
        self._vectors = np.empty((len(corpus), encoder.dimension), dtype=np.float32)
        start = 0
        for texts in text_blocks(corpus):
            self._vectors[start : start + len(texts)] = encoder.encode(texts, "document").vectors
            start += len(texts)

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best ``min(depth, corpus size)`` documents of each query; ties are in corpus order."""
        hits: list[Hits] = []
        vectors = self._encoder.encode([query.text for query in queries], "query").vectors
        together = max(1, SCORES // len(self._vectors))
        for start in range(0, len(queries), together):
            block = vectors[start : start + together]
            for query, scores, depth in zip(
                block, block @ self._vectors.T, depths[start : start + together], strict=True
            ):
                deep = min(depth, len(self._vectors))
                hits.append(self._rescored(query, self._near_the_best(scores, deep), deep))
        return hits

    @staticmethod
    def _near_the_best(scores: Scores, depth: int) -> NDArray[np.intp]:
        worst = scores[best(scores, depth)[-1]] if depth else np.inf
        return np.flatnonzero(scores >= worst - _SLACK)

    def _rescored(self, query: Vectors, positions: NDArray[np.intp], depth: int) -> Hits:
        products = self._vectors[positions].astype(np.float64) * query.astype(np.float64)
        scores = np.round(products.sum(axis=1), DECIMALS) + 0.0  # no -0.0
        hits = best_hits(scores, depth)
        return Hits(tuple(positions[list(hits.positions)].tolist()), hits.scores)


FIRST_STAGES.add("dense", DenseSettings)
