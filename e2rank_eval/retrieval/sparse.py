"""Learned sparse retrieval: the dot product of every document's sparse vector with the query's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from scipy.sparse import csr_matrix

from e2rank_eval.prompts.truncation import cut_words
from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.base import Hits, best

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

    def __init__(self, corpus: Sequence[Document], encoder: SparseEncoder) -> None:
        self._encoder = encoder
        self._documents = encoder.encode([cut_words(document.contents) for document in corpus], "document")

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """For each query its best ``min(depth, corpus size)`` documents; equal scores in corpus order."""
        vectors = self._encoder.encode([query.text for query in queries], "query")
        return [self._search_one(vector, depth) for vector, depth in zip(vectors, depths, strict=True)]

    def _search_one(self, query: Any, depth: int) -> Hits:
        exact = np.asarray(query.astype(np.float64).todense()).ravel()
        scores = np.round(self._documents @ exact, _DECIMALS)
        positions = best(scores, depth)
        return Hits(tuple(positions.tolist()), tuple(scores[positions].tolist()))
