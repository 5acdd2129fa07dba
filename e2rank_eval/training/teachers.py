"""Teachers of training lists: how well each document answers a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.config import BlendSettings, entries
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.models.loading import ModelProvider
from e2rank_eval.models.truncation import cut_words
from e2rank_eval.progress import track
from e2rank_eval.records import ListwiseInput
from e2rank_eval.retrieval.sparse import SparseEncoder
from e2rank_eval.retrieval.splade import Splade

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Question:
    """A query, the texts of its documents in first-stage order, and the positions of the relevant ones."""

    query: str
    documents: tuple[str, ...]
    positives: tuple[int, ...]


class Teacher(Protocol):
    """Whatever can order the documents of a query."""

    def scores(self, questions: Sequence[Question]) -> list[list[float]]:
        """For each question a score of each document, the higher the better, 6 decimals."""
        ...


class KnowingTeacher:
    """By similarity to unit(q + ``weight`` x unit(mean of the relevant documents' vectors)): Rocchio, told
    the answers.
    """

    def __init__(self, encoder: Encoder, weight: float = 1.0) -> None:
        self._encoder = encoder
        self._weight = weight

    def scores(self, questions: Sequence[Question]) -> list[list[float]]:
        """Raises InputError when no document of a question is known to be relevant."""
        unknown = next((one for one in questions if not one.positives), None)
        if unknown is not None:
            raise InputError(
                f"query {unknown.query[:60]!r} has no known positive", hint='give its line "positives": [1]'
            )
        queries = self._encoder.encode([one.query for one in questions], "query").vectors
        texts = _Texts(questions)
        vectors = self._encoder.encode(texts.distinct, "document").vectors
        return [
            oracle_scores(query, vectors[texts.rows(one)], one.positives, self._weight)
            for one, query in zip(questions, queries, strict=True)
        ]


class BlendedTeacher:
    """A dense and a sparse model together, told nothing: what one misses the other may see.

    Similarity to unit(q + listwise vector of the first documents), as E2Rank's residual has it with
    weight 1, plus ``weight`` times the sparse dot product; both with mean 0 and deviation 1 over the
    query's documents, so that their scales do not matter.
    """

    def __init__(self, encoder: Encoder, sparse: SparseEncoder, settings: BlendSettings) -> None:
        self._encoder = encoder
        self._sparse = sparse
        self._settings = settings

    def scores(self, questions: Sequence[Question]) -> list[list[float]]:
        texts = _Texts(questions)
        dense, sparse = self._dense(questions, texts), self._sparse_scores(questions, texts)
        weight = self._settings.weight
        return [
            [float(one) for one in np.round(standardised(ours) + weight * standardised(theirs), _DECIMALS)]
            for ours, theirs in zip(dense, sparse, strict=True)
        ]

    def _dense(self, questions: Sequence[Question], texts: _Texts) -> list[NDArray[np.float64]]:
        first = self._settings.documents
        queries = self._encoder.encode([one.query for one in questions], "query").vectors
        prompts = [
            ListwiseInput(one.query, tuple(cut_words(text) for text in one.documents[:first]))
            for one in questions
        ]
        enriched = queries.astype(np.float64) + self._encoder.encode_listwise(prompts).vectors
        vectors = self._encoder.encode(texts.distinct, "document").vectors
        return [
            vectors[texts.rows(one)].astype(np.float64) @ row
            for one, row in zip(questions, enriched, strict=True)
        ]

    def _sparse_scores(self, questions: Sequence[Question], texts: _Texts) -> list[NDArray[np.float64]]:
        queries = self._sparse.encode([one.query for one in questions], "query")
        documents = self._sparse.encode(texts.distinct, "document")
        found = []
        for one, query in zip(track(questions, description="ranking lists"), queries, strict=True):
            rows = documents[texts.rows(one)].astype(np.float64)
            found.append(np.asarray((rows @ query.astype(np.float64).T).todense())[:, 0])
        return found


def load_teacher(models: ModelProvider, encoder: str, blend: BlendSettings | None) -> Teacher:
    """The teacher who knows, with vectors of ``encoder``; with ``blend`` it and a sparse model together."""
    if blend is None:
        return KnowingTeacher(models.encoder(encoder))
    sparse = Splade(models.path(blend.sparse), entries.model(blend.sparse))
    return BlendedTeacher(models.encoder(encoder), sparse, blend)


class _Texts:
    """Every document of the questions once, since lists share many, and where each question's are."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.distinct = list(dict.fromkeys(text for one in questions for text in one.documents))
        self._at = {text: row for row, text in enumerate(self.distinct)}

    def rows(self, question: Question) -> list[int]:
        return [self._at[text] for text in question.documents]


def oracle_scores(
    query: Vectors, documents: Vectors, positives: Sequence[int], weight: float = 1.0
) -> list[float]:
    """Similarity of each of ``documents`` [n, d] to unit(q + weight x unit(mean positive)), 6 decimals."""
    mean = documents[list(positives)].astype(np.float64).mean(0)
    target = query.astype(np.float64) + weight * mean / np.linalg.norm(mean)
    return [float(score) for score in np.round(documents @ (target / np.linalg.norm(target)), _DECIMALS)]


def standardised(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean 0 and standard deviation 1; zeros where all scores are equal."""
    spread = scores.std()
    return np.zeros_like(scores) if spread == 0 else (scores - scores.mean()) / spread
