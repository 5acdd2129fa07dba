"""BM25 over one corpus: Lucene's variant, "flat" title and text in one field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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


class BM25:
    """Lucene's BM25Similarity without its constant factor k1 + 1, as since Lucene 8.

    The score of document d is the sum over the query's terms, repeated ones repeatedly, of
    ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|))``, N and
    the mean taken over documents that have a term. With ``quantised_lengths``, |d| (never the mean)
    is rounded down as Lucene's index stores it, in one byte. A document that shares no term with
    the query scores 0. Such documents, in corpus order, follow the matching ones where fewer than
    ``depth`` match: every system then reranks lists of one length.
    """

    def __init__(
        self,
        corpus: Iterable[Document],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        analyser: Literal["lucene", "simple"] = "simple",
        quantised_lengths: bool = False,
    ) -> None:
        self._analyser = analysis.analyser(analyser)
        counts = Counts(self._analyser.terms(document.contents) for document in corpus)
        lengths = counts.lengths
        norms = _norms(lengths, quantised(lengths) if quantised_lengths else lengths, k1, b)
        _weigh(counts, norms, int(np.count_nonzero(lengths)))
        self._postings = Postings(
            counts.vocabulary, counts.starts, counts.documents, counts.values, len(lengths)
        )

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """For each query its best ``min(depth, corpus size)`` documents; equal scores in corpus order."""
        return [self._search_one(query.text, depth) for query, depth in zip(queries, depths, strict=True)]

    def _search_one(self, text: str, depth: int) -> Hits:
        scores = self._postings.scores(Counter(self._analyser.terms(text)))
        positions = best(scores, depth)
        return Hits(tuple(positions.tolist()), tuple(scores[positions].tolist()))


def _norms(
    exact: NDArray[np.float64], lengths: NDArray[np.float64], k1: float, b: float
) -> NDArray[np.float32]:
    mean = exact.sum() / max(1, np.count_nonzero(exact))
    return (k1 * (1 - b + b * lengths / (mean or 1.0))).astype(np.float32)


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
