"""A chat server on loopback, and the model that asks it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer
from tiny_chat_models import entry
from werkzeug import Response

from e2rank_eval.models.engines.openai_http import HttpModel
from e2rank_eval.models.loading import load_language_model
from e2rank_eval.models.registry import ModelEntry

CHAT = [{"role": "user", "content": "hello"}]
PATH = "/v1/chat/completions"
HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


def completion(text: Any = "fine", *, reason: str = "stop", **changes: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": reason}
    usage = {"prompt_tokens": 11, "completion_tokens": 3}
    return {"choices": [choice], "usage": usage} | changes


def first_token(**logprobs: float) -> dict[str, Any]:
    top = [{"token": token, "logprob": value} for token, value in logprobs.items()]
    answer = completion("x", reason="length")
    answer["choices"][0]["logprobs"] = {"content": [{"token": "x", "top_logprobs": top}]}
    return answer


def says(answer: Any, *, status: int = 200, **headers: str) -> Response:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(content, status=status, headers=named, content_type="application/json")


def served(server: HTTPServer, **options: Any) -> ModelEntry:
    where = {"base_url": server.url_for("/v1"), "model": "tiny", "timeout": 5.0, "attempts": 3} | options
    return entry(format="openai-http", sources=[], server=where)


def load(given: ModelEntry) -> HttpModel:
    model = load_language_model(Path("nowhere/tiny"), given, file_hashes={})
    assert isinstance(model, HttpModel)
    return model


def ask(given: ModelEntry, count: int = 1) -> list[str]:
    return [one.text for one in load(given).generate([CHAT] * count, max_new_tokens=5)]


def script(server: HTTPServer, answers: Sequence[Response], usual: Response | None = None) -> None:
    for answer in answers:
        server.expect_oneshot_request(PATH).respond_with_response(answer)
    server.expect_request(PATH).respond_with_response(usual or says(completion()))
