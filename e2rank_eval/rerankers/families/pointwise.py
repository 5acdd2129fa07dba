"""Pointwise reranking with a language model: relevance generation (yes or no), or query likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from e2rank_eval.config.systems import FAMILIES, ModelSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.rerankers.base import JOINT_TOKENS, RerankContext
from e2rank_eval.rerankers.pairs import Pair, PairReranker, PairScore
from e2rank_eval.rerankers.prompts import POINTWISE_ANSWERS, RERANK_INSTRUCTION, pointwise_messages
from e2rank_eval.rerankers.scores import LOGIT_STEP
from e2rank_eval.store.files import sha256_json


class PointwiseSettings(ModelSettings):
    """A language model's logit of yes minus no for each candidate, or the query's likelihood."""

    model_kinds = ("decoder",)
    own_colour = "#cc79a7"

    family: Literal["pointwise-llm"]
    prompt: Literal["yes-no", "qwen3-reranker", "query-likelihood"] | None = Field(
        None, description="null: the prompt that the model was trained with, otherwise yes-no"
    )  # fmt: skip
    instruction: str | None = Field(
        None, min_length=1, description="task in the prompt qwen3-reranker; null: web search"
    )

    @model_validator(mode="after")
    def _instruction_is_shown(self) -> PointwiseSettings:
        if self.instruction is not None and self.prompt not in (None, "qwen3-reranker"):
            raise ValueError(f"the prompt {self.prompt} has no instruction")
        return self

    def build(self, context: RerankContext) -> PointwiseReranker:
        known = self.prompt or context.models.resolve(self.model, "decoder").entry.relevance_prompt
        prompt = known or "yes-no"
        if self.instruction is not None and prompt != "qwen3-reranker":
            hint = "remove instruction, or give prompt: qwen3-reranker"
            raise InputError(f"{self.model} uses the prompt {prompt}, which has no instruction", hint=hint)
        family = QueryLikelihoodReranker if prompt == "query-likelihood" else PointwiseReranker
        return family(context.models.language_model(self.model), self.model_copy(update={"prompt": prompt}))


class PointwiseReranker(PairReranker):
    """Relevance generation (arXiv 2211.09110): scores by the logit of yes minus that of no.

    Qwen3-Reranker was trained with the prompt ``qwen3-reranker``; its published score, the softmax
    probability of yes over yes and no, gives the same order. Documents are cut to ``document_tokens``, or
    the model's own limit, and to the rest of the window.
    """

    choices: tuple[str, ...] = POINTWISE_ANSWERS

    def __init__(self, model: LanguageModel, settings: PointwiseSettings) -> None:
        limit = settings.document_tokens or model.document_tokens
        super().__init__(window=model.window, document_tokens=limit, spare=JOINT_TOKENS)
        self._model = model
        self._prompt = settings.prompt or "yes-no"
        self._instruction = settings.instruction or RERANK_INSTRUCTION
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "document_tokens": limit,
                "prompt": self._chat("query", "document"),
                "choices": self.choices,
                "step": LOGIT_STEP,
                "model": model.fingerprint,
            }
        )

    def _chat(self, query: str, document: str) -> list[dict[str, str]]:
        return pointwise_messages(self._prompt, query, document, instruction=self._instruction)

    def _tokens_beside(self, query: str) -> int:
        return self._model.count_prompt_tokens(self._chat(query, ""))

    def _truncate(self, text: str, tokens: int) -> str:
        return self._model.truncate(text, tokens)

    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        answer = self._model.next_token([self._chat(*pair) for pair in pairs], self.choices)
        differences = (answer.logits[:, 0] - answer.logits[:, 1]).tolist()
        rows = zip(differences, answer.prompt_tokens, answer.floored, strict=True)
        return [PairScore(*row) for row in rows]


class QueryLikelihoodReranker(PointwiseReranker):
    """Query likelihood (arXiv 2204.07496): mean log-probability of the query's tokens given the document."""

    choices = ()

    def _tokens_beside(self, query: str) -> int:
        return super()._tokens_beside(query) + self._model.count_tokens(query)

    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        chats = [self._chat(query, document) for query, document in pairs]
        found = self._model.likelihood(chats, [query for query, _ in pairs])
        return [PairScore(one.log_probability, one.tokens) for one in found]


FAMILIES.add("pointwise-llm", PointwiseSettings)
