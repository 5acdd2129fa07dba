"""One HTTP endpoint that takes and gives JSON: time limits, retries with back-off, clear errors."""

from __future__ import annotations

import email.utils
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.language_models.deadline import Deadline, deadline, pool_manager
from e2rank_eval.progress import say

_TRANSIENT = {408, 409, 425, 429, *range(500, 600)} - {501, 505}
"""Statuses that a later attempt may not meet: overload, rate limits, a restarting server or its gateway."""
_CONNECT_SECONDS = 10.0
_LONGEST_WAIT = 120.0
"""Seconds: a server that asks for more is not waited for."""
_NEVER = 1e9
"""Seconds: no server means more, and more would overflow."""
_LARGEST_BODY = 64 * 2**20
_CHUNK = 2**16
_EXCERPT = 200


class _PassingError(Exception):
    """An attempt failed in a way that the next one may not; ``wait`` is the pause the server asked for."""

    def __init__(self, problem: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Posts JSON objects to ``url``; safe to use from several threads.

    An attempt may take ``timeout`` seconds in all, however slowly its answer drips. Failures that may
    pass (no connection, time-outs, cut or unreadable bodies, overload) are tried ``attempts`` times,
    after the pause that Retry-After asks for, or a random one of up to ``first_wait`` x 2^n seconds.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float = 300.0
    attempts: int = 6
    first_wait: float = 1.0
    connections: int = 4
    _pool: urllib3.PoolManager = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pool = pool_manager(maxsize=self.connections, block=True, retries=False)
        object.__setattr__(self, "_pool", pool)

    def post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that the server answers ``body`` with.

        Raises
        ------
        InputError
            When the server refuses the request: its status and the start of its answer are named.
        UnavailableError
            When no attempt succeeded, or the server asks for a pause of more than two minutes.
        """
        content = json.dumps(body).encode()
        for attempt in range(1, self.attempts + 1):
            try:
                return self._attempt(content)
            except _PassingError as failure:
                if attempt == self.attempts:
                    raise UnavailableError(
                        f"{self.url}: {failure}, after {attempt} attempts; check the server, then run again"
                    ) from failure
                wait = self._wait(failure, attempt)
                say(f"{self.url}: {failure}; trying again in {wait:.1f} s")
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        self._pool.clear()

    def _wait(self, failure: _PassingError, attempt: int) -> float:
        if failure.wait is None:
            # Random, so that the requests of one burst do not come back as one burst.
            return random.uniform(0.5, 1.0) * min(_LONGEST_WAIT, self.first_wait * 2.0 ** (attempt - 1))
        if failure.wait > _LONGEST_WAIT:
            raise UnavailableError(
                f"{self.url}: {failure}, and asks to come back in {failure.wait:.0f} s; run again then"
            ) from failure
        return failure.wait

    def _attempt(self, content: bytes) -> dict[str, Any]:
        with deadline(self.timeout) as limit:
            try:
                status, headers, answer = self._exchange(content, limit)
            except _PassingError as failure:
                if limit.passed:
                    raise _PassingError(f"no whole answer within {self.timeout:g} s") from failure
                raise
            if limit.passed:  # what came may look whole and is not
                raise _PassingError(f"no whole answer within {self.timeout:g} s")
        return self._read(status, headers, answer)

    def _exchange(self, content: bytes, limit: Deadline) -> tuple[int, Mapping[str, str], bytes]:
        try:
            response = self._pool.urlopen(
                "POST",
                self.url,
                body=content,
                headers={"Content-Type": "application/json", **self.headers},
                timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, self.timeout), read=self.timeout),
                redirect=False,
                preload_content=False,
            )
            try:
                answer = self._body(response, limit)
            except BaseException:
                response.close()
                raise
            response.release_conn()
            return response.status, response.headers, answer
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise _PassingError(f"cannot be reached ({error})") from error
        except urllib3.exceptions.TimeoutError as error:
            raise _PassingError(f"no answer within {self.timeout:g} s") from error
        except (urllib3.exceptions.LocationValueError, UnicodeError) as error:
            raise InputError(f"{self.url}: no usable address ({error})", hint="fix base_url") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _PassingError(f"no whole answer ({type(error).__name__}: {error})") from error

    def _body(self, response: urllib3.BaseHTTPResponse, limit: Deadline) -> bytes:
        parts, size = list[bytes](), 0
        while part := response.read1(_CHUNK):
            parts.append(part)
            size += len(part)
            if limit.passed:
                break
            if size > _LARGEST_BODY:
                raise InputError(f"{self.url}: an answer of more than {_LARGEST_BODY} bytes")
        return b"".join(parts)

    def _read(self, status: int, headers: Mapping[str, str], answer: bytes) -> dict[str, Any]:
        if status in _TRANSIENT:
            raise _PassingError(f"status {status} ({_excerpt(answer)})", _retry_after(headers))
        if status in (401, 403):
            raise InputError(
                f"{self.url}: the key was refused, status {status} ({_excerpt(answer)})",
                hint="set the variable that the model's server.key_variable names",
            )
        if 300 <= status < 400:
            raise InputError(
                f"{self.url}: redirects to {headers.get('Location')!r}", hint="give that address as base_url"
            )
        if not 200 <= status < 300:
            raise InputError(
                f"{self.url}: status {status} ({_excerpt(answer)})", hint="fix what the server names"
            )
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError) as error:
            raise _PassingError(f"the answer is no JSON ({_excerpt(answer)})") from error
        if not isinstance(found, dict):
            raise _PassingError(f"the answer is no JSON object ({_excerpt(answer)})")
        self._refuse_error(found)
        return found

    def _refuse_error(self, found: Mapping[str, Any]) -> None:
        """Gateways send what their upstream answers with status 200, an error in place of an answer."""
        error = found.get("error")
        if not error:
            return
        code = error.get("code") if isinstance(error, dict) else None
        told = _excerpt(json.dumps(error, ensure_ascii=False).encode(errors="replace"))
        if isinstance(code, int) and code in _TRANSIENT:
            raise _PassingError(f"an error with status 200 ({told})")
        raise InputError(f"{self.url}: an error with status 200 ({told})", hint="fix what the server names")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, given as a number or as a date; None where the header is absent or makes no sense."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        return min(float(value), _NEVER)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, until.timestamp() - time.time())


def _excerpt(answer: bytes) -> str:
    text = " ".join(answer[: 4 * _EXCERPT].decode(errors="replace").split())
    return text[:_EXCERPT] + ("..." if len(text) > _EXCERPT else "") or "empty answer"
