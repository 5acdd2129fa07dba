"""Chats and texts as tokens: the chat template, counting, and cutting a text to its first tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models.base import Message
from e2rank_eval.models.timing import TOKENISATION, part


class ChatTokenizer:
    """What a language model needs of its Hugging Face tokenizer.

    Raises
    ------
    InputError
        When the tokenizer has no chat template, or cannot say where in a text its tokens lie.
    """

    def __init__(self, tokenizer: Any, *, name: str) -> None:
        if not tokenizer.chat_template:
            raise InputError(
                f"model {name!r} has no chat template",
                hint="name an instruction-tuned model, or add chat_template.jinja to its folder",
            )
        if not tokenizer.is_fast:
            raise InputError(f"model {name!r} has no tokenizer.json", hint="add it to the model's folder")
        self._tokenizer = tokenizer
        self._controls = [one.content for one in tokenizer.added_tokens_decoder.values() if one.special]

    @property
    def end_ids(self) -> set[int]:
        return set() if self._tokenizer.eos_token_id is None else {int(self._tokenizer.eos_token_id)}

    @property
    def pad_id(self) -> int:
        """A token to fill rows with; always masked, so any will do where the tokenizer names none."""
        return int(self._tokenizer.pad_token_id or 0)

    def chat_ids(self, chat: Sequence[Message]) -> list[int]:
        """The whole prompt: template, generation prompt, thinking disabled where the template knows it."""
        messages = [{**message, "content": self._as_text(message["content"])} for message in chat]
        prompt = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return self._ids(prompt, controls=True)

    def ids(self, text: str) -> list[int]:
        """Tokens of a plain text, which holds no control token whatever it quotes."""
        return self._ids(text, controls=False)

    @part(TOKENISATION)
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
        return truncate(self._tokenizer, text, tokens)

    def _as_text(self, content: str) -> str:
        """``content`` with every control token broken by a space.

        A document that quotes ``<|im_end|>``, or holds the HTML tag ``<s>``, would otherwise end its
        turn in the middle of the prompt.
        """
        for control in self._controls:
            content = content.replace(control, f"{control[:1]} {control[1:]}")
        return content


def truncate(tokenizer: Any, text: str, tokens: int) -> str:
    """The start of ``text``, cut after its ``tokens``-th token; unchanged where it has no more.

    A start can take more tokens by itself than it did within the text (in the middle of a word, or
    of a character of several bytes); the cut then moves back until it takes ``tokens`` at most.
    """
    if tokens <= 0:
        return ""
    offsets = _offsets(tokenizer, text)
    if len(offsets) <= tokens:
        return text
    for kept in range(tokens, 0, -1):
        start = text[: offsets[kept - 1][1]]
        if len(_offsets(tokenizer, start)) <= tokens:
            return start
    return ""


@part(TOKENISATION)
def _offsets(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """First and last character of every token."""
    found: list[tuple[int, int]] = tokenizer(
        text,
        add_special_tokens=False,
        split_special_tokens=True,
        return_offsets_mapping=True,
        truncation=False,
        verbose=False,
    )["offset_mapping"]
    return found
