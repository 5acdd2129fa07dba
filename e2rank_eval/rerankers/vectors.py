"""Base classes of rerankers that encode queries and documents separately, most with one vector each."""

from __future__ import annotations

from abc import abstractmethod
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.models.timing import phase
from e2rank_eval.models.truncation import DOCUMENT_WORDS, cut_words
from e2rank_eval.records import CandidateList, Document, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.scores import COSINE_STEP, order_by_score
from e2rank_eval.store.files import sha256_json

if TYPE_CHECKING:
    from e2rank_eval.models.encoders.representations import TextEncoder

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EncodedCandidates:
    """One query's candidates in first-stage order: their texts after the word limit, and their encodings.

    ``vectors`` are unit vectors [n, d], or n sparse or multi-vector encodings of a :class:`TextEncoder`.
    ``cut[i]`` says whether the word limit or the encoder's token limit cut text i. ``tokens`` counts the
    tokens encoded for this query: each distinct text once, texts encoded ahead not at all.
    """

    texts: tuple[str, ...]
    vectors: Any
    cut: tuple[bool, ...]
    tokens: int


@dataclass(slots=True)
class Work:
    """The statistics of ranking one query so far and, at the end, its ``order``.

    ``listed`` are the positions of the candidates that contributed to its query vectors; ``prompt_cut`` is
    the largest number of texts cut in one prompt; ``prompt`` is the prompt as sent, if there is exactly
    one. ``scores`` are in first-stage order; None where windows were scored with different vectors.
    """

    calls: int = 0
    prompt_tokens: int = 0
    listed: tuple[int, ...] = ()
    prompt_cut: int = 0
    prompt: str | None = None
    order: tuple[int, ...] = ()
    scores: tuple[float, ...] | None = None

    def rank(self, query: Vector, documents: Vectors) -> None:
        """Order all candidates, unit vectors [n, d], by their dot product with ``query`` [d]."""
        self.order, self.scores = order_by_product(query, documents)


@dataclass(frozen=True, slots=True)
class _Stored:
    vector: Any
    tokens: int
    cut: bool


class EncodingReranker(Reranker):
    """Ranks all candidates of a query by encodings that do not depend on the query.

    A family defines how queries are encoded and candidates scored (:meth:`_score`). Every distinct text is
    encoded once per call, and never again after :meth:`encode_documents`. The phases are ``documents``,
    ``prompt`` and ``scoring``.
    """

    _encoder: Encoder | TextEncoder

    stores_documents = True
    """Latency is measured twice: documents encoded online, and their vectors stored."""

    def __init__(self, encoder: Encoder | TextEncoder, settings: RerankerSettings, **deciding: Any) -> None:
        """``deciding`` are values besides settings and encoder that belong to the fingerprint."""
        self._encoder = encoder
        self._stored: dict[str, _Stored] = {}
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "encoder": encoder.fingerprint,
                "document_words": DOCUMENT_WORDS,
                "step": COSINE_STEP,
                **deciding,
            }
        )

    @abstractmethod
    def _score(self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates]) -> list[Work]:
        """Order the candidates of each query, at least one, in the phases prompt and scoring."""

    @abstractmethod
    def _join(self, vectors: Sequence[Any]) -> Any:
        """Return the encodings of several texts in the form that one call of the encoder returns."""

    def encode_documents(self, documents: Sequence[Document]) -> None:
        """Encode documents ahead and keep their encodings in memory, like an index."""
        self._stored |= self._encode(documents)

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries in common batches; an InputError names the document that caused it."""
        nonempty = [(query, one) for query, one in zip(queries, candidates, strict=True) if len(one)]
        with phase("documents"):
            encoded = self._encode_candidates([one for _, one in nonempty])
        work = self._score([query for query, _ in nonempty], encoded) if nonempty else []
        rankings = iter(
            Ranking(one, done.order, _stats(done, texts))
            for (_, one), texts, done in zip(nonempty, encoded, work, strict=True)
        )
        return [next(rankings) if len(one) else Ranking(one, (), QueryStats(scores=())) for one in candidates]

    def _encode(self, documents: Sequence[Document]) -> dict[str, _Stored]:
        """Return the encodings of those ``documents`` that are not stored yet, keyed by their cut text."""
        fresh: dict[str, Document] = {}
        for document in documents:
            text = cut_words(document.contents)
            if text not in self._stored:
                fresh.setdefault(text, document)
        if not fresh:
            return {}
        try:
            encoded = self._encoder.encode(list(fresh), "document")
        except InputError:
            self._raise_named(fresh)
            raise
        return {
            text: _Stored(encoded.vectors[at : at + 1], encoded.tokens[at], encoded.truncated[at] > 0)
            for at, text in enumerate(fresh)
        }

    def _raise_named(self, documents: Mapping[str, Document]) -> None:
        """Raise the InputError of the first document that fails by itself, with its id."""
        for text, document in documents.items():
            try:
                self._encoder.encode([text], "document")
            except InputError as error:
                raise InputError(f"document {document.id!r}: {error.problem}", hint=error.hint) from error

    def _encode_candidates(self, lists: Sequence[CandidateList]) -> list[EncodedCandidates]:
        fresh = self._encode([document for candidates in lists for document in candidates.documents])
        known = ChainMap(fresh, self._stored)
        found = []
        for candidates in lists:
            contents = [document.contents for document in candidates.documents]
            texts = tuple(cut_words(text) for text in contents)
            cut = (
                known[text].cut or len(text) < len(whole) for text, whole in zip(texts, contents, strict=True)
            )
            tokens = sum(fresh[text].tokens for text in set(texts) if text in fresh)
            vectors = self._join([known[text].vector for text in texts])
            found.append(EncodedCandidates(texts, vectors, tuple(cut), tokens))
        return found


class VectorReranker(EncodingReranker):
    """Ranks all candidates of a query by the dot product of their unit vectors with one query vector."""

    _encoder: Encoder

    def _join(self, vectors: Sequence[Vectors]) -> Vectors:
        return np.concatenate(vectors)

    def _plain_vectors(self, queries: Sequence[Query], work: Sequence[Work]) -> list[Vector]:
        """Return each query's own embedding, a unit vector [d]; its tokens are counted in ``work``."""
        encoded = self._encoder.encode([query.text for query in queries], "query")
        for one, tokens in zip(work, encoded.tokens, strict=True):
            one.calls += 1
            one.prompt_tokens += tokens
        return [unit(vector) for vector in encoded.vectors]


def unit(vector: NDArray[np.floating]) -> Vector:
    """Return ``vector`` scaled to length 1, in float64.

    Raises
    ------
    ValueError
        When its length is zero or not finite.
    """
    exact = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(exact))
    if not np.isfinite(length) or length == 0.0:
        raise ValueError(f"a vector of length {length} has no direction")
    return exact / length


def order_by_product(query: Vector, documents: Vectors) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the rows of ``documents`` [n, d] by descending dot product with ``query`` [d], and the scores.

    Both are as :func:`order_by_score` returns them. Products are summed row by row in float64, so that
    equal texts tie exactly at any position.
    """
    return order_by_score((documents.astype(np.float64) * query).sum(axis=1), COSINE_STEP)


def _stats(work: Work, candidates: EncodedCandidates) -> QueryStats:
    # A document has no larger token limit in a prompt than alone, so a document that is cut alone is cut in
    # the prompt too. The maximum includes documents that only the word limit cut, which the encoder does not
    # count; the minimum excludes a cut query, which the encoder counts like a document.
    listed = set(work.listed)
    outside = sum(cut for position, cut in enumerate(candidates.cut) if position not in listed)
    inside = max(min(work.prompt_cut, len(listed)), sum(candidates.cut[position] for position in listed))
    return QueryStats(
        calls=work.calls,
        prompt_tokens=work.prompt_tokens,
        document_tokens=candidates.tokens,
        prompt_documents=len(listed),
        truncated_documents=inside + outside,
        scores=work.scores,
        prompt=work.prompt,
    )
