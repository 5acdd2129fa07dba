"""A chat model behind any server that speaks OpenAI's chat-completions protocol."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.language_models.base import Generation, Likelihood, Message, NextToken
from e2rank_eval.models.language_models.endpoint import Endpoint
from e2rank_eval.models.registry import ModelEntry, Server
from e2rank_eval.store.files import sha256_json

_TURN_TOKENS = 8
"""Estimated tokens that a chat template adds to each message."""

Read = TypeVar("Read")


class HttpModel:
    """Chats are sent one by one, ``server.concurrency`` of them at a time; answers keep their order.

    Token counts of prompts and outputs are the server's own (``usage``). Before a prompt is sent its
    length can only be estimated, from ``server.bytes_per_token``; what is too long for the server all
    the same, it refuses with a message of its own.

    Raises
    ------
    InputError
        When the entry names no server.
    UnavailableError
        When the environment lacks the key that the entry names.
    """

    def __init__(self, name: str, entry: ModelEntry, *, first_wait: float = 1.0) -> None:
        if entry.server is None:
            raise InputError(f"model {name!r} names no server", hint="give server.base_url and server.model")
        self.name = name
        self.window = entry.window
        self.document_tokens = entry.document_tokens
        self._server: Server = entry.server
        self.fingerprint = sha256_json(
            {
                "engine": "openai-http",
                "window": entry.window,
                "server": entry.server.model_dump(
                    mode="json", exclude={"key_variable", "concurrency", "timeout", "attempts", "prices"}
                ),
            }
        )
        self._endpoint = Endpoint(
            self._server.base_url.rstrip("/") + "/chat/completions",
            _authorisation(name, self._server.key_variable),
            timeout=self._server.timeout,
            attempts=self._server.attempts,
            first_wait=first_wait,
            connections=self._server.concurrency,
        )

    def generate(
        self, chats: Sequence[Sequence[Message]], *, max_new_tokens: int, min_new_tokens: int = 0
    ) -> list[Generation]:
        """Continue each chat at temperature 0.

        Raises
        ------
        InputError
            When the server refuses a request, its answer is not of the protocol, or an answer ended
            before ``min_new_tokens`` (sent as ``min_tokens``, which not every server knows).
        UnavailableError
            When the server cannot be reached or keeps failing.
        """
        options: dict[str, Any] = {self._server.output_limit: max_new_tokens}
        if min_new_tokens:
            options["min_tokens"] = min_new_tokens

        def read(answer: Mapping[str, Any]) -> Generation:
            found = _generation(answer)
            if found.output_tokens < min_new_tokens:
                raise InputError(
                    f"an answer of {found.output_tokens} tokens instead of {min_new_tokens} at least",
                    hint="name a server that knows min_tokens",
                )
            return found

        return self._ask(chats, options, read)

    def next_token(self, chats: Sequence[Sequence[Message]], choices: Sequence[str]) -> NextToken:
        """Log-probabilities of each choice as the whole first token, white space around it aside.

        Raises
        ------
        InputError
            When two choices are the same, the server gives no log-probabilities, or a choice is not
            among the ``server.top_logprobs`` likeliest tokens: its value is then unknown.
        """
        if len(set(choices)) < len(choices):
            raise InputError(f"two of the choices {list(choices)} are one", hint="name different words")
        options = {self._server.output_limit: 1, "logprobs": True, "top_logprobs": self._server.top_logprobs}
        found = self._ask(chats, options, lambda answer: _choice_logits(answer, choices))
        logits = np.array([values for values, _ in found], dtype=np.float32).reshape(-1, len(choices))
        return NextToken(logits, tuple(tokens for _, tokens in found))

    def likelihood(
        self,
        chats: Sequence[Sequence[Message]],  # noqa: ARG002 - of the protocol
        continuations: Sequence[str],  # noqa: ARG002
    ) -> list[Likelihood]:
        """Raises InputError: the protocol gives no probabilities of a text that the model did not write."""
        raise InputError(
            "a chat-completions server cannot tell how likely a given text is",
            path=self._endpoint.url,
            hint="use a local model, or another prompt than query-likelihood",
        )

    def count_tokens(self, text: str) -> int:
        """Estimated."""
        return int(-(-len(text.encode()) // self._server.bytes_per_token))

    def count_prompt_tokens(self, chat: Sequence[Message]) -> int:
        """Estimated."""
        return sum(self.count_tokens(message["content"]) + _TURN_TOKENS for message in chat)

    def truncate(self, text: str, tokens: int) -> str:
        """Cut after an estimated number of tokens, never within a character."""
        kept = max(0, int(tokens * self._server.bytes_per_token))
        encoded = text.encode()
        return text if len(encoded) <= kept else encoded[:kept].decode(errors="ignore")

    def synchronise(self) -> None:
        """Nothing is queued on a device here."""

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._endpoint.close()

    def _ask(
        self,
        chats: Sequence[Sequence[Message]],
        options: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Read],
    ) -> list[Read]:
        def one(chat: Sequence[Message]) -> Read:
            body = {
                "model": self._server.model,
                "messages": [dict(message) for message in chat],
                "temperature": 0,
                **options,
                **self._server.extra,
            }
            answer = self._endpoint.post(body)
            try:
                return read(answer)
            except InputError as error:
                raise InputError(error.problem, path=self._endpoint.url, hint=error.hint) from error
            except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
                raise InputError(
                    f"the answer is not of the chat-completions protocol ({type(error).__name__}: {error}): "
                    f"{str(answer)[:200]}",
                    path=self._endpoint.url,
                    hint="give the base_url of an OpenAI-compatible server, such as http://host:8000/v1",
                ) from error

        pool = ThreadPoolExecutor(self._server.concurrency)
        try:
            return list(pool.map(one, chats))
        finally:
            pool.shutdown(cancel_futures=True)


def _authorisation(name: str, variable: str | None) -> dict[str, str]:
    if variable is None:
        return {}
    key = os.environ.get(variable, "")
    if not key:
        raise UnavailableError(f"model {name!r} needs a key; set the environment variable {variable}")
    return {"Authorization": f"Bearer {key}"}


def _generation(answer: Mapping[str, Any]) -> Generation:
    choice, usage = answer["choices"][0], answer["usage"]
    reason = choice["finish_reason"]
    if reason not in ("stop", "length"):
        raise ValueError(f"finish_reason {reason!r}")
    text = choice["message"]["content"]
    # Null where the limit was reached before the answer began, as by a model that thinks first.
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise TypeError(f"content is a {type(text).__name__}")
    return Generation(
        text, _count(usage["prompt_tokens"]), _count(usage["completion_tokens"]), reason == "stop"
    )


def _choice_logits(answer: Mapping[str, Any], choices: Sequence[str]) -> tuple[list[float], int]:
    choice = answer["choices"][0]
    content = (choice.get("logprobs") or {}).get("content")
    if not content:
        raise InputError(
            "the server gives no log-probabilities", hint="name a server that does, or a local model"
        )
    listed: dict[str, float] = {}
    for one in content[0]["top_logprobs"]:
        token = one["token"].strip()
        listed[token] = max(float(one["logprob"]), listed.get(token, -np.inf))
    missing = [choice for choice in choices if choice not in listed]
    if missing:
        raise InputError(
            f"{', '.join(missing)} not among the {len(listed)} likeliest first tokens, so no value is known",
            hint="raise server.top_logprobs as far as the server allows, or use a local model",
        )
    return [listed[one] for one in choices], _count(answer["usage"]["prompt_tokens"])


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"a count of tokens is {value!r}")
    return value
