"""BM25 with document lengths rounded to a byte as Lucene's index keeps them, over a corpus read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval import analysis
from e2rank_eval.retrieval.base import Hits, best
from e2rank_eval.retrieval.postings import Counts, Postings
from e2rank_eval.retrieval.small_float import quantised

_BLOCK = 1 << 24
"""Postings weighed at once, which bounds the memory of intermediate values."""


class QuantisedBM25:
    """Lucene's BM25Similarity without its constant factor k1 + 1, as since Lucene 8: Anserini's own scores.

    As :class:`e2rank_eval.retrieval.bm25.BM25`, but |d| (never the mean) is rounded down to what one
    byte can tell. bm25s takes no lengths from outside, hence an index of our own; it reads the corpus
    once and keeps none of the texts, 8 bytes a posting.
    """

    def __init__(
        self,
        corpus: Iterable[Document],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        analyser: Literal["lucene", "simple"] = "lucene",
    ) -> None:
        self._analyser = analysis.analyser(analyser)
        counts = Counts(self._analyser.terms(document.contents) for document in corpus)
        lengths = counts.lengths
        norms = _norms(lengths, k1, b)
        _weigh(counts, norms, int(np.count_nonzero(lengths)))
        self._postings = Postings(
            counts.vocabulary, counts.starts, counts.documents, counts.values, len(lengths)
        )

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """For each query its best ``min(depth, corpus size)`` documents; equal scores in corpus order."""
        return [self._search_one(query.text, depth) for query, depth in zip(queries, depths, strict=True)]

    def _search_one(self, text: str, depth: int) -> Hits:
        return self.search_weighted(Counter(self._analyser.terms(text)), depth)

    def search_weighted(self, query: Mapping[str, float], depth: int) -> Hits:
        """The best ``min(depth, corpus size)`` documents for terms, each scored ``weight`` times."""
        scores = self._postings.scores(query)
        positions = best(scores, depth)
        return Hits(tuple(positions.tolist()), tuple(scores[positions].tolist()))

    def terms(self, text: str) -> list[str]:
        return self._analyser.terms(text)

    def document_frequency(self, term: str) -> int:
        """How many documents hold ``term``."""
        return self._postings.document_frequency(term)


def _norms(lengths: NDArray[np.float64], k1: float, b: float) -> NDArray[np.float32]:
    mean = lengths.sum() / max(1, np.count_nonzero(lengths))
    return (k1 * (1 - b + b * quantised(lengths) / (mean or 1.0))).astype(np.float32)


def _weigh(counts: Counts, norms: NDArray[np.float32], size: int) -> None:
    """Turn term frequencies into weights, in place."""
    frequencies = np.diff(counts.starts)
    idf = np.log1p((size - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)
    for start in range(0, len(counts.values), _BLOCK):
        part = slice(start, start + _BLOCK)
        values = counts.values[part]
        terms = np.searchsorted(counts.starts, np.arange(start, start + len(values)), side="right") - 1
        values /= values + norms[counts.documents[part]]
        values *= idf[terms]
