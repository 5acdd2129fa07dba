"""How a language model is asked for the order of a window: as text, or by the logits of one token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from e2rank_eval.models.language_models import LanguageModel, Message
from e2rank_eval.rerankers.parsing import parse_permutation
from e2rank_eval.rerankers.prompts import LETTERS, first_messages, rankgpt_messages
from e2rank_eval.rerankers.scores import LOGIT_STEP, order_by_score

_SPARE_TOKENS = 4
"""Output tokens beyond the permutation itself: the end of the turn, and white space around it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The ``order`` of one window's documents, numbered from 0, and what it took."""

    order: tuple[int, ...]
    prompt_tokens: int
    output_tokens: int = 0
    repairs: Mapping[str, int] = field(default_factory=dict)


class Decoding(Protocol):
    """One way to ask for the order of a window."""

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]:
        """Return the chat that asks about ``documents``."""
        ...

    def output_limit(self, size: int) -> int:
        """Return how many tokens the answer for ``size`` documents may take."""
        ...

    def answers(self, chats: Sequence[Sequence[Message]], size: int) -> list[Answer]:
        """Return the order that the model gives in each chat about ``size`` documents."""
        ...


@dataclass(frozen=True, slots=True)
class Generated:
    """RankGPT's ``[2] > [1] > ...``, greedily; allowed are the tokens of a full permutation, no more."""

    model: LanguageModel

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]:
        return rankgpt_messages(query, documents)

    def output_limit(self, size: int) -> int:
        """Return the tokens of a permutation, whose order hardly matters, and a few spare ones."""
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
    """FIRST (arXiv 2406.15657): the logits of the identifiers A, B, C ... as the answer's first token.

    Nothing is generated, so there is nothing to repair, and one forward pass ranks a window.
    """

    model: LanguageModel

    def messages(self, query: str, documents: Sequence[str]) -> list[dict[str, str]]:
        return first_messages(query, documents)

    def output_limit(self, size: int) -> int:  # noqa: ARG002 - the same for any size
        return 1

    def answers(self, chats: Sequence[Sequence[Message]], size: int) -> list[Answer]:
        """Order by descending logit, equal ones as they were; raises InputError for a NaN or infinite one."""
        found = self.model.next_token(chats, tuple(LETTERS[:size]))
        floored = found.floored or (0,) * len(chats)
        return [
            Answer(order_by_score(logits, LOGIT_STEP)[0], tokens, repairs={"floored": n} if n else {})
            for logits, tokens, n in zip(found.logits, found.prompt_tokens, floored, strict=True)
        ]
