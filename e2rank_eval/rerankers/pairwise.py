"""Pairwise reranking: a language model says which of two neighbours is better, in both orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from e2rank_eval.config import PairwiseSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.records import CandidateList, Query, QueryStats
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.lock_step import LockStepReranker
from e2rank_eval.rerankers.prompts.pairwise import CHOICES, pairwise_messages
from e2rank_eval.rerankers.top_strategies import Bubble
from e2rank_eval.store.files import sha256_json

_JOINT = 8
"""Tokens kept free for the output token and for words that the tokenizer splits anew where texts join."""


_DECIMALS = 4
"""Batches of other shapes move a float32 logit by some 1e-5, which must decide nothing."""


@dataclass(slots=True)
class _State:
    """One query's work. ``leads[first, second]`` is the logit of A minus B with them in that order."""

    query: str
    texts: list[str]
    truncated: int
    leads: dict[tuple[int, int], float] = field(default_factory=dict)
    prompt_tokens: int = 0

    def order(self, pair: tuple[int, ...]) -> tuple[int, ...]:
        """The pair swapped where both prompts prefer its second; a disagreement is a tie."""
        upper, lower = pair
        swap = self.leads[lower, upper] > 0 > self.leads[upper, lower]
        return (lower, upper) if swap else pair

    def stats(self) -> QueryStats:
        return QueryStats(
            calls=len(self.leads),
            prompt_tokens=self.prompt_tokens,
            truncated_documents=self.truncated,
        )


class PairwiseReranker(LockStepReranker[_State]):
    """Pairwise ranking prompting with sliding passes (PRP-sliding-K, arXiv 2306.17563).

    A pair is asked about twice, each document standing first once, and counts as decided only where
    the logits of both answers agree; otherwise it keeps its order. What was asked is remembered, so a
    pair that meets again in a later pass costs nothing. Each document is cut to ``document_tokens``,
    or the model's own limit, and to half of what the query leaves of the window. A ranking's
    ``seconds`` has ``prompt``, ``scoring`` and ``total``.
    """

    def __init__(self, model: LanguageModel, settings: PairwiseSettings) -> None:
        super().__init__(model, Bubble(settings.passes))
        self._document_tokens = settings.document_tokens or model.document_tokens
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "document_tokens": self._document_tokens,
                "prompt": pairwise_messages("query", "first", "second"),
                "choices": CHOICES,
                "model": model.fingerprint,
            }
        )

    @classmethod
    def from_settings(cls, settings: PairwiseSettings, context: RerankContext) -> PairwiseReranker:
        return cls(context.models.language_model(settings.model), settings)

    def _begin(self, query: Query, candidates: CandidateList) -> _State:
        whole = [document.contents for document in candidates.documents]
        if len(whole) < 2:
            return _State(query.text, whole, 0)
        taken = self._model.count_prompt_tokens(pairwise_messages(query.text, "", ""))
        limit = min(self._document_tokens, (self._model.window - taken - _JOINT) // 2)
        if limit < 1:
            raise InputError(
                f"query {query.id!r} fills the model's window and leaves no room for two documents",
                hint="shorten the query, or name a model that reads more",
            )
        texts = [self._model.truncate(text, limit) for text in whole]
        return _State(query.text, texts, sum(a != b for a, b in zip(texts, whole, strict=True)))

    def _rank_windows(
        self, windows: Sequence[tuple[_State, tuple[int, ...]]], clock: PhaseClock
    ) -> list[tuple[int, ...]]:
        with clock.phase("scoring"):
            asked = [
                (state, sides)
                for state, (upper, lower) in windows
                for sides in ((upper, lower), (lower, upper))
                if sides not in state.leads
            ]
            if asked:
                self._ask(asked)
        return [state.order(pair) for state, pair in windows]

    def _ask(self, asked: Sequence[tuple[_State, tuple[int, int]]]) -> None:
        chats = [
            pairwise_messages(state.query, state.texts[first], state.texts[second])
            for state, (first, second) in asked
        ]
        answer = self._model.next_token(chats, CHOICES)
        if not np.isfinite(answer.logits).all():
            raise InputError(
                "a logit of A or B is not finite", hint="check the model's weights, or load it in float32"
            )
        for (state, sides), (a, b), tokens in zip(asked, answer.logits, answer.prompt_tokens, strict=True):
            state.leads[sides] = round(float(a - b), _DECIMALS)
            state.prompt_tokens += tokens
