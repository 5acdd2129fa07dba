"""The language-model protocol: chat messages in, greedy text or next-token logits out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Message = Mapping[str, str]
"""One chat message: ``{"role": "system" | "user" | "assistant", "content": text}``."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One greedy continuation. ``finished`` is false when ``max_new_tokens`` cut it off."""

    text: str
    prompt_tokens: int
    output_tokens: int
    finished: bool


@dataclass(frozen=True, slots=True)
class NextToken:
    """``logits`` float32 [n prompts, k choices] of the choices' first tokens, and each prompt's tokens."""

    logits: NDArray[np.float32]
    prompt_tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """``log_probability``: natural logarithm, mean over the text's tokens; ``tokens`` of prompt and text."""

    log_probability: float
    tokens: int


class LanguageModel(Protocol):
    """A chat model behind whatever engine.

    ``window`` is the number of tokens that prompt and output may take together; ``document_tokens``
    where a document is cut unless a configuration says otherwise; ``fingerprint`` names everything
    that decides an output.
    """

    name: str
    fingerprint: str
    window: int
    document_tokens: int

    def generate(
        self, chats: Sequence[Sequence[Message]], *, max_new_tokens: int, min_new_tokens: int = 0
    ) -> list[Generation]:
        """Continue each chat greedily (no sampling), thinking disabled where the template knows it.

        ``min_new_tokens`` keeps the model from ending earlier, for measurements of equal length.

        Raises
        ------
        InputError
            When a prompt and ``max_new_tokens`` exceed the window.
        """
        ...

    def next_token(self, chats: Sequence[Sequence[Message]], choices: Sequence[str]) -> NextToken:
        """Logits of the first token of each choice as the next token after each chat.

        Raises
        ------
        InputError
            When two choices begin with the same token.
        """
        ...

    def likelihood(
        self, chats: Sequence[Sequence[Message]], continuations: Sequence[str]
    ) -> list[Likelihood]:
        """How likely each continuation is as the answer to its chat.

        Raises
        ------
        InputError
            When a continuation has no token, or the engine cannot tell.
        """
        ...

    def count_tokens(self, text: str) -> int: ...

    def count_prompt_tokens(self, chat: Sequence[Message]) -> int:
        """Tokens of the whole prompt made of ``chat``: template, contents and generation prompt."""
        ...

    def truncate(self, text: str, tokens: int) -> str:
        """The longest prefix of ``text`` of at most ``tokens`` tokens, unchanged if it is that short."""
        ...

    def synchronise(self) -> None: ...
