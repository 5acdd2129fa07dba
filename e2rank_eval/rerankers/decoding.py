"""Two ways to obtain the order of a window from a language model: generated text, or next-token logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from e2rank_eval.models.language_models import LanguageModel, Message
from e2rank_eval.rerankers.parsing import parse_permutation
from e2rank_eval.rerankers.prompts import LETTERS, first_messages, rankgpt_messages
from e2rank_eval.rerankers.scores import LOGIT_STEP, order_by_score

_SPARE_TOKENS = 4
"""Output tokens besides the permutation itself: the end of the turn, and white space."""


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
        floored = found.floored or (0,) * len(chats)
        return [
            Answer(order_by_score(logits, LOGIT_STEP)[0], tokens, repairs={"floored": n} if n else {})
            for logits, tokens, n in zip(found.logits, found.prompt_tokens, floored, strict=True)
        ]
