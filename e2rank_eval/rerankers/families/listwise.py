"""Listwise reranking: a language model orders one window after another, by generated text or by logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import Field, model_validator

from e2rank_eval.config.systems import FAMILIES, Lengths, ModelSettings, Tokens, refuse_unused
from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import LanguageModel, Message
from e2rank_eval.models.timing import phase
from e2rank_eval.models.truncation import share_budget
from e2rank_eval.records import CandidateList, Query
from e2rank_eval.rerankers.base import RerankContext, cut_query
from e2rank_eval.rerankers.parsing import parse_permutation
from e2rank_eval.rerankers.prompts import LETTERS, first_messages, rankgpt_messages
from e2rank_eval.rerankers.scores import LOGIT_STEP, order_by_score
from e2rank_eval.rerankers.strategies import FullList, Setwise, SlidingWindow, Strategy, TopDown
from e2rank_eval.rerankers.windows import Progress, WindowReranker
from e2rank_eval.store.files import sha256_json

_ID_TOKENS = 4
"""Tokens of one identifier such as ``[12] > `` in a generated ranking; an estimate."""

_SPARE_TOKENS = 4
"""Output tokens besides the permutation itself: the end of the turn, and white space."""


class ListwiseSettings(ModelSettings):
    """A language model orders windows of the candidates; by default RankGPT's sliding window."""

    model_kinds = ("decoder",)
    own_colour = "#d55e00"

    family: Literal["listwise"]
    strategy: Literal["sliding-window", "full-list", "top-down", "setwise"] = Field(
        "sliding-window", description="which windows are ranked; top-down and setwise order the top only"
    )
    decoding: Literal["generate", "first-token"] = Field(
        "generate", description="generate the order, or order by the logits of the first token (FIRST)"
    )
    window: int = Field(20, ge=2, le=100, description="documents in one prompt; not for full-list")
    step: int = Field(10, ge=1, le=100, description="sliding-window only")
    top: int = Field(10, ge=1, le=100, description="top-down: rank of the pivot; setwise: documents to rank")
    budget: int | None = Field(
        None,
        ge=1,
        description="top-down: stop at so many candidates above the pivot (20 in the paper); null: no limit",
    )

    @model_validator(mode="after")
    def _options_fit_the_strategy(self) -> ListwiseSettings:
        try:
            self.windows()
        except InputError as error:
            raise ValueError(error.problem) from error
        if self.decoding == "first-token" and self.window > 26:
            raise ValueError(f"window {self.window} exceeds the 26 letters of first-token decoding")
        needed = {
            "window": ("sliding-window", "top-down", "setwise"),
            "step": ("sliding-window",),
            "top": ("top-down", "setwise"),
            "budget": ("top-down",),
        }
        refuse_unused(self, "strategy", self.strategy, needed)
        return self

    def windows(self) -> Strategy:
        """Return the strategy that ``strategy`` names."""
        match self.strategy:
            case "full-list":
                return FullList()
            case "top-down":
                return TopDown(self.window, self.top, self.budget)
            case "setwise":
                return Setwise(self.window, self.top)
            case _:
                return SlidingWindow(self.window, self.step)

    def build(self, context: RerankContext) -> ListwiseReranker:
        return ListwiseReranker(context.models.language_model(self.model), self)

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        window = depth if self.strategy == "full-list" else min(self.window, depth)
        calls = self.windows().calls(depth)
        generated = 1 if self.decoding == "first-token" else window * _ID_TOKENS
        return Tokens(calls * (window * self.cut(lengths.document) + lengths.query), calls * generated)


@dataclass(frozen=True, slots=True)
class Answer:
    """The ``order`` of one window's documents, numbered from 0, with its token counts and repairs."""

    order: tuple[int, ...]
    prompt_tokens: int
    output_tokens: int = 0
    repairs: Mapping[str, int] = field(default_factory=dict)


class Decoding(Protocol):
    """One way to obtain the order of a window."""

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]:
        """Return the prompt that lists ``documents``, as chat turns."""
        ...

    def output_limit(self, size: int) -> int:
        """Return the maximum number of output tokens for ``size`` documents."""
        ...

    def answers(self, chats: Sequence[Sequence[Message]], size: int) -> list[Answer]:
        """Return the model's answer to each prompt, all of which list ``size`` documents."""
        ...


@dataclass(frozen=True, slots=True)
class Generated:
    """RankGPT: the model writes ``[2] > [1] > ...``, decoded greedily up to a full permutation's length."""

    model: LanguageModel

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]:
        return rankgpt_messages(query, documents)

    def output_limit(self, size: int) -> int:
        """Return the tokens of the identity permutation and a few spare ones.

        Other permutations have about as many.
        """
        permutation = " > ".join(f"[{number}]" for number in range(1, size + 1))
        return self.model.count_tokens(permutation) + _SPARE_TOKENS

    def answers(self, chats: Sequence[Sequence[Message]], size: int) -> list[Answer]:
        found = []
        for reply in self.model.generate(chats, max_new_tokens=self.output_limit(size)):
            parsed = parse_permutation(reply.text, size, finished=reply.finished)
            found.append(Answer(parsed.order, reply.prompt_tokens, reply.output_tokens, parsed.repairs))
        return found


@dataclass(frozen=True, slots=True)
class FirstToken:
    """FIRST (arXiv 2406.15657): ranks by the logits of the identifiers A, B, C ... as first output token.

    One forward pass ranks a window; as no text is generated, none needs repair.
    """

    model: LanguageModel

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]:
        return first_messages(query, documents)

    def output_limit(self, size: int) -> int:  # noqa: ARG002 - the same for any size
        return 1

    def answers(self, chats: Sequence[Sequence[Message]], size: int) -> list[Answer]:
        """Return the documents by descending logit, ties in window order; raises as ``order_by_score``."""
        found = self.model.next_token(chats, tuple(LETTERS[:size]))
        return [
            Answer(order_by_score(logits, LOGIT_STEP)[0], tokens, repairs={"floored": n} if n else {})
            for logits, tokens, n in zip(found.logits, found.prompt_tokens, found.floored, strict=True)
        ]


class ListwiseReranker(WindowReranker[Progress]):
    """Any chat model as a listwise reranker; by default the paper's RankQwen3 baseline.

    ``strategy`` selects the windows, ``decoding`` the way to obtain the order of one. Documents are cut to
    ``document_tokens`` (by default the model's own limit). Where a prompt would still exceed the model's
    window, the query is cut to leave documents a quarter of it, and the documents share the rest fairly.
    The phases are ``prompt`` (cutting texts, building prompts) and ``generation``.
    """

    def __init__(self, model: LanguageModel, settings: ListwiseSettings) -> None:
        super().__init__(model, settings.windows())
        first_token = settings.decoding == "first-token"
        self._decoding: Decoding = FirstToken(model) if first_token else Generated(model)
        self._document_tokens = settings.document_tokens or model.document_tokens
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "strategy": repr(self._strategy),
                "document_tokens": self._document_tokens,
                "prompt": self._decoding.messages("query", ["first", "second"]),
                "model": model.fingerprint,
            }
        )

    def _begin(self, query: Query, candidates: CandidateList) -> Progress:
        work = Progress(query.text, [document.contents for document in candidates.documents])
        work.truncate(self._model, self._document_tokens)
        return work

    def _rank_windows(self, windows: Sequence[tuple[Progress, tuple[int, ...]]]) -> list[list[int]]:
        with phase("prompt"):
            chats = [self._chat(work, window) for work, window in windows]
        with phase("generation"):
            answers = self._answers(chats, [len(window) for _, window in windows])
        for (work, window), chat, answer in zip(windows, chats, answers, strict=True):
            work.calls += 1
            work.shown |= set(window)
            work.prompt_tokens += answer.prompt_tokens
            work.output_tokens += answer.output_tokens
            work.repairs.update(answer.repairs)
            work.prompt = chat[-1]["content"]
        return [
            [window[place] for place in answer.order]
            for (_, window), answer in zip(windows, answers, strict=True)
        ]

    def _answers(self, chats: Sequence[Sequence[Message]], sizes: Sequence[int]) -> list[Answer]:
        """Return the answer to each chat; windows of one size share a batch."""
        answers: dict[int, Answer] = {}
        for size in sorted(set(sizes)):
            members = [number for number, one in enumerate(sizes) if one == size]
            found = self._decoding.answers([chats[number] for number in members], size)
            answers |= zip(members, found, strict=True)
        return [answers[number] for number in range(len(chats))]

    def _chat(self, work: Progress, window: Sequence[int]) -> list[dict[str, str]]:
        """Return the prompt of one window; if it does not fit, the query is cut, then the documents."""
        model, messages = self._model, self._decoding.messages
        output = self._decoding.output_limit(len(window))
        limit = model.window - output
        texts = [work.texts[position] for position in window]
        chat = messages(work.query, texts)
        if model.count_prompt_tokens(chat) <= limit:
            return chat

        def beside(query: str) -> int:
            return model.count_prompt_tokens(messages(query, [""] * len(window)))

        query = cut_query(work.query, model.window, output, beside, model.truncate)
        work.query_cut |= query != work.query
        lengths = [model.count_tokens(text) for text in texts]
        cut, budget = texts, sum(lengths)
        while (excess := model.count_prompt_tokens(chat := messages(query, cut)) - limit) > 0:
            # In the prompt a cut text may have another number of tokens than alone, so one cut may not do.
            budget = max(0, budget - excess)
            shares = share_budget(lengths, budget)
            cut = [model.truncate(*pair) for pair in zip(texts, shares, strict=True)]
        work.cut |= {position for position, a, b in zip(window, cut, texts, strict=True) if a != b}
        return chat


FAMILIES.add("listwise", ListwiseSettings)
