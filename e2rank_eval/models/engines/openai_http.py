"""Language models on any server with OpenAI's chat-completions protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2rank_eval.errors import InputError
from e2rank_eval.models.engines import LANGUAGE_MODELS
from e2rank_eval.models.engines.http_client import HttpClient, token_count
from e2rank_eval.models.language_models import Chat, Generation, LanguageModel, NextToken, check_chat
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.store.files import sha256_json

_TURN_TOKENS = 8
"""Estimated tokens that a chat template adds to each message."""


class HttpModel(LanguageModel):
    """A served chat model; each chat is one request.

    Token counts of prompts and outputs are the server's (``usage``). Before a prompt is sent, its length is
    estimated from ``server.bytes_per_token``; the server refuses prompts that are still too long.

    Raises
    ------
    UnavailableError
        When the environment variable that the entry names for the key is not set.
    """

    def __init__(self, folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> None:  # noqa: ARG002
        server = entry.server
        assert server is not None
        self.name = folder.name
        self.window = entry.window
        self.document_tokens = entry.document_tokens
        self._server = server
        self._client = HttpClient(self.name, server, "chat/completions")
        # The 2 counts changes of the estimates of lengths, which decide outputs.
        deciding = {"engine": "openai-http 2", "window": entry.window, "server": self._client.deciding}
        self.fingerprint = sha256_json(deciding)

    def generate(self, chats: Sequence[Chat], *, max_new_tokens: int) -> list[Generation]:
        """Continue each chat at temperature 0.

        Raises
        ------
        InputError
            When the server refuses a request, or its answer does not follow the protocol.
        UnavailableError
            When the server cannot be reached or keeps failing.
        """
        options: dict[str, Any] = {self._server.output_limit: max_new_tokens}
        return self._client.post([_body(chat, options) for chat in chats], _generation)

    def next_token(self, chats: Sequence[Chat], choices: Sequence[str]) -> NextToken:
        """Return the log-probability of each choice as the whole first token.

        Surrounding white space is ignored, and so is the case of words, but not of single letters: Yes,
        `` yes`` and yes are one choice. A choice that is not among the ``server.top_logprobs`` likeliest
        tokens gets the smallest value that the server returned, and is counted as floored.

        Raises
        ------
        InputError
            When two choices are equal, or the server returns no log-probabilities, or none of any choice.
        """
        if len(set(choices)) < len(choices):
            raise InputError(f"two of the choices {list(choices)} are equal", hint="name different words")
        options = {self._server.output_limit: 1, "logprobs": True, "top_logprobs": self._server.top_logprobs}
        bodies = [_body(chat, options) for chat in chats]
        found = self._client.post(bodies, lambda answer: _choice_logits(answer, choices))
        logits = np.array([values for values, *_ in found], dtype=np.float32).reshape(-1, len(choices))
        return NextToken(logits, tuple(n for _, n, _ in found), tuple(n for *_, n in found))

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens of ``text``.

        Digits and signs are a token each, as in a ranking ``[12] > [3]``, whose count limits the output.
        """
        signs = sum(not one.isalpha() and not one.isspace() for one in text)
        return max(self._server.estimate(text), signs)

    def count_prompt_tokens(self, chat: Chat) -> int:
        """Estimate the tokens of a prompt."""
        return sum(self.count_tokens(message["content"]) + _TURN_TOKENS for message in chat)

    def truncate(self, text: str, tokens: int) -> str:
        """Cut after an estimated number of tokens, never within a character."""
        return self._server.cut(text, tokens)


def _body(chat: Chat, options: Mapping[str, Any]) -> dict[str, Any]:
    check_chat(chat)
    return {"messages": [dict(message) for message in chat], "temperature": 0, **options}


def _generation(answer: Mapping[str, Any]) -> Generation:
    choice, usage = answer["choices"][0], answer["usage"]
    reason = choice["finish_reason"]
    if reason not in ("stop", "length"):
        raise ValueError(f"finish_reason {reason!r}")
    text = choice["message"]["content"]
    # Null where a thinking model reached the limit before its answer began.
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise TypeError(f"content is a {type(text).__name__}")
    return Generation(
        text, token_count(usage["prompt_tokens"]), token_count(usage["completion_tokens"]), reason == "stop"
    )


def _choice_logits(answer: Mapping[str, Any], choices: Sequence[str]) -> tuple[list[float], int, int]:
    """Return each choice's log-probability, the number of prompt tokens, and that of floored choices."""
    content = (answer["choices"][0].get("logprobs") or {}).get("content")
    if not content:
        raise InputError(
            "the server returns no log-probabilities", hint="name a server that does, or a local model"
        )
    fold: Callable[[str], str] = str.lower if all(len(choice) > 1 for choice in choices) else str
    listed: dict[str, float] = {}
    for one in content[0]["top_logprobs"]:
        token = fold(one["token"].strip())
        listed[token] = float(np.logaddexp(float(one["logprob"]), listed.get(token, -np.inf)))
    missing = sum(fold(choice) not in listed for choice in choices)
    if missing == len(choices):
        raise InputError(
            f"none of {', '.join(choices)} is among the {len(listed)} likeliest first tokens",
            hint="raise server.top_logprobs as far as the server allows, or use a local model",
        )
    floor = min(float(one["logprob"]) for one in content[0]["top_logprobs"])
    values = [listed.get(fold(choice), floor) for choice in choices]
    return values, token_count(answer["usage"]["prompt_tokens"]), missing


LANGUAGE_MODELS.add("openai-http", HttpModel)
