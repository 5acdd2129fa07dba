"""What the engines that run a model here have in common: its tokenizer, its window, its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models.base import Message
from e2rank_eval.models.language_models.tokenisation import ChatTokenizer


class LocalModel:
    """The part of :class:`e2rank_eval.models.language_models.base.LanguageModel` that needs no engine.

    Prompts are made into token ids here, by the model's Hugging Face tokenizer and chat template, so
    that every engine reads the very same tokens.

    Raises
    ------
    InputError
        When the tokenizer has no chat template.
    """

    def __init__(
        self, tokenizer: Any, *, name: str, fingerprint: str, window: int, document_tokens: int
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.window = window
        self.document_tokens = document_tokens
        self._tokens = ChatTokenizer(tokenizer, name=name)

    def count_tokens(self, text: str) -> int:
        return len(self._tokens.ids(text))

    def count_prompt_tokens(self, chat: Sequence[Message]) -> int:
        return len(self._tokens.chat_ids(chat))

    def truncate(self, text: str, tokens: int) -> str:
        return self._tokens.truncate(text, tokens)

    def _prompts(self, chats: Sequence[Sequence[Message]], *, reserve: int) -> list[list[int]]:
        """Each chat's token ids; raises InputError where one and ``reserve`` exceed the window."""
        prompts = [self._tokens.chat_ids(chat) for chat in chats]
        longest = max((len(prompt) for prompt in prompts), default=0)
        if longest + reserve > self.window:
            raise InputError(
                f"a prompt of {longest} tokens and {reserve} of output exceed the {self.window} "
                f"that {self.name!r} can read",
                hint="lower document_tokens or the number of documents in the prompt",
            )
        return prompts

    def _answers(self, continuations: Sequence[str]) -> list[list[int]]:
        """Each continuation's token ids; raises InputError where one has none."""
        answers = [self._tokens.ids(text) for text in continuations]
        if not all(answers):
            raise InputError("a text without any token has no likelihood", hint="leave it out")
        return answers

    def _first_tokens(self, choices: Sequence[str]) -> list[int]:
        """The first token of each choice; raises InputError where one has none, or two share it."""
        ids = [self._tokens.ids(choice) for choice in choices]
        empty = next((choice for choice, tokens in zip(choices, ids, strict=True) if not tokens), None)
        if empty is not None:
            raise InputError(f"choice {empty!r} has no token", hint="name a word")
        first = [tokens[0] for tokens in ids]
        if len(set(first)) < len(first):
            raise InputError(
                f"two of the choices {list(choices)} begin with the same token of {self.name!r}, "
                "so their logits are one",
                hint="choose words that begin differently",
            )
        return first
