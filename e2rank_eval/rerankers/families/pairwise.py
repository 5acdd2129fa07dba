"""Pairwise reranking: a language model compares two neighbours, in both orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import Field

from e2rank_eval.config.systems import FAMILIES, Lengths, ModelSettings, Tokens
from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.timing import phase
from e2rank_eval.records import CandidateList, Query
from e2rank_eval.rerankers.base import JOINT_TOKENS, RerankContext, cut_query
from e2rank_eval.rerankers.prompts import PAIRWISE_ANSWERS, pairwise_messages
from e2rank_eval.rerankers.scores import LOGIT_STEP
from e2rank_eval.rerankers.strategies import Bubble
from e2rank_eval.rerankers.windows import Progress, WindowReranker
from e2rank_eval.store.files import sha256_json


class PairwiseSettings(ModelSettings):
    """A language model compares neighbours, in bubble-sort passes from the bottom up."""

    model_kinds = ("decoder",)

    family: Literal["pairwise-llm"]
    passes: int = Field(10, ge=1, le=1000, description="each brings one document to the top")

    def build(self, context: RerankContext) -> PairwiseReranker:
        return PairwiseReranker(context.models.language_model(self.model), self)

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        asked = 2 * Bubble(self.passes).calls(depth)
        return Tokens(asked * (2 * self.cut(lengths.document) + lengths.query), asked)


@dataclass(slots=True)
class _Progress(Progress):
    """``leads[first, second]`` is the logit of A minus that of B, documents prompted in this order."""

    leads: dict[tuple[int, int], float] = field(default_factory=dict)

    def order(self, pair: tuple[int, ...]) -> tuple[int, ...]:
        """Swap the pair if both prompts prefer its second document; a disagreement is a tie."""
        upper, lower = pair
        swap = self.leads[lower, upper] > 0 > self.leads[upper, lower]
        return (lower, upper) if swap else pair


class PairwiseReranker(WindowReranker[_Progress]):
    """Pairwise ranking prompting with sliding passes (PRP-sliding-K, arXiv 2306.17563).

    A pair is prompted in both orders and is swapped only if both answers prefer the lower document. Answers
    are kept, so that later passes do not prompt a pair again. Each document is cut to ``document_tokens``,
    or the model's own limit, and to half of the window that the query leaves; the query is cut where it
    would leave less than a quarter of the window. The phases are ``prompt`` and ``scoring``.
    """

    def __init__(self, model: LanguageModel, settings: PairwiseSettings) -> None:
        super().__init__(model, Bubble(settings.passes))
        self._document_tokens = settings.document_tokens or model.document_tokens
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "document_tokens": self._document_tokens,
                "prompt": pairwise_messages("query", "first", "second"),
                "choices": PAIRWISE_ANSWERS,
                "step": LOGIT_STEP,
                "model": model.fingerprint,
            }
        )

    def _begin(self, query: Query, candidates: CandidateList) -> _Progress:
        work = _Progress(query.text, [document.contents for document in candidates.documents])
        if len(candidates) < 2:
            return work

        def beside(text: str) -> int:
            return model.count_prompt_tokens(pairwise_messages(text, "", ""))

        model = self._model
        work.query = cut_query(query.text, model.window, JOINT_TOKENS, beside, model.truncate)
        work.query_cut = work.query != query.text
        left = model.window - beside(work.query) - JOINT_TOKENS
        work.truncate(model, min(self._document_tokens, left // 2))
        return work

    def _rank_windows(self, windows: Sequence[tuple[_Progress, tuple[int, ...]]]) -> list[tuple[int, ...]]:
        with phase("scoring"):
            asked = [
                (work, sides)
                for work, (upper, lower) in windows
                for sides in ((upper, lower), (lower, upper))
                if sides not in work.leads
            ]
            if asked:
                self._ask(asked)
        return [work.order(pair) for work, pair in windows]

    def _ask(self, asked: Sequence[tuple[_Progress, tuple[int, int]]]) -> None:
        chats = [
            pairwise_messages(work.query, work.texts[first], work.texts[second])
            for work, (first, second) in asked
        ]
        answer = self._model.next_token(chats, PAIRWISE_ANSWERS)
        if not np.isfinite(answer.logits).all():
            raise InputError("a logit of A or B is not finite", hint="check the model's weights")
        rows = zip(asked, answer.logits.tolist(), answer.prompt_tokens, answer.floored, strict=True)
        for (work, sides), (a, b), tokens, unknown in rows:
            # The batch size changes logits by less than this.
            decided = abs(a - b) > LOGIT_STEP / 2 * max(abs(a), abs(b))
            work.leads[sides] = a - b if decided else 0.0
            work.calls += 1
            work.prompt_tokens += tokens
            if unknown:
                work.repairs["floored"] += unknown


FAMILIES.add("pairwise-llm", PairwiseSettings)
