"""Pointwise reranking with a language model: the logit of yes minus that of no for each document."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.configuration import PointwiseSettings
from e2rank_eval.language_models.base import LanguageModel
from e2rank_eval.prompts.pointwise import CHOICES, yes_no_messages
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.pairs import Pair, PairReranker, PairScore
from e2rank_eval.store.files import sha256_json

_JOINT = 8
"""Tokens kept free for the output token and for words that the tokenizer splits anew where texts join."""


class PointwiseReranker(PairReranker):
    """Relevance generation (arXiv 2211.09110): how much rather the model would say yes than no.

    Documents are cut to ``document_tokens``, or the model's own limit, and to what the query leaves
    of the window.
    """

    def __init__(self, model: LanguageModel, settings: PointwiseSettings) -> None:
        self._model = model
        self._document_tokens = settings.document_tokens or model.document_tokens
        self.fingerprint = sha256_json(
            {
                "settings": settings.model_dump(mode="json", exclude={"label", "on_error"}),
                "document_tokens": self._document_tokens,
                "prompt": yes_no_messages("query", "document"),
                "choices": CHOICES,
                "model": model.fingerprint,
            }
        )

    @classmethod
    def from_settings(cls, settings: PointwiseSettings, context: RerankContext) -> PointwiseReranker:
        return cls(context.models.language_model(settings.model), settings)

    def _document_limit(self, query: str) -> int:
        taken = self._model.count_prompt_tokens(yes_no_messages(query, ""))
        return min(self._document_tokens, self._model.window - taken - _JOINT)

    def _truncate(self, text: str, tokens: int) -> str:
        return self._model.truncate(text, tokens)

    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        chats = [yes_no_messages(query, document) for query, document in pairs]
        answer = self._model.next_token(chats, CHOICES)
        differences = (answer.logits[:, 0] - answer.logits[:, 1]).tolist()
        return [
            PairScore(score, tokens) for score, tokens in zip(differences, answer.prompt_tokens, strict=True)
        ]

    def _synchronise(self) -> None:
        self._model.synchronise()
