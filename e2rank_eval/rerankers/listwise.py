"""Listwise reranking: a language model says the order of one window of documents after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from e2rank_eval.config import ListwiseSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import LanguageModel, Message
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.models.truncation import share_budget
from e2rank_eval.records import CandidateList, Query, QueryStats
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.decoding import Decoding, FirstToken, Reply, Written
from e2rank_eval.rerankers.lock_step import LockStepReranker
from e2rank_eval.rerankers.strategies import REVISION, FullList, SlidingWindow, Strategy
from e2rank_eval.rerankers.top_strategies import Setwise, TopDown
from e2rank_eval.store.files import sha256_json


@dataclass(slots=True)
class _State:
    """One query's work: its texts as cut to ``document_tokens``, and what ranking it has taken so far."""

    query: Query
    texts: list[str]
    cut: set[int]
    shown: set[int] = field(default_factory=set)
    calls: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    repairs: Counter[str] = field(default_factory=Counter)
    prompt: str | None = None

    def stats(self) -> QueryStats:
        return QueryStats(
            calls=self.calls,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            prompt_documents=len(self.shown),
            truncated_documents=len(self.cut),
            repairs=dict(sorted(self.repairs.items())),
            prompt=self.prompt if self.calls == 1 else None,
        )


class ListwiseReranker(LockStepReranker[_State]):
    """Any chat model as a listwise reranker; by default the paper's RankQwen3 baseline.

    ``strategy`` says which windows are ranked, ``decoding`` how the model is asked for the order of
    one. Documents are cut to ``document_tokens`` (the model's own limit where the settings give none)
    and, where a window's prompt would still exceed what the model reads, to a fair share of the
    tokens that are left. A ranking's ``seconds`` has ``prompt`` (cutting documents, writing prompts),
    ``generation``, ``parsing`` and ``total``.
    """

    def __init__(
        self, model: LanguageModel, settings: ListwiseSettings, *, strategy: Strategy | None = None
    ) -> None:
        super().__init__(model, strategy or _strategy(settings))
        self._decoding: Decoding = FirstToken(model) if settings.decoding == "first-token" else Written(model)
        self._document_tokens = settings.document_tokens or model.document_tokens
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "strategy": [repr(self._strategy), REVISION],
                "document_tokens": self._document_tokens,
                "prompt": self._decoding.messages("query", ["first", "second"]),
                "model": model.fingerprint,
            }
        )

    @classmethod
    def from_settings(cls, settings: ListwiseSettings, context: RerankContext) -> ListwiseReranker:
        return cls(context.models.language_model(settings.model), settings)

    def _begin(self, query: Query, candidates: CandidateList) -> _State:
        whole = [document.contents for document in candidates.documents]
        texts = [self._model.truncate(text, self._document_tokens) for text in whole]
        return _State(query, texts, {i for i, text in enumerate(texts) if text != whole[i]})

    def _rank_windows(
        self, windows: Sequence[tuple[_State, tuple[int, ...]]], clock: PhaseClock
    ) -> list[list[int]]:
        with clock.phase("prompt"):
            chats = [self._chat(state, window) for state, window in windows]
        with clock.phase("generation"):
            replies = self._ask(chats, [len(window) for _, window in windows])
        with clock.phase("parsing"):
            ranked = []
            for (state, window), chat, reply in zip(windows, chats, replies, strict=True):
                answer = reply.read(len(window))
                state.calls += 1
                state.shown |= set(window)
                state.prompt_tokens += answer.prompt_tokens
                state.output_tokens += answer.output_tokens
                state.repairs.update(answer.repairs)
                state.prompt = chat[-1]["content"]
                ranked.append([window[place] for place in answer.order])
        return ranked

    def _ask(self, chats: Sequence[Sequence[Message]], sizes: Sequence[int]) -> list[Reply]:
        """One reply to each chat; windows of one size together, as they share the form of their answer."""
        replies: dict[int, Reply] = {}
        for size in sorted(set(sizes)):
            members = [number for number, one in enumerate(sizes) if one == size]
            answers = self._decoding.ask([chats[number] for number in members], size)
            replies |= zip(members, answers, strict=True)
        return [replies[number] for number in range(len(chats))]

    def _chat(self, state: _State, window: Sequence[int]) -> list[dict[str, str]]:
        """The prompt of one window, its documents cut further where it would not fit."""
        room = self._model.window - self._decoding.output_limit(len(window))
        texts = [state.texts[position] for position in window]
        lengths = [self._model.count_tokens(text) for text in texts]
        chat = self._decoding.messages(state.query.text, texts)
        budget = sum(lengths)
        while (excess := self._model.count_prompt_tokens(chat) - room) > 0:
            budget -= excess
            if budget < len(texts):
                raise InputError(
                    f"the query and {len(texts)} documents do not fit the {self._model.window} tokens "
                    f"that {self._model.name!r} can read",
                    hint="lower the window, shorten the query, or name a model that reads more",
                )
            shares = share_budget(lengths, budget)
            cut = [
                self._model.truncate(state.texts[p], share) for p, share in zip(window, shares, strict=True)
            ]
            state.cut |= {p for p, text in zip(window, cut, strict=True) if text != state.texts[p]}
            chat = self._decoding.messages(state.query.text, cut)
        return chat


def _strategy(settings: ListwiseSettings) -> Strategy:
    match settings.strategy:
        case "full-list":
            return FullList()
        case "top-down":
            return TopDown(settings.window, settings.top, settings.budget)
        case "tournament":
            return Setwise(settings.window, settings.top)
        case _:
            return SlidingWindow(settings.window, settings.step)
