"""How a language model says the order of a window: by writing it, or in the logits of one token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models import Generation, LanguageModel, Message
from e2rank_eval.rerankers.parsing import parse_permutation
from e2rank_eval.rerankers.prompts.first import LETTERS, first_messages
from e2rank_eval.rerankers.prompts.rankgpt import rankgpt_messages

_SPARE_TOKENS = 4
"""Output tokens beyond the permutation itself: the end of the turn, and white space around it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The ``order`` of one window's documents, numbered from 0, and what it took."""

    order: tuple[int, ...]
    prompt_tokens: int
    output_tokens: int = 0
    repairs: Mapping[str, int] = field(default_factory=dict)


class Reply(Protocol):
    """What the model gave for one window, not yet read."""

    def read(self, size: int) -> Answer:
        """The order that it means for ``size`` documents."""
        ...


class Decoding(Protocol):
    """One way to ask for the order of a window."""

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]: ...

    def output_limit(self, size: int) -> int:
        """Tokens that the answer for ``size`` documents may take."""
        ...

    def ask(self, chats: Sequence[Sequence[Message]], size: int) -> Sequence[Reply]:
        """Ask about windows of ``size`` documents each."""
        ...


@dataclass(frozen=True, slots=True)
class WrittenReply:
    generation: Generation

    def read(self, size: int) -> Answer:
        one = self.generation
        parsed = parse_permutation(one.text, size, finished=one.finished)
        return Answer(parsed.order, one.prompt_tokens, one.output_tokens, parsed.repairs)


@dataclass(frozen=True, slots=True)
class Written:
    """RankGPT's ``[2] > [1] > ...``, greedily; allowed are the tokens of a full permutation, no more."""

    model: LanguageModel

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]:
        return rankgpt_messages(query, documents)

    def output_limit(self, size: int) -> int:
        """Tokens of a permutation of ``size`` documents, whose order hardly matters, and a few spare ones."""
        permutation = " > ".join(f"[{number}]" for number in range(1, size + 1))
        return self.model.count_tokens(permutation) + _SPARE_TOKENS

    def ask(self, chats: Sequence[Sequence[Message]], size: int) -> list[WrittenReply]:
        answers = self.model.generate(chats, max_new_tokens=self.output_limit(size))
        return [WrittenReply(answer) for answer in answers]


@dataclass(frozen=True, slots=True)
class LetterReply:
    logits: NDArray[np.float32]
    prompt_tokens: int

    def read(self, size: int) -> Answer:  # noqa: ARG002 - there are as many logits
        """By falling logit; equal ones keep their order.

        Raises
        ------
        InputError
            When a logit is not finite.
        """
        if not np.isfinite(self.logits).all():
            raise InputError(
                "a logit of an identifier is not finite",
                hint="check the model's weights, or load it in float32",
            )
        return Answer(tuple(np.argsort(-self.logits, kind="stable").tolist()), self.prompt_tokens)


@dataclass(frozen=True, slots=True)
class FirstToken:
    """FIRST (arXiv 2406.15657): the logits of the identifiers A, B, C ... as the answer's first token.

    Nothing is written, so there is nothing to repair, and one forward pass ranks a window.
    """

    model: LanguageModel

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]:
        return first_messages(query, documents)

    def output_limit(self, size: int) -> int:  # noqa: ARG002 - the same for any size
        return 1

    def ask(self, chats: Sequence[Sequence[Message]], size: int) -> list[LetterReply]:
        found = self.model.next_token(chats, tuple(LETTERS[:size]))
        return [
            LetterReply(logits, tokens)
            for logits, tokens in zip(found.logits, found.prompt_tokens, strict=True)
        ]
