"""BM25 in Lucene's variant, with title and text in one field ("flat")."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings
from e2rank_eval.records import Document, Query
from e2rank_eval.retrieval.base import Context, Finder, Hits, matching_hits
from e2rank_eval.retrieval.lucene import ANALYSERS, AnalyserName, quantised

_BLOCK = 1 << 20
"""Postings weighted at once, which limits the memory for intermediate values."""


class LexicalSettings(FirstStageSettings):
    """Settings common to BM25 and to first stages that are built on it."""

    k1: float = Field(0.9, ge=0)
    b: float = Field(0.4, ge=0, le=1)
    analyser: AnalyserName = Field(
        "simple", description="lucene: exactly Lucene's EnglishAnalyzer; simple: an approximation of it"
    )


class BM25Settings(LexicalSettings):
    """BM25 in Lucene's form over title and text."""

    retriever: Literal["bm25"]
    quantised_lengths: bool = Field(
        False, description="document lengths rounded to one byte, as in Lucene's index"
    )

    def build(self, context: Context) -> Finder:
        index = QuantisedBM25 if self.quantised_lengths else BM25
        return context.searching(
            lambda dataset: index(dataset.corpus.values(), k1=self.k1, b=self.b, analyser=self.analyser)
        )


class BM25:
    """An in-memory inverted index with exact document lengths, which Lucene rounds to one byte.

    The score of document d is the sum over all term occurrences in the query of
    ``log(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * |d| / mean |d|))``, where N and
    the mean are over documents that have a term, as in Lucene. Documents that share no term with the query
    are not candidates, as in Lucene. The corpus is read once and its texts are not kept; the index takes 8
    bytes for each distinct term of a document, twice that while it is built. Scores are bit-identical to
    those of bm25s with method "lucene", which needs more memory to build its index.
    """

    def __init__(
        self,
        corpus: Iterable[Document],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        analyser: AnalyserName = "simple",
    ) -> None:
        from scipy.sparse import csr_matrix

        self.terms = ANALYSERS[analyser]
        self._vocabulary: dict[str, int] = {}
        terms, counts, starts, lengths = array("i"), array("f"), array("q", [0]), array("d")
        for document in corpus:
            found = Counter(
                self._vocabulary.setdefault(term, len(self._vocabulary))
                for term in self.terms(document.contents)
            )
            terms.extend(found)
            counts.extend(found.values())
            starts.append(len(terms))
            lengths.append(found.total())
        self._size = len(lengths)
        by_term = csr_matrix(
            (np.asarray(counts, np.float32), np.asarray(terms, np.int32), np.asarray(starts)),
            shape=(self._size, max(1, len(self._vocabulary))),
        ).tocsc()
        self._starts, self._documents, self._weights = by_term.indptr, by_term.indices, by_term.data
        self._weigh(np.asarray(lengths), k1, b)

    def _weigh(self, lengths: NDArray[np.float64], k1: float, b: float) -> None:
        """Turn term frequencies into weights, in place."""
        filled = int(np.count_nonzero(lengths))
        mean = lengths.sum() / max(1, filled) or 1.0
        norms, idf = self._norms(lengths, mean, k1, b), self._idf(filled, np.diff(self._starts))
        for start in range(0, len(self._weights), _BLOCK):
            values = self._weights[start : start + _BLOCK]
            terms = np.searchsorted(self._starts, np.arange(start, start + len(values)), side="right") - 1
            # Computed in the precision of the norms; rounded to float32 when stored.
            values[:] = values / (values + norms[self._documents[start : start + _BLOCK]]) * idf[terms]

    def _norms(self, lengths: NDArray[np.float64], mean: float, k1: float, b: float) -> NDArray[Any]:
        """Return ``k1 * (1 - b + b * |d| / mean |d|)`` of every document."""
        return k1 * ((1 - b) + b * lengths / mean)

    def _idf(self, filled: int, frequencies: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return the idf of terms with these document frequencies among ``filled`` documents."""
        distinct, where = np.unique(frequencies, return_inverse=True)
        weights = [log(1 + (filled - n + 0.5) / (n + 0.5)) for n in distinct.tolist()]
        return np.array(weights, dtype=np.float32)[where]

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best matching documents of each query, at most ``depth``; ties are in corpus order."""
        asked = (self.terms(query.text) for query in queries)
        return [
            self._hits(((term, 1.0) for term in terms), depth)
            for terms, depth in zip(asked, depths, strict=True)
        ]

    def _hits(self, weighted: Iterable[tuple[str, float]], depth: int) -> Hits:
        scores = np.zeros(self._size, dtype=np.float32)
        for term, weight in weighted:
            part = self._postings(term)
            scores[self._documents[part]] += np.float32(weight) * self._weights[part]
        return matching_hits(scores, depth)

    def _postings(self, term: str) -> slice:
        number = self._vocabulary.get(term)
        return slice(0, 0) if number is None else slice(self._starts[number], self._starts[number + 1])


class QuantisedBM25(BM25):
    """Lucene's BM25Similarity since version 8, without the constant factor k1 + 1: Anserini's scores.

    Differs from :class:`BM25` in two ways: |d| (not the mean) is rounded down to a length that one byte can
    encode, and all values are float32.
    """

    def _norms(self, lengths: NDArray[np.float64], mean: float, k1: float, b: float) -> NDArray[Any]:
        return (k1 * (1 - b + b * quantised(lengths) / mean)).astype(np.float32)

    def _idf(self, filled: int, frequencies: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        return np.log1p((filled - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best matching documents of each query, at most ``depth``; ties are in corpus order."""
        asked = (Counter(self.terms(query.text)) for query in queries)
        return [self.search_weighted(terms, depth) for terms, depth in zip(asked, depths, strict=True)]

    def search_weighted(self, query: Mapping[str, float], depth: int) -> Hits:
        """Return the best matching documents, at most ``depth``, for a query of term weights."""
        return self._hits(query.items(), depth)

    def document_frequency(self, term: str) -> int:
        """Return the number of documents that contain ``term``."""
        part = self._postings(term)
        return int(part.stop - part.start)


FIRST_STAGES.add("bm25", BM25Settings)
