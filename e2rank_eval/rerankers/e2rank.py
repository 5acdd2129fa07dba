"""E2Rank: the query embedded together with its first candidates, cosine to every candidate."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import repeat, zip_longest

import numpy as np

from e2rank_eval.config import E2RankSettings
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.models.truncation import DOCUMENT_WORDS
from e2rank_eval.records import ListwiseInput, Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.strategies import REVISION, Repeated, SlidingWindow, run_together
from e2rank_eval.rerankers.vectors import (
    EncodedCandidates,
    QueryVector,
    Scored,
    Vector,
    VectorReranker,
    order_by_score,
    scored_by,
    unit,
    view,
)
from e2rank_eval.store.files import sha256_json


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query and, where a setting needs it, its plain vector."""

    query: Query
    plain: Vector | None


class E2RankReranker(VectorReranker):
    """The paper's reranker (section 3.2), on any encoder that embeds a listwise prompt.

    The first ``prompt_documents`` candidates stand in one prompt with the query; all candidates are
    scored by the dot product of their plain document vectors with its vector, in one pass without a
    sliding window. ``prompt: query-only`` scores with the plain query vector instead;
    ``combination: residual`` with unit(weight * plain query vector + listwise vector).

    Beyond the paper: with ``passes`` above 1 each further prompt lists the first documents of the last
    pass. With ``step`` a window of ``prompt_documents`` slides up from the bottom as RankGPT's does, and
    each window is ordered by the vector of its own prompt; such scores do not compare across windows,
    so the statistics hold none.
    """

    def __init__(self, encoder: Encoder, settings: E2RankSettings, *, seed: int = 0) -> None:
        super().__init__(encoder)
        self._settings = settings
        seed = seed if settings.shuffle_seed is None else settings.shuffle_seed
        self._seed = seed
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "encoder": encoder.fingerprint,
                "document_words": DOCUMENT_WORDS,
                "seed": seed if settings.prompt_order == "shuffled" else None,
            }
            | ({} if settings.step is None else {"windows": REVISION})
        )

    @classmethod
    def from_settings(cls, settings: E2RankSettings, context: RerankContext) -> E2RankReranker:
        prompt = "eval" if settings.prompt == "query-only" else settings.prompt
        encoder = context.models.encoder(
            settings.model, prompt=prompt, document_tokens=settings.document_tokens
        )
        return cls(encoder, settings, seed=context.seed)

    def _score(
        self, queries: Sequence[Query], candidates: Sequence[EncodedCandidates], clock: PhaseClock
    ) -> list[Scored]:
        plain: list[QueryVector] = []
        if "query-only" in (self._settings.prompt, self._settings.prompt_order) or self._residual:
            with clock.phase("prompt"):
                plain = self._plain_vectors(queries)
        if self._settings.prompt == "query-only":
            with clock.phase("scoring"):
                return scored_by(plain, candidates)
        asked = [_Asked(query, one.vector if one else None) for query, one in zip_longest(queries, plain)]
        scored = (self._pass_by_pass if self._settings.step is None else self._slide)(
            asked, candidates, clock
        )
        if not plain:
            return scored
        return [
            replace(one, work=_with_plain(one.work, alone)) for one, alone in zip(scored, plain, strict=True)
        ]

    @property
    def _residual(self) -> bool:
        return self._settings.combination == "residual"

    def _pass_by_pass(
        self, asked: Sequence[_Asked], candidates: Sequence[EncodedCandidates], clock: PhaseClock
    ) -> list[Scored]:
        scored = self._by_one_prompt(asked, candidates, clock)
        for _ in range(1, self._settings.passes):
            orders = [one.order for one in scored]
            views = [view(one, order) for one, order in zip(candidates, orders, strict=True)]
            again = self._by_one_prompt(asked, views, clock)
            scored = [_continued(*three) for three in zip(scored, again, orders, strict=True)]
        return scored

    def _slide(
        self, asked: Sequence[_Asked], candidates: Sequence[EncodedCandidates], clock: PhaseClock
    ) -> list[Scored]:
        """Order window after window, the next ones of all queries in common batches."""
        work = [QueryVector(np.zeros(0), 0, 0) for _ in asked]

        def rank_windows(windows: Sequence[tuple[int, tuple[int, ...]]]) -> list[list[int]]:
            views = [view(candidates[number], window) for number, window in windows]
            ranked = self._by_one_prompt([asked[number] for number, _ in windows], views, clock)
            for (number, window), one in zip(windows, ranked, strict=True):
                work[number] = _added(work[number], one.work, window)
            return [
                [window[at] for at in one.order] for (_, window), one in zip(windows, ranked, strict=True)
            ]

        window = SlidingWindow(self._settings.prompt_documents, self._settings.step or 1)
        strategy = Repeated(window, self._settings.passes)
        orders = run_together(strategy, [len(one.texts) for one in candidates], rank_windows)
        return [Scored(one, order, None) for one, order in zip(work, orders, strict=True)]

    def _by_one_prompt(
        self, asked: Sequence[_Asked], candidates: Sequence[EncodedCandidates], clock: PhaseClock
    ) -> list[Scored]:
        """Each query's candidates ordered by the vector of one prompt, which lists the first of them."""
        with clock.phase("prompt"):
            vectors = self._listwise_vectors(asked, candidates)
        with clock.phase("scoring"):
            return scored_by(vectors, candidates)

    def _listwise_vectors(
        self, asked: Sequence[_Asked], candidates: Sequence[EncodedCandidates]
    ) -> list[QueryVector]:
        listed = [self._in_prompt_order(*pair) for pair in zip(asked, candidates, strict=True)]
        inputs = [
            ListwiseInput(given.query.text, tuple(one.texts[position] for position in positions))
            for given, one, positions in zip(asked, candidates, listed, strict=True)
        ]
        encoded = self._encoder.encode_listwise(inputs)
        prompts = encoded.prompts or repeat(None, len(inputs))
        rows = zip(asked, listed, encoded.vectors, encoded.tokens, encoded.truncated, prompts, strict=True)
        return [
            QueryVector(self._combined(given, unit(vector)), 1, tokens, positions, cut, prompt)
            for given, positions, vector, tokens, cut, prompt in rows
        ]

    def _combined(self, asked: _Asked, listwise: Vector) -> Vector:
        if asked.plain is None or not self._residual:
            return listwise
        return unit(self._settings.weight * asked.plain + listwise)

    def _in_prompt_order(self, asked: _Asked, candidates: EncodedCandidates) -> tuple[int, ...]:
        """The first ``prompt_documents`` positions as the prompt lists them."""
        listed = list(range(min(self._settings.prompt_documents, len(candidates.texts))))
        if self._settings.prompt_order == "reversed":
            listed.reverse()
        elif self._settings.prompt_order == "shuffled":
            # Seeded by the query's id, so that a query's prompt does not depend on the others ranked with it.
            random.Random(f"{self._seed} {asked.query.id}").shuffle(listed)
        elif asked.plain is not None and self._settings.prompt_order == "query-only":
            listed = list(order_by_score(asked.plain, candidates.vectors[: len(listed)])[0])
        return tuple(listed)


def _with_plain(work: QueryVector, plain: QueryVector) -> QueryVector:
    """The work with that of the query embedded by itself."""
    return replace(
        work, calls=work.calls + plain.calls, prompt_tokens=work.prompt_tokens + plain.prompt_tokens
    )


def _continued(earlier: Scored, one: Scored, order: tuple[int, ...]) -> Scored:
    """A further pass over the candidates in ``order``, told in positions of the first stage."""
    scores = dict(zip(order, one.scores or (), strict=True))
    return Scored(
        _added(earlier.work, one.work, order),
        tuple(order[position] for position in one.order),
        tuple(scores[position] for position in range(len(order))),
    )


def _added(earlier: QueryVector, one: QueryVector, window: Sequence[int]) -> QueryVector:
    """The work of both; ``one`` counts its positions within ``window``."""
    return QueryVector(
        one.vector,
        earlier.calls + one.calls,
        earlier.prompt_tokens + one.prompt_tokens,
        tuple(dict.fromkeys((*earlier.listed, *(window[position] for position in one.listed)))),
        max(earlier.prompt_cut, one.prompt_cut),
        one.prompt if earlier.calls == 0 else None,
    )
