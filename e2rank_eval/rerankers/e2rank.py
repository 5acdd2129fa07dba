"""E2Rank: the query embedded together with its first candidates, cosine to every candidate."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat

from e2rank_eval.configuration import E2RankSettings
from e2rank_eval.encoders.base import Encoder
from e2rank_eval.prompts.truncation import DOCUMENT_WORDS
from e2rank_eval.records import ListwiseInput, Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.vectors import EncodedCandidates, QueryVector, VectorReranker, unit
from e2rank_eval.store.files import sha256_json


class E2RankReranker(VectorReranker):
    """The paper's reranker (section 3.2), on any encoder that embeds a listwise prompt.

    The first ``prompt_documents`` candidates stand in one prompt with the query; all candidates are
    scored by the dot product of their plain document vectors with its vector, in one pass without a
    sliding window. ``prompt: query-only`` scores with the plain query vector instead;
    ``combination: residual`` with unit(weight * plain query vector + listwise vector).
    """

    def __init__(self, encoder: Encoder, settings: E2RankSettings, *, seed: int = 0) -> None:
        super().__init__(encoder)
        self._settings = settings
        self._seed = seed
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "encoder": encoder.fingerprint,
                "document_words": DOCUMENT_WORDS,
                "seed": seed if settings.prompt_order == "shuffled" else None,
            }
        )

    @classmethod
    def from_settings(cls, settings: E2RankSettings, context: RerankContext) -> E2RankReranker:
        prompt = "eval" if settings.prompt == "query-only" else settings.prompt
        encoder = context.models.encoder(
            settings.model, prompt=prompt, document_tokens=settings.document_tokens
        )
        return cls(encoder, settings, seed=context.seed)

    def _query_vectors(
        self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates]
    ) -> list[QueryVector]:
        if self._settings.prompt == "query-only":
            return self._plain_vectors(queries)
        listwise = self._listwise_vectors(queries, candidates)
        if self._settings.combination == "pure":
            return listwise
        return [
            replace(
                one,
                vector=unit(self._settings.weight * plain.vector + one.vector),
                calls=one.calls + plain.calls,
                prompt_tokens=one.prompt_tokens + plain.prompt_tokens,
            )
            for one, plain in zip(listwise, self._plain_vectors(queries), strict=True)
        ]

    def _listwise_vectors(
        self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates]
    ) -> list[QueryVector]:
        inputs = [
            ListwiseInput(query.text, self._in_prompt_order(query, one.texts))
            for query, one in zip(queries, candidates, strict=True)
        ]
        encoded = self._encoder.encode_listwise(inputs)
        prompts = encoded.prompts or repeat(None, len(inputs))
        rows = zip(inputs, encoded.vectors, encoded.tokens, encoded.truncated, prompts, strict=True)
        return [
            QueryVector(unit(vector), 1, tokens, len(given.documents), cut, prompt)
            for given, vector, tokens, cut, prompt in rows
        ]

    def _in_prompt_order(self, query: Query, texts: Sequence[str]) -> tuple[str, ...]:
        """The first ``prompt_documents`` texts as the prompt lists them."""
        listed = list(texts[: self._settings.prompt_documents])
        if self._settings.prompt_order == "reversed":
            listed.reverse()
        elif self._settings.prompt_order == "shuffled":
            # Seeded by the query's id, so that a query's prompt does not depend on the others ranked with it.
            random.Random(f"{self._seed} {query.id}").shuffle(listed)
        return tuple(listed)
