"""A server that misbehaves: what may pass is tried again, the rest is reported with its endpoint."""

from __future__ import annotations

import gzip
import json
import time
from email.utils import formatdate
from typing import Any

import pytest
from chat_server import (
    Behaviour,
    ChatServer,
    breaks_its_chunks,
    completion,
    drips,
    hangs_up,
    is_cut,
    is_slow,
    resets,
    says,
    sends,
    served,
    talks_nonsense,
    texts,
)
from tiny_chat_models import entry

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.engines.openai_http import HttpModel

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ANSWER = json.dumps(completion()).encode()
DRIP = b"a" * 400
HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


def assert_reported(
    server: ChatServer, model: HttpModel, usual: Behaviour, error: type[Exception], message: str
) -> None:
    """A server that always behaves so makes the model raise ``error``, which names the endpoint."""
    server.usual = usual
    with pytest.raises(error, match=message) as raised:
        texts(model)
    assert f"{server.base_url}/chat/completions" in str(raised.value)


@pytest.mark.parametrize(
    "failure",
    [
        says(b"", status=500),
        says({"error": "overloaded"}, status=503),
        says(HTML),
        says(b'{"choices": [{"mess'),
        says([1, 2]),
        says(b"[" * 100_000),
        says(b"not gzip", Content_Encoding="gzip"),
        says(b"", status=204),
        is_cut,
        hangs_up,
        talks_nonsense,
        breaks_its_chunks,
        resets,
        says(b"unknown", status=520),
        says({"error": {"code": 502, "message": "upstream"}, "choices": None}),
        says('{"choices": "\xe9"}'.encode("latin-1")),
        says(gzip.compress(ANSWER)[:-12], Content_Encoding="gzip"),
        sends(HEAD + b"Content-Length: 20\r\n\r\n" + ANSWER),
        sends(HEAD + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n" + ANSWER),
        sends(HEAD + CHUNKED + b"-5\r\n" + ANSWER + b"\r\n0\r\n\r\n"),
        sends(HEAD + b"X: y\r\n" * 200 + b"\r\n" + ANSWER),
        sends(ANSWER),
    ],
    ids=[
        "500",
        "503",
        "HTML",
        "half JSON",
        "a list",
        "deep JSON",
        "false gzip",
        "204",
        "cut body",
        "no answer",
        "no HTTP",
        "broken chunks",
        "reset",
        "520",
        "200 with an error that passes",
        "no UTF-8",
        "cut gzip",
        "length too short",
        "two lengths",
        "negative chunk",
        "two hundred headers",
        "no status line",
    ],
)
def test_what_may_pass_is_tried_again(server: ChatServer, model: HttpModel, failure: Behaviour) -> None:
    server.script = [failure, failure]
    assert texts(model) == ["fine"]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (says(b"boom", status=500), r"status 500 \(boom\), after 3 attempts"),
        (says(HTML), r"no JSON \(<!DOCTYPE html>.*Bad Gateway"),
        (is_cut, "no whole answer .*after 3 attempts"),
        (hangs_up, "no whole answer"),
    ],
)
def test_what_does_not_pass_is_reported_with_the_endpoint(
    server: ChatServer, model: HttpModel, failure: Behaviour, message: str
) -> None:
    assert_reported(server, model, failure, UnavailableError, message)


@pytest.mark.parametrize(
    "failure",
    [
        is_slow(2.0),
        drips,
        sends(HEAD + b"X: " + DRIP, pause=0.05),
        sends(b"HTTP/1.1 200 " + DRIP, pause=0.05),
        sends(b"HTTP/1.1 100 Continue\r\n\r\n" * 20, pause=0.05),
        sends(HEAD + CHUNKED + b"5;" + DRIP, pause=0.05),
    ],
    ids=["silence", "body", "header", "status", "interim answers", "chunk's extension"],
)
def test_an_attempt_has_a_time_limit_however_slowly_it_drips(server: ChatServer, failure: Behaviour) -> None:
    model = HttpModel("tiny", served(server, timeout=0.3, attempts=2), first_wait=0.01)
    server.script = [failure]
    start = time.monotonic()
    assert texts(model) == ["fine"]
    assert 0.3 <= time.monotonic() - start < 1.5
    server.usual = failure
    with pytest.raises(UnavailableError, match=r"answer within 0\.3 s, after 2 attempts"):
        texts(model)
    model.close()


def test_retry_after_is_kept_to_the_second(server: ChatServer, model: HttpModel) -> None:
    server.script = [says(b"slow down", status=429, Retry_After="1")]
    start = time.monotonic()
    assert texts(model) == ["fine"]
    assert 1.0 <= time.monotonic() - start < 2.0


def test_retry_after_may_be_a_date_or_nonsense(server: ChatServer, model: HttpModel) -> None:
    past = formatdate(time.time() - 60, usegmt=True)
    server.script = [says(b"", status=429, Retry_After=past), says(b"", status=429, Retry_After="soon")]
    start = time.monotonic()
    assert texts(model) == ["fine"]
    assert time.monotonic() - start < 1.0


def test_a_pause_of_an_hour_is_not_waited_for(server: ChatServer, model: HttpModel) -> None:
    server.script = [says(b"quota", status=429, Retry_After="3600")]
    with pytest.raises(UnavailableError, match=r"status 429 \(quota\), and asks to come back in 3600 s"):
        texts(model)
    server.script = [says(b"quota", status=429, Retry_After="9" * 400)]
    with pytest.raises(UnavailableError, match="asks to come back in 1000000000 s"):
        texts(model)


@pytest.mark.parametrize("asked", ["-7", ".", "Mon, 01 Jan 0001 00:00:00 -0000"])
def test_a_pause_that_makes_no_sense_is_our_own(server: ChatServer, model: HttpModel, asked: str) -> None:
    server.script = [says(b"", status=429, Retry_After=asked)]
    assert texts(model) == ["fine"]
    assert len(server.requests) == 2


def test_an_answer_nobody_asked_for_is_not_taken_for_the_next(server: ChatServer, model: HttpModel) -> None:
    stale = json.dumps(completion("stale")).encode()
    answers = [HEAD + b"Content-Length: %d\r\n\r\n" % len(one) + one for one in (ANSWER, stale)]

    def twice(handler: Any, _: dict[str, Any]) -> None:
        handler.wfile.write(b"".join(answers))

    server.script = [twice]
    assert [texts(model), texts(model)] == [["fine"], ["fine"]]
    assert len(server.requests) == 2


@pytest.mark.parametrize("coding", ["utf-16", "utf-8-sig"])
def test_other_codings_of_json_are_read(server: ChatServer, model: HttpModel, coding: str) -> None:
    server.script = [says(json.dumps(completion("größer"), ensure_ascii=False).encode(coding))]
    assert texts(model) == ["größer"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (says({"error": "bad key"}, status=401), "the key was refused, status 401 .*bad key"),
        (says({"error": "context length exceeded"}, status=400), "status 400 .*context length exceeded"),
        (says(b"", status=404), r"status 404 \(empty answer\)"),
        (says(b"", status=308, Location="/v2"), "redirects to '/v2'"),
        (says(completion(choices=[])), "not of the chat-completions protocol .IndexError"),
        (says(completion(choices=["fine"])), "not of the chat-completions protocol"),
        (says({"error": {"message": "no such model"}}), "an error with status 200 .*no such model"),
        (says({"error": "overloaded"}), 'an error with status 200 ."overloaded"'),
        (says({"choices": None}), "not of the chat-completions protocol"),
        (says({"object": "list"}), "not of the chat-completions protocol .KeyError: 'choices'"),
        (says(completion(usage=None)), "not of the chat-completions protocol"),
        (says(completion(usage={"prompt_tokens": 1, "completion_tokens": "3"})), "a count of tokens is '3'"),
        (says(completion(["a"])), "content is a list"),  # type: ignore[arg-type]
        (says(completion("", reason="content_filter")), "finish_reason 'content_filter'"),
    ],
)
def test_what_will_not_pass_is_reported_at_once(
    server: ChatServer, model: HttpModel, answer: Behaviour, message: str
) -> None:
    assert_reported(server, model, answer, InputError, message)
    assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_named() -> None:
    where = {"base_url": "http://127.0.0.1:9/v1", "model": "tiny", "attempts": 2}
    model = HttpModel("tiny", entry(format="openai-http", sources=[], server=where), first_wait=0.01)
    with pytest.raises(UnavailableError, match=r":9/v1/chat/completions: cannot be reached"):
        texts(model)


def test_one_failing_request_among_many_ends_the_batch(server: ChatServer, model: HttpModel) -> None:
    server.script = [says(completion()), says(b"", status=400)]
    with pytest.raises(InputError, match="status 400"):
        texts(model, 40)
    assert len(server.requests) < 20
