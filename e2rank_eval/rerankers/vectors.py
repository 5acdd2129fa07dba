"""Ranking by dot product with one query vector: what the families that embed have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder, Vectors
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.models.truncation import cut_words
from e2rank_eval.records import CandidateList, Document, Query, QueryStats, Ranking

Vector = NDArray[np.float64]

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class EncodedCandidates:
    """One query's candidates in first-stage order, as texts cut to words and as unit vectors [n, d].

    ``cut[i]`` says whether the word limit or the encoder's cut text i; ``tokens`` counts what was
    encoded for this query, each distinct text once and prepared ones not at all.
    """

    texts: tuple[str, ...]
    vectors: Vectors
    cut: tuple[bool, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class QueryVector:
    """What candidates are scored against: float64 [d] of unit length, and what making it took.

    ``listed`` are the positions of the candidates that went into it; ``prompt_cut`` counts the texts
    that its prompt cut, or of several prompts the one that cut most.
    """

    vector: Vector
    calls: int
    prompt_tokens: int
    listed: tuple[int, ...] = ()
    prompt_cut: int = 0
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """One query's order, all candidates' scores where a single vector gave them, and what it took."""

    work: QueryVector
    order: tuple[int, ...]
    scores: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class _Stored:
    vector: NDArray[np.float32]
    tokens: int
    cut: bool


class VectorReranker(ABC):
    """Ranks all candidates of a query by the dot product of their vectors with one query vector.

    A family says only how that vector is made and used (:meth:`_score`). Every distinct text is
    encoded once per call, and never again once :meth:`prepare` has seen it.
    """

    fingerprint: str
    stores_documents = True
    """Latency is measured twice: documents encoded online, and their vectors stored."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._prepared: dict[str, _Stored] = {}

    @abstractmethod
    def _score(
        self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates], clock: PhaseClock
    ) -> list[Scored]:
        """Order the candidates of each query, at least one; the clock's phases are prompt and scoring."""

    def prepare(self, documents: Sequence[Document]) -> None:
        """Encode documents ahead and keep their vectors in memory, as an existing index would."""
        self._prepared |= self._encode(documents)

    def rank(self, query: Query, candidates: CandidateList) -> Ranking:
        """Rank one query's candidates; equal scores keep first-stage order.

        ``seconds`` has ``documents``, ``prompt``, ``scoring`` and ``total``.

        Raises
        ------
        InputError
            When the encoder cannot encode an input; names the document if it is one.
        """
        return self.rank_many([query], [candidates])[0]

    def rank_many(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries in common batches; each is given an even share of the seconds."""
        pairs = list(zip(queries, candidates, strict=True))
        filled = [(query, one) for query, one in pairs if len(one)]
        rankings = iter(self._rank_filled([query for query, _ in filled], [one for _, one in filled]))
        return [next(rankings) if len(one) else Ranking(one, (), QueryStats(scores=())) for _, one in pairs]

    def _rank_filled(self, queries: Sequence[Query], lists: Sequence[CandidateList]) -> list[Ranking]:
        clock = PhaseClock(self._encoder.synchronise)
        with clock.phase("total"):
            with clock.phase("documents"):
                encoded = self._encode_candidates(lists)
            scored = self._score(queries, encoded, clock) if queries else []
        seconds = {phase: spent / max(1, len(queries)) for phase, spent in clock.seconds.items()}
        return [
            Ranking(candidates, one.order, _stats(one, texts), seconds)
            for candidates, texts, one in zip(lists, encoded, scored, strict=True)
        ]

    def _encode(self, documents: Sequence[Document]) -> dict[str, _Stored]:
        """What is not prepared yet among ``documents``, by the text that the encoder is given."""
        fresh: dict[str, Document] = {}
        for document in documents:
            text = cut_words(document.contents)
            if text not in self._prepared:
                fresh.setdefault(text, document)
        if not fresh:
            return {}
        try:
            encoded = self._encoder.encode(list(fresh), "document")
        except InputError:
            self._raise_named(fresh)
            raise
        rows = zip(fresh, encoded.vectors, encoded.tokens, encoded.truncated, strict=True)
        return {text: _Stored(vector, tokens, truncated > 0) for text, vector, tokens, truncated in rows}

    def _raise_named(self, documents: Mapping[str, Document]) -> None:
        """Raise again what failed, with the id of the first document that fails by itself."""
        for text, document in documents.items():
            try:
                self._encoder.encode([text], "document")
            except InputError as error:
                raise InputError(f"document {document.id!r}: {error.problem}", hint=error.hint) from error

    def _encode_candidates(self, lists: Sequence[CandidateList]) -> list[EncodedCandidates]:
        fresh = self._encode([document for candidates in lists for document in candidates.documents])
        return [self._look_up(candidates, fresh) for candidates in lists]

    def _look_up(self, candidates: CandidateList, fresh: Mapping[str, _Stored]) -> EncodedCandidates:
        contents = [document.contents for document in candidates.documents]
        texts = [cut_words(text) for text in contents]
        stored = [fresh[text] if text in fresh else self._prepared[text] for text in texts]
        return EncodedCandidates(
            texts=tuple(texts),
            vectors=np.stack([one.vector for one in stored]),
            cut=tuple(
                one.cut or len(text) < len(whole)
                for one, text, whole in zip(stored, texts, contents, strict=True)
            ),
            tokens=sum(fresh[text].tokens for text in set(texts) if text in fresh),
        )

    def _plain_vectors(self, queries: Sequence[Query]) -> list[QueryVector]:
        """Each query embedded by itself."""
        encoded = self._encoder.encode([query.text for query in queries], "query")
        return [
            QueryVector(unit(vector), calls=1, prompt_tokens=tokens)
            for vector, tokens in zip(encoded.vectors, encoded.tokens, strict=True)
        ]


def view(candidates: EncodedCandidates, positions: Sequence[int]) -> EncodedCandidates:
    """The candidates at ``positions``, in that order; their tokens were counted with the whole list."""
    return EncodedCandidates(
        texts=tuple(candidates.texts[position] for position in positions),
        vectors=candidates.vectors[list(positions)],
        cut=tuple(candidates.cut[position] for position in positions),
        tokens=0,
    )


def unit(vector: NDArray[np.floating]) -> Vector:
    """``vector`` at length 1, in float64.

    Raises
    ------
    ValueError
        When its length is zero or not finite, so that it has no direction.
    """
    exact = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(exact))
    if not np.isfinite(length) or length == 0.0:
        raise ValueError(f"a vector of length {length} has no direction")
    return exact / length


def order_by_score(query: Vector, documents: Vectors) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Rows of ``documents`` [n, d] by falling dot product with ``query`` [d], and the products in row order.

    Products are summed row by row in float64 and rounded to the 6 decimals that statistics store: equal
    texts tie exactly wherever they stand, noise of the encoder's batching below that decides
    nothing, and the order can be recomputed from the statistics. Ties keep their order.

    Raises
    ------
    ValueError
        When a product is not finite.
    """
    scores = np.round((documents.astype(np.float64) * query).sum(axis=1), _DECIMALS) + 0.0  # no -0.0
    if not np.isfinite(scores).all():
        raise ValueError(f"the score of candidate {int(np.argmin(np.isfinite(scores))) + 1} is not finite")
    order = np.argsort(-scores, kind="stable")
    return tuple(int(position) for position in order), tuple(float(score) for score in scores)


def scored_by(work: Sequence[QueryVector], candidates: Sequence[EncodedCandidates]) -> list[Scored]:
    """Every query's candidates ordered by its one vector."""
    return [
        Scored(one, *order_by_score(one.vector, texts.vectors))
        for one, texts in zip(work, candidates, strict=True)
    ]


def _stats(scored: Scored, candidates: EncodedCandidates) -> QueryStats:
    # A prompt never gives a document more room than it has by itself, so one cut by itself is cut there too.
    # The maximum adds those that only the word limit cut, which the encoder cannot see; the minimum leaves
    # out a cut query, which the encoder counts like a document.
    work = scored.work
    listed = set(work.listed)
    outside = sum(cut for position, cut in enumerate(candidates.cut) if position not in listed)
    inside = max(min(work.prompt_cut, len(listed)), sum(candidates.cut[position] for position in listed))
    return QueryStats(
        calls=work.calls,
        prompt_tokens=work.prompt_tokens,
        document_tokens=candidates.tokens,
        prompt_documents=len(listed),
        truncated_documents=inside + outside,
        scores=scored.scores,
        prompt=work.prompt,
    )
