"""BM25 over one corpus: Lucene's variant, "flat" title and text in one field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import bm25s
import numpy as np

from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval import analysis
from e2rank_eval.retrieval.base import Hits, best


class BM25:
    """bm25s with method "lucene" (exact document lengths, where Lucene rounds them to a byte).

    The score of document d is the sum over the query's terms, repeated ones repeatedly, of
    ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|))``, N and
    the mean taken over documents that have a term, as Lucene does. A document that shares no term
    with the query scores 0. Such documents, in corpus order, follow the matching ones where fewer
    than ``depth`` match: every system then reranks lists of one length.
    """

    def __init__(
        self,
        corpus: Sequence[Document],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        analyser: Literal["lucene", "simple"] = "simple",
    ) -> None:
        self._size = len(corpus)
        self._analyser = analysis.analyser(analyser)
        self._index = bm25s.BM25(method="lucene", k1=k1, b=b)
        terms = [self._analyser.terms(document.contents) for document in corpus]
        self._vocabulary = {term for document in terms for term in document}
        self._filled = [position for position, document in enumerate(terms) if document]
        if self._filled:
            self._index.index([terms[position] for position in self._filled], show_progress=False)

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """For each query its best ``min(depth, corpus size)`` documents; equal scores in corpus order."""
        return [self._search_one(query.text, depth) for query, depth in zip(queries, depths, strict=True)]

    def _search_one(self, text: str, depth: int) -> Hits:
        terms = [term for term in self._analyser.terms(text) if term in self._vocabulary]
        scores = np.zeros(self._size, dtype=np.float32)
        if terms:
            scores[self._filled] = self._index.get_scores(terms)
        positions = best(scores, depth)
        return Hits(tuple(positions.tolist()), tuple(scores[positions].tolist()))
