"""Requests to OpenAI-compatible servers through the openai client: concurrent, retried, each checked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx2
from anyio.from_thread import start_blocking_portal

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.registry import Server

_EXCERPT = 200

Read = TypeVar("Read")


class HttpClient:
    """Sends requests to the server of a registry entry, at most ``server.concurrency`` at a time.

    Temporary failures (no connection, time-outs, truncated answers, overload) are retried after the
    time in Retry-After, or with exponential backoff.

    Raises
    ------
    UnavailableError
        When the environment variable that the entry names for the key is not set.
    """

    def __init__(self, name: str, server: Server, path: str) -> None:
        self._server = server
        self._path = "/" + (server.path or path).lstrip("/")
        self._url = server.base_url.rstrip("/") + self._path
        self._key = _key(name, server.key_variable)
        undeciding = {"key_variable", "concurrency", "timeout", "attempts", "prices"}
        self.deciding = server.model_dump(mode="json", exclude=undeciding)

    def post(self, bodies: Sequence[Mapping[str, Any]], read: Callable[[Any], Read]) -> list[Read]:
        """Post each body, extended by ``server.extra``, and return ``read(answer)`` in the same order.

        Raises
        ------
        InputError
            When the server refuses a request, or ``read`` rejects its answer.
        UnavailableError
            When the server cannot be reached or keeps failing.
        """
        # The event loop runs in another thread, as a notebook already has one in this thread.
        with start_blocking_portal() as portal:
            return portal.call(self._answers, bodies, read)

    async def _answers(self, bodies: Sequence[Mapping[str, Any]], read: Callable[[Any], Read]) -> list[Read]:
        import openai

        free = asyncio.Semaphore(self._server.concurrency)
        headers: dict[str, Any] = {} if self._key else {"Authorization": openai.Omit()}

        async def one(body: Mapping[str, Any]) -> Read:
            async with free:
                asked = {"model": self._server.model, **body, **self._server.extra}
                answer = await client.post(
                    self._path, cast_to=httpx2.Response, body=asked, options={"headers": headers}
                )
                return self._read(answer.json(), read)

        transport = _CheckedTransport(self._server.timeout)
        async with openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._server.base_url,
            timeout=self._server.timeout,
            max_retries=self._server.attempts - 1,
            http_client=httpx2.AsyncClient(transport=transport, timeout=None),
        ) as client:
            try:
                return await asyncio.gather(*map(one, bodies))
            except openai.APIStatusError as error:
                raise self._refused(error.response) from error
            except openai.APIConnectionError as error:
                raise UnavailableError(
                    f"{self._url}: {error.__cause__ or error}, after {self._server.attempts} attempts; check "
                    "the server, then run again"
                ) from error

    def _read(self, answer: Any, read: Callable[[Any], Read]) -> Read:
        try:
            return read(answer)
        except InputError as error:
            raise InputError(error.problem, path=self._url, hint=error.hint) from error
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"the answer does not follow OpenAI's protocol ({type(error).__name__}: {error}): "
                f"{str(answer)[:_EXCERPT]}",
                path=self._url,
                hint="give the base_url of an OpenAI-compatible server, such as http://host:8000/v1",
            ) from error

    def _refused(self, response: httpx2.Response) -> Exception:
        """Return the error for a response with an error status."""
        status = response.status_code
        said = f"status {status} ({_excerpt(response.content)})"
        if status in (408, 409, 429) or status >= 500:
            pause = response.headers.get("Retry-After")
            asked = f"; Retry-After is {pause} s" if pause else ""
            return UnavailableError(
                f"{self._url}: {said}, after up to {self._server.attempts} attempts{asked}; run again later"
            )
        if status in (401, 403):
            hint = "set the variable that the model's server.key_variable names"
        elif 300 <= status < 400:
            hint = f"give {response.headers.get('Location')!r} as base_url"
        else:
            hint = "fix what the server's message names"
        return InputError(said, path=self._url, hint=hint)


class _CheckedTransport(httpx2.AsyncHTTPTransport):
    """Adds to the openai client a deadline for a whole exchange, and the detection of errors in a 200 answer.

    The client's time-out applies to single reads, so a server that sends single bytes could block it
    forever. Gateways can pass on an upstream error with status 200. Both cases, and answers that are not
    JSON, are turned into errors that the client retries or raises.
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
        if not isinstance(answer, dict | list):
            raise httpx2.RemoteProtocolError(f"not a JSON object ({_excerpt(response.content)})")
        if isinstance(answer, dict) and (inner := answer.get("error")):
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


def token_count(value: Any) -> int:
    """Return ``value`` if it is a valid token count; raises ValueError otherwise."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a number of tokens")
    return value
