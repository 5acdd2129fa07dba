"""Any server of OpenAI's chat-completions protocol as the engine of text, through the openai client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import numpy as np
from anyio.from_thread import start_blocking_portal

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.engines import LANGUAGE_MODELS
from e2rank_eval.models.language_models import Chat, Generation, LanguageModel, NextToken
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.store.files import sha256_json

_TURN_TOKENS = 8
"""Estimated tokens that a chat template adds to each message."""
_EXCERPT = 200

Read = TypeVar("Read")


class HttpModel(LanguageModel):
    """Chats are sent one by one, ``server.concurrency`` of them at a time; answers keep their order.

    Token counts of prompts and outputs are the server's own (``usage``). Before a prompt is sent its
    length can only be estimated, from ``server.bytes_per_token``; what is too long for the server all
    the same, it refuses with a message of its own. The client retries what may pass (no connection,
    time-outs, truncated answers, overload), as Retry-After asks or after a growing random pause.

    Raises
    ------
    UnavailableError
        When the environment lacks the key that the entry names.
    """

    def __init__(self, folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> None:  # noqa: ARG002
        server = entry.server
        assert server is not None
        self.name = folder.name
        self.window = entry.window
        self.document_tokens = entry.document_tokens
        self._server = server
        self._url = f"{server.base_url.rstrip('/')}/chat/completions"
        self._key = _key(self.name, server.key_variable)
        undeciding = {"key_variable", "concurrency", "timeout", "attempts", "prices"}
        self.fingerprint = sha256_json(
            {
                "engine": "openai-http",
                "window": entry.window,
                "server": server.model_dump(mode="json", exclude=undeciding),
            }
        )

    def generate(
        self, chats: Sequence[Chat], *, max_new_tokens: int, min_new_tokens: int = 0
    ) -> list[Generation]:
        """Continue each chat at temperature 0.

        Raises
        ------
        InputError
            When the server refuses a request, its answer is not of the protocol, or an answer has ended
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

    def next_token(self, chats: Sequence[Chat], choices: Sequence[str]) -> NextToken:
        """Return log-probabilities of each choice as the whole first token, white space around it aside.

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

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens of ``text``."""
        return int(-(-len(text.encode()) // self._server.bytes_per_token))

    def count_prompt_tokens(self, chat: Chat) -> int:
        """Estimate the tokens of a prompt."""
        return sum(self.count_tokens(message["content"]) + _TURN_TOKENS for message in chat)

    def truncate(self, text: str, tokens: int) -> str:
        """Cut after an estimated number of tokens, never within a character."""
        kept = max(0, int(tokens * self._server.bytes_per_token))
        encoded = text.encode()
        return text if len(encoded) <= kept else encoded[:kept].decode(errors="ignore")

    def _ask(
        self,
        chats: Sequence[Chat],
        options: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Read],
    ) -> list[Read]:
        # An event loop in a thread of its own: a notebook has one running already.
        with start_blocking_portal() as portal:
            return portal.call(self._answers, chats, options, read)

    async def _answers(
        self,
        chats: Sequence[Chat],
        options: Mapping[str, Any],
        read: Callable[[Mapping[str, Any]], Read],
    ) -> list[Read]:
        import openai

        free = asyncio.Semaphore(self._server.concurrency)
        settings = {"temperature": 0, **options, **self._server.extra}

        async def one(chat: Chat) -> Read:
            async with free:
                raw = await client.chat.completions.with_raw_response.create(
                    model=self._server.model,
                    messages=[dict(message) for message in chat],  # type: ignore[misc]
                    extra_headers={} if self._key else {"Authorization": openai.Omit()},
                    extra_body=settings,
                )
                return self._read(raw.http_response.json(), read)

        transport = _CheckedTransport(self._server.timeout)
        async with openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._server.base_url,
            timeout=self._server.timeout,
            max_retries=self._server.attempts - 1,
            http_client=httpx2.AsyncClient(transport=transport, timeout=None),
        ) as client:
            try:
                return await asyncio.gather(*(one(chat) for chat in chats))
            except openai.APIStatusError as error:
                raise self._refused(error.response) from error
            except openai.APIConnectionError as error:
                raise UnavailableError(
                    f"{self._url}: {error.__cause__ or error}, after {self._server.attempts} attempts; check "
                    "the server, then run again"
                ) from error

    def _read(self, answer: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Read]) -> Read:
        try:
            return read(answer)
        except InputError as error:
            raise InputError(error.problem, path=self._url, hint=error.hint) from error
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"the answer is not of the chat-completions protocol ({type(error).__name__}: {error}): "
                f"{str(answer)[:_EXCERPT]}",
                path=self._url,
                hint="give the base_url of an OpenAI-compatible server, such as http://host:8000/v1",
            ) from error

    def _refused(self, response: httpx2.Response) -> Exception:
        """Return the error for an answer that the client did not accept, or not any more."""
        status = response.status_code
        said = f"status {status} ({_excerpt(response.content)})"
        if status in (408, 409, 429) or status >= 500:
            pause = response.headers.get("Retry-After")
            asked = f"; it asks to wait {pause} s" if pause else ""
            return UnavailableError(
                f"{self._url}: {said}, after up to {self._server.attempts} attempts{asked}; run again later"
            )
        if status in (401, 403):
            hint = "set the variable that the model's server.key_variable names"
        elif 300 <= status < 400:
            hint = f"give {response.headers.get('Location')!r} as base_url"
        else:
            hint = "fix what the server names"
        return InputError(said, path=self._url, hint=hint)


class _CheckedTransport(httpx2.AsyncHTTPTransport):
    """Adds what the client lacks: a deadline for a whole exchange, and errors inside a 200 answer.

    The client limits single reads, so that a server could send one byte after another for ever. Gateways
    send what their upstream answers with status 200, an error in place of an answer. Both, and answers
    that are not JSON, are presented to the client as what it knows to retry or to raise.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            async with asyncio.timeout(self._seconds):
                response = await super().handle_async_request(request)
                await response.aread()
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"no whole answer within {self._seconds:g} s") from error
        if response.status_code != 200:
            return response
        try:
            answer = response.json()
        except (ValueError, RecursionError) as error:
            raise httpx2.RemoteProtocolError(f"not JSON ({_excerpt(response.content)})") from error
        if not isinstance(answer, dict):
            raise httpx2.RemoteProtocolError(f"not a JSON object ({_excerpt(response.content)})")
        if inner := answer.get("error"):
            code = inner.get("code") if isinstance(inner, dict) else None
            status = code if type(code) is int and 400 <= code < 600 else 400
            return httpx2.Response(status, content=response.content)
        return response


def _key(name: str, variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key:
        raise UnavailableError(f"model {name!r} needs a key; set the environment variable {variable}")
    return key


def _excerpt(answer: bytes) -> str:
    text = " ".join(answer[: 4 * _EXCERPT].decode(errors="replace").split())
    return text[:_EXCERPT] + ("..." if len(text) > _EXCERPT else "") or "empty answer"


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
    content = (answer["choices"][0].get("logprobs") or {}).get("content")
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


LANGUAGE_MODELS.add("openai-http", HttpModel)
