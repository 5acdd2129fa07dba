"""An inverted index of weights: how much each term of a query adds to the score of each document."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]


class Counts:
    """How often each term is in each document, gathered document by document in 8 bytes a posting."""

    def __init__(self, documents: Iterable[Iterable[str]]) -> None:
        """Read ``documents`` (terms of each) once, and keep none of them."""
        self.vocabulary: dict[str, int] = {}
        terms, counts, starts, lengths = array("i"), array("f"), array("q", [0]), array("d")
        for document in documents:
            found: dict[int, int] = {}
            for term in document:
                number = self.vocabulary.setdefault(term, len(self.vocabulary))
                found[number] = found.get(number, 0) + 1
            terms.extend(found)
            counts.extend(found.values())
            starts.append(len(terms))
            lengths.append(sum(found.values()))
        shape = (len(starts) - 1, max(1, len(self.vocabulary)))
        by_document = csr_matrix(
            (np.asarray(counts, np.float32), np.asarray(terms, np.int32), np.asarray(starts)), shape=shape
        )
        self.lengths: NDArray[np.float64] = np.asarray(lengths)
        by_term = by_document.tocsc()
        self.starts, self.documents, self.values = by_term.indptr, by_term.indices, by_term.data


class Postings:
    """Weights by term, and the score of every document for a weighted bag of terms."""

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        starts: NDArray[np.signedinteger],
        documents: NDArray[np.signedinteger],
        weights: Floats,
        size: int,
    ) -> None:
        """Term ``number`` weighs ``weights[starts[number] : starts[number + 1]]`` in those documents."""
        self._vocabulary = vocabulary
        self._starts = starts
        self._documents = documents
        self._weights = weights
        self._size = size

    def document_frequency(self, term: str) -> int:
        """How many documents hold ``term``."""
        number = self._vocabulary.get(term)
        return 0 if number is None else int(self._starts[number + 1] - self._starts[number])

    def scores(self, query: Mapping[str, float]) -> Floats:
        """Dot product [corpus size] of each document's weights with the query's; 0 where none is shared."""
        scores = np.zeros(self._size, dtype=np.float32)
        for term, weight in query.items():
            number = self._vocabulary.get(term)
            if number is not None:
                part = slice(self._starts[number], self._starts[number + 1])
                scores[self._documents[part]] += np.float32(weight) * self._weights[part]
        return scores
