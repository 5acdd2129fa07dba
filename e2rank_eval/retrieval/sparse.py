"""Learned sparse retrieval: the dot product of every document's sparse vector with the query's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from scipy.sparse import csr_matrix, vstack

from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.base import Hits, best, texts_in_blocks

_DECIMALS = 6


class SparseEncoder(Protocol):
    """Turns texts into sparse vectors."""

    def encode(self, texts: Sequence[str], kind: Literal["document", "query"]) -> csr_matrix:
        """Vectors [n, vocabulary]."""
        ...


class Sparse:
    """Exact search over one corpus encoded by ``encoder``.

    Scores are summed in float64 and rounded to the 6 decimals that candidate files store. As with
    BM25, documents that share no entry with the query score 0 and follow in corpus order.
    """

    def __init__(self, corpus: Iterable[Document], encoder: SparseEncoder) -> None:
        self._encoder = encoder
        blocks = [encoder.encode(texts, "document") for texts in texts_in_blocks(corpus)]
        self._documents = vstack(blocks, format="csr")

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """For each query its best ``min(depth, corpus size)`` documents; equal scores in corpus order."""
        vectors = self._encoder.encode([query.text for query in queries], "query")
        return [self._search_one(vector, depth) for vector, depth in zip(vectors, depths, strict=True)]

    def _search_one(self, query: Any, depth: int) -> Hits:
        exact = np.asarray(query.astype(np.float64).todense()).ravel()
        scores = np.round(self._documents @ exact, _DECIMALS)
        positions = best(scores, depth)
        return Hits(tuple(positions.tolist()), tuple(scores[positions].tolist()))
