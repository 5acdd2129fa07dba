"""The language model interface (greedy text, next-token logits), and the base class of local engines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from e2rank_eval.errors import InputError
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.models.special_tokens import neutraliser, render_chat
from e2rank_eval.models.timing import tokenising
from e2rank_eval.models.truncation import cut_tokens
from e2rank_eval.store.files import sha256_json

Message = Mapping[str, str]
"""One chat message: ``{"role": "system" | "user" | "assistant", "content": text}``."""

Chat = Sequence[Message]


def check_chat(chat: Chat) -> None:
    """Raise InputError where ``chat`` is not a list of messages."""
    if not all(isinstance(one, Mapping) and {"role", "content"} <= one.keys() for one in chat):
        hint = 'write [{"role": "user", "content": "..."}]'
        raise InputError(f"a chat is a list of messages, not {str(chat)[:80]!r}", hint=hint)


@dataclass(frozen=True, slots=True)
class Generation:
    """One greedy continuation. ``finished`` is false when ``max_new_tokens`` cut it off."""

    text: str
    prompt_tokens: int
    output_tokens: int
    finished: bool


@dataclass(frozen=True, slots=True)
class NextToken:
    """``logits`` float32 [n prompts, k choices] of each choice's first token; ``prompt_tokens`` [n].

    ``floored`` [n] counts the choices for which a server returned no value; they get the smallest value
    that it returned.
    """

    logits: NDArray[np.float32]
    prompt_tokens: tuple[int, ...]
    floored: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Mean natural log-probability of a text's tokens; ``tokens`` counts prompt and text."""

    log_probability: float
    tokens: int


class LanguageModel(ABC):
    """A chat model on any engine.

    ``window`` is the maximum number of tokens of prompt and output together; documents are cut to
    ``document_tokens`` unless a configuration sets another limit; ``fingerprint`` is a hash of everything
    that decides an output.
    """

    name: str
    fingerprint: str
    window: int
    document_tokens: int

    @abstractmethod
    def generate(self, chats: Sequence[Chat], *, max_new_tokens: int) -> list[Generation]:
        """Continue each chat greedily (no sampling), with thinking disabled if the template has that option.

        ``output_tokens`` includes the token that ends an answer.

        Raises
        ------
        InputError
            When a prompt and ``max_new_tokens`` exceed the window.
        """

    @abstractmethod
    def next_token(self, chats: Sequence[Chat], choices: Sequence[str]) -> NextToken:
        """Return logits of the first token of each choice as the next token after each chat.

        They may be log-probabilities, which differ from logits by a constant for each prompt.

        Raises
        ------
        InputError
            When two choices begin with the same token, a choice has no token, or a prompt exceeds the window.
        """

    def likelihood(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[Likelihood]:  # noqa: ARG002
        """Return the likelihood of each continuation as the answer to its chat.

        Raises
        ------
        InputError
            When a continuation has no token, or the engine scores only text that the model generates.
        """
        raise InputError(
            f"the engine of {self.name!r} cannot score a given text",
            hint="set engine: transformers, or choose a prompt other than query-likelihood",
        )

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of ``text``."""

    @abstractmethod
    def count_prompt_tokens(self, chat: Chat) -> int:
        """Return the number of tokens of the prompt: template, contents and generation prompt."""

    @abstractmethod
    def truncate(self, text: str, tokens: int) -> str:
        """Return the longest prefix of ``text`` of at most ``tokens`` tokens."""

    def __repr__(self) -> str:
        return f"LanguageModel({self.name}, window of {self.window} tokens)"


class LocalModel(LanguageModel):
    """A model that runs in this process.

    The model's Hugging Face tokenizer and chat template turn prompts into token ids, so that every engine
    gets the same tokens. ``name`` is that of its folder; ``file_hashes`` (file name -> SHA-256) are part of
    the fingerprint.

    Raises
    ------
    InputError
        When the tokenizer has no chat template.
    """

    def __init__(
        self,
        tokenizer: Any,
        folder: Path,
        entry: ModelEntry,
        file_hashes: Mapping[str, str],
        *,
        engine: str,
        window: int,
        dtype: str,
    ) -> None:
        self.name = folder.name
        self.window = window
        self.document_tokens = entry.document_tokens
        self.fingerprint = sha256_json(
            {"engine": engine, "window": window, "dtype": dtype, "files": dict(file_hashes)}
        )
        self._tokens = ChatTokenizer(tokenizer, name=self.name)

    @abstractmethod
    def _generate(self, prompts: Sequence[list[int]], most: int) -> list[Generation]:
        """Continue each prompt greedily by at most ``most`` tokens."""

    @abstractmethod
    def _logits(self, prompts: Sequence[list[int]], columns: Sequence[int]) -> ArrayLike:
        """Return logits [n prompts, n columns] of the token ids ``columns`` as the next token."""

    def generate(self, chats: Sequence[Chat], *, max_new_tokens: int) -> list[Generation]:
        return self._generate(self._prompts(chats, [max_new_tokens] * len(chats)), max_new_tokens)

    def next_token(self, chats: Sequence[Chat], choices: Sequence[str]) -> NextToken:
        columns = self._first_tokens(choices)
        prompts = self._prompts(chats, [1] * len(chats))
        logits = np.asarray(self._logits(prompts, columns), dtype=np.float32).reshape(-1, len(columns))
        return NextToken(logits, tuple(map(len, prompts)), (0,) * len(prompts))

    def count_tokens(self, text: str) -> int:
        return len(self._tokens.ids(text))

    def count_prompt_tokens(self, chat: Chat) -> int:
        return len(self._tokens.chat_ids(chat))

    def truncate(self, text: str, tokens: int) -> str:
        return self._tokens.truncate(text, tokens)

    def _prompts(self, chats: Sequence[Chat], outputs: Sequence[int]) -> list[list[int]]:
        """Return each chat's token ids; raises InputError if one and its output exceed the window."""
        prompts = [self._tokens.chat_ids(chat) for chat in chats]
        for prompt, output in zip(prompts, outputs, strict=True):
            if len(prompt) + output > self.window:
                raise InputError(
                    f"a prompt of {len(prompt)} tokens and {output} of output exceed the {self.window} "
                    f"of the window of {self.name!r}",
                    hint="lower document_tokens or the number of documents in the prompt",
                )
        return prompts

    def _first_tokens(self, choices: Sequence[str]) -> list[int]:
        """Return the first token of each choice; raises InputError where one has none, or two share it."""
        ids = {choice: self._tokens.ids(choice) for choice in choices}
        empty = next((choice for choice in choices if not ids[choice]), None)
        if empty is not None:
            raise InputError(f"choice {empty!r} has no token", hint="name a word")
        first = [ids[choice][0] for choice in choices]
        if len(set(first)) < len(first):
            raise InputError(
                f"two of the choices {list(choices)} begin with the same token of {self.name!r}, "
                "so they have the same logit",
                hint="choose words that begin differently",
            )
        return first


class ChatTokenizer:
    """Converts chats and texts to tokens of a Hugging Face tokenizer, and back.

    Raises
    ------
    InputError
        When the tokenizer has no chat template or one that does not render, or is not a fast tokenizer.
    """

    def __init__(self, tokenizer: Any, *, name: str) -> None:
        if not tokenizer.chat_template:
            raise InputError(
                f"model {name!r} has no chat template",
                hint="name an instruction-tuned model, or add chat_template.jinja to its folder",
            )
        if not tokenizer.is_fast:
            raise InputError(f"model {name!r} has no tokenizer.json", hint="add it to the model's folder")
        render_chat(tokenizer)
        self._tokenizer = tokenizer
        self._neutral = neutraliser(tokenizer)

    @property
    def end_ids(self) -> set[int]:
        return set() if self._tokenizer.eos_token_id is None else {int(self._tokenizer.eos_token_id)}

    @property
    def pad_id(self) -> int:
        """The padding token; token 0 where the tokenizer has none, as padding is always masked."""
        return int(self._tokenizer.pad_token_id or 0)

    def chat_ids(self, chat: Chat) -> list[int]:
        """Return the prompt with its template and generation prompt, and with thinking disabled.

        Special tokens that occur in a message are read as plain text.

        Raises
        ------
        InputError
            When ``chat`` is not a list of messages.
        """
        check_chat(chat)
        messages = [{**message, "content": self._neutral(message["content"])} for message in chat]
        return self._ids(render_chat(self._tokenizer, messages), controls=True)

    def ids(self, text: str) -> list[int]:
        """Return the tokens of a plain text; special tokens that occur in it are read as plain text."""
        return self._ids(text, controls=False)

    @tokenising()
    def _ids(self, text: str, *, controls: bool) -> list[int]:
        found: list[int] = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=not controls, verbose=False
        )["input_ids"]
        return found

    def text(self, ids: Sequence[int]) -> str:
        decoded: str = self._tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return decoded

    def truncate(self, text: str, tokens: int) -> str:
        """Return the longest prefix of ``text`` of at most ``tokens`` tokens."""
        return cut_tokens(self._tokenizer, text, tokens)
