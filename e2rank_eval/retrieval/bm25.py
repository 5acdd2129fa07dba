"""BM25 over one corpus: Lucene's variant, "flat" title and text in one field."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Literal

import bm25s
import numpy as np
from bm25s.tokenization import Tokenized

from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval import analysis
from e2rank_eval.retrieval.base import Hits, best


class BM25:
    """bm25s with method "lucene" (exact document lengths, where Lucene rounds them to a byte).

    The score of document d is the sum over the query's terms, repeated ones repeatedly, of
    ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|))``, N and
    the mean taken over documents that have a term, as Lucene does. A document that shares no term
    with the query scores 0. Such documents, in corpus order, follow the matching ones where fewer
    than ``depth`` match: every system then reranks lists of one length. The corpus is read once and none
    of its texts is kept, 4 bytes a term until the index stands.
    """

    def __init__(
        self,
        corpus: Iterable[Document],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        analyser: Literal["lucene", "simple"] = "simple",
    ) -> None:
        self._analyser = analysis.analyser(analyser)
        self._index = bm25s.BM25(method="lucene", k1=k1, b=b)
        self._size = 0
        self._vocabulary: dict[str, int] = {}
        self._filled: list[int] = []
        documents = []
        for document in corpus:
            terms = self._analyser.terms(document.contents)
            if terms:
                self._filled.append(self._size)
                documents.append(array("i", map(self._number, terms)))
            self._size += 1
        if documents:
            self._index.index(Tokenized(documents, self._vocabulary), show_progress=False)

    def _number(self, term: str) -> int:
        return self._vocabulary.setdefault(term, len(self._vocabulary))

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
