"""Rerankers that represent the query and each document separately, by other than one vector."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.models.encoders.representations import TextEncoder
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.models.truncation import DOCUMENT_WORDS, cut_words
from e2rank_eval.records import CandidateList, Document, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.scores import COSINE_STEP, order_by_score
from e2rank_eval.store.files import sha256_json


@dataclass(frozen=True, slots=True)
class _Stored:
    vectors: Any
    tokens: int
    truncated: bool


class SeparateReranker(Reranker):
    """Ranks candidates by the score that a :class:`TextEncoder` gives to the query and each of them.

    Every distinct text is encoded once per call, and never again after :meth:`encode_documents`. Its
    phases are ``documents``, ``prompt`` and ``scoring``.
    """

    stores_documents = True
    """Latency is measured twice: documents encoded online, and their vectors stored."""

    def __init__(self, encoder: TextEncoder, settings: RerankerSettings) -> None:
        self._encoder = encoder
        self._stored: dict[str, _Stored] = {}
        deciding = {"settings": settings.deciding(), "encoder": encoder.fingerprint}
        self.fingerprint = sha256_json(deciding | {"document_words": DOCUMENT_WORDS})

    def encode_documents(self, documents: Sequence[Document]) -> None:
        """Encode documents ahead and keep their vectors in memory, as an existing index would."""
        self._stored |= self._encode(documents)

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries; documents that they share are encoded once."""
        asked = [(query, one) for query, one in zip(queries, candidates, strict=True) if len(one)]
        clock = PhaseClock()  # every call of the encoder ends with its results on the CPU
        with clock.phase("documents"):
            fresh = self._encode([document for _, one in asked for document in one.documents])
        with clock.phase("prompt"):
            encoded = self._encoder.encode([query.text for query, _ in asked], "query")
        with clock.phase("scoring"):
            known = ChainMap(fresh, self._stored)
            texts = [[cut_words(document.contents) for document in one.documents] for _, one in asked]
            ordered = [
                self._ordered(encoded.vectors[at : at + 1], [known[text] for text in own])
                for at, own in enumerate(texts)
            ]
        rankings = []
        for at, ((_, one), own, (order, scores)) in enumerate(zip(asked, texts, ordered, strict=True)):
            stats = QueryStats(
                calls=1,
                prompt_tokens=encoded.tokens[at],
                document_tokens=sum(fresh[text].tokens for text in set(own) if text in fresh),
                truncated_documents=sum(
                    known[text].truncated or len(text) < len(document.contents)
                    for text, document in zip(own, one.documents, strict=True)
                ),
                scores=scores,
            )
            rankings.append(Ranking(one, order, stats))
        done = iter(rankings)
        return [next(done) if len(one) else Ranking(one, (), QueryStats(scores=())) for one in candidates]

    def _encode(self, documents: Sequence[Document]) -> dict[str, _Stored]:
        """Encode what is not stored yet among ``documents``; by the text that the encoder is given."""
        cut = dict.fromkeys(cut_words(document.contents) for document in documents)
        texts = [text for text in cut if text not in self._stored]
        found = self._encoder.encode(texts, "document")
        return {
            text: _Stored(found.vectors[at : at + 1], found.tokens[at], found.truncated[at])
            for at, text in enumerate(texts)
        }

    def _ordered(self, query: Any, documents: Sequence[_Stored]) -> tuple[tuple[int, ...], tuple[float, ...]]:
        vectors = self._encoder.join([one.vectors for one in documents])
        return order_by_score(self._encoder.scores(query, vectors), COSINE_STEP)
