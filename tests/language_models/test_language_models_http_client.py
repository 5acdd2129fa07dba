"""The client of served models against servers that answer badly, late or never."""

from __future__ import annotations

import gzip
import json
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET, socket
from typing import Any

import pytest
from chat_server import HTML, PATH, ask, completion, load, says, script, served
from pytest_httpserver import HTTPServer
from tiny_chat_models import entry
from werkzeug import Request, Response

from e2rank_eval.errors import InputError, UnavailableError


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)


def test_a_key_is_named_where_it_is_missing_and_never_shown(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(UnavailableError, match="set the environment variable SOME_KEY"):
        load(served(httpserver, key_variable="SOME_KEY"))
    script(httpserver, [], says({"error": "bad key"}, status=401))
    with pytest.raises(InputError, match=r"status 401 .*bad key"):
        ask(served(httpserver))
    assert "Authorization" not in httpserver.log[0][0].headers
    monkeypatch.setenv("SOME_KEY", "secret")
    with pytest.raises(InputError, match=r"status 401 .*key_variable") as error:
        ask(served(httpserver, key_variable="SOME_KEY"))
    assert "secret" not in str(error.value)


def test_answers_keep_their_order_and_few_requests_are_concurrent(httpserver: HTTPServer) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def echo(request: Request) -> Response:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        text = request.get_json()["messages"][0]["content"]
        time.sleep(0.02 * (5 - int(text) % 5))
        with lock:
            running -= 1
        return says(completion(text))

    httpserver.expect_request(PATH).respond_with_handler(echo)
    model = load(served(httpserver, concurrency=3, output_limit="max_completion_tokens"))
    chats = [[{"role": "user", "content": str(number)}] for number in range(12)]
    assert [one.text for one in model.generate(chats, max_new_tokens=5)] == [str(n) for n in range(12)]
    assert most == 3
    assert httpserver.log[0][0].json["max_completion_tokens"] == 5
    assert model.generate([], max_new_tokens=5) == []


@pytest.mark.parametrize(
    "failure",
    [
        says(b"", status=500),
        says({"error": "overloaded"}, status=503),
        says(b"unknown", status=520),
        says(HTML),
        says(b'{"choices": [{"mess'),
        says(b"[" * 100_000),
        says(b"not gzip", Content_Encoding="gzip"),
        says(gzip.compress(json.dumps(completion()).encode())[:-12], Content_Encoding="gzip"),
        says({"error": {"code": 502, "message": "upstream"}, "choices": None}),
        says('{"choices": "\xe9"}'.encode("latin-1")),
        says(b"", status=429, Retry_After="soon"),
        says(b"", status=429, Retry_After="Mon, 01 Jan 0001 00:00:00 -0000"),
    ],
)
def test_temporary_failures_are_retried(httpserver: HTTPServer, failure: Response) -> None:
    script(httpserver, [failure, failure])
    assert ask(served(httpserver)) == ["fine"]
    assert len(httpserver.log) == 3


def test_retry_after_is_kept_but_not_for_an_hour(httpserver: HTTPServer) -> None:
    script(httpserver, [says(b"slow down", status=429, Retry_After="1")])
    start = time.monotonic()
    assert ask(served(httpserver)) == ["fine"]
    assert 1.0 <= time.monotonic() - start < 3.0
    httpserver.clear()
    script(httpserver, [says(b"quota", status=429, Retry_After="3600")])
    with pytest.raises(UnavailableError, match=r"status 429 \(quota\).*Retry-After is 3600 s"):
        ask(served(httpserver))
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (says(b"boom", status=500), UnavailableError, r"status 500 \(boom\), after up to 3 attempts"),
        (says(HTML), UnavailableError, r"not JSON \(<!DOCTYPE html>.*Bad Gateway.*after 3 attempts"),
        (says({"error": "context length exceeded"}, status=400), InputError, "status 400 .*context length"),
        (says(b"", status=404), InputError, r"status 404 \(empty answer\)"),
        (says(b"", status=308, Location="/v2"), InputError, "'/v2' as base_url"),
        (says({"error": {"message": "no such model"}}), InputError, "status 400 .*no such model"),
        (says(completion(choices=[])), InputError, "does not follow OpenAI's protocol .IndexError"),
        (says({"object": "list"}), InputError, "does not follow OpenAI's protocol .KeyError: 'choices'"),
        (says(completion(usage=None)), InputError, "does not follow OpenAI's protocol"),
        (
            says(completion(usage={"prompt_tokens": 1, "completion_tokens": "3"})),
            InputError,
            "'3' is not a number of tokens",
        ),
        (says(completion(["a"])), InputError, "content is a list"),
        (says(completion("", reason="content_filter")), InputError, "finish_reason 'content_filter'"),
    ],
)
def test_permanent_failures_are_reported_with_the_endpoint(
    httpserver: HTTPServer, answer: Response, error: type[Exception], message: str
) -> None:
    script(httpserver, [], answer)
    with pytest.raises(error, match=message) as raised:
        ask(served(httpserver))
    assert httpserver.url_for(PATH) in str(raised.value)
    assert len(httpserver.log) == (3 if error is UnavailableError else 1)


def test_one_failing_request_among_many_ends_the_batch(httpserver: HTTPServer) -> None:
    script(httpserver, [says(completion()), says(b"", status=400)])
    with pytest.raises(InputError, match="status 400"):
        ask(served(httpserver), 40)
    assert len(httpserver.log) < 20


def test_an_unreachable_server_is_named() -> None:
    where = {"base_url": "http://127.0.0.1:9/v1", "model": "tiny", "attempts": 2}
    with pytest.raises(UnavailableError, match=r":9/v1/chat/completions: .*after 2 attempts"):
        ask(entry(format="openai-http", sources=[], server=where))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def hangs_up(connection: socket) -> None:
    connection.close()


def resets(connection: socket) -> None:
    """Reset the connection, as a machine that goes down does."""
    connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


def sends(content: bytes, *, pause: float = 0.0) -> Callable[[socket], None]:
    """Return a handler that sends these bytes, with headers, at once or one by one with pauses."""

    def behave(connection: socket) -> None:
        for start in range(len(content)) if pause else [0]:
            connection.sendall(content[start : start + 1] if pause else content)
            time.sleep(pause)

    return behave


@pytest.fixture
def raw_server() -> Iterator[Any]:
    """A server whose first connections behave as in its ``script``, later ones well."""
    good = json.dumps(completion()).encode()
    well = sends(HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(good) + good)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            with suppress(BrokenPipeError, ConnectionResetError):
                (server.script.pop(0) if server.script else well)(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        script: list[Callable[[socket], None]]

        def url_for(self, path: str) -> str:
            return f"http://127.0.0.1:{self.server_address[1]}{path}"

    with Server(("127.0.0.1", 0), Handler) as server:
        server.script = []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    "fault",
    [
        hangs_up,
        resets,
        sends(b"220 mail.example ESMTP ready\r\n"),
        sends(HEAD + b"Content-Length: 200\r\n\r\n{"),
        sends(HEAD + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n{}"),
        sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{zz}\r\nzz\r\n"),
    ],
    ids=["no answer", "reset", "no HTTP", "truncated body", "two lengths", "broken chunks"],
)
def test_a_broken_connection_is_retried(raw_server: Any, fault: Callable[[socket], None]) -> None:
    raw_server.script = [fault, fault]
    assert ask(served(raw_server)) == ["fine"]
    raw_server.script = [fault] * 3
    with pytest.raises(UnavailableError, match="after 3 attempts"):
        ask(served(raw_server))


@pytest.mark.parametrize(
    "fault",
    [
        lambda _: time.sleep(2.0),
        sends(HEAD + b"Content-Length: 400\r\n\r\n" + b" " * 400, pause=0.05),
        sends(HEAD + b"X: " + b"a" * 400, pause=0.05),
    ],
    ids=["silence", "body", "header"],
)
def test_an_attempt_has_a_deadline_however_slowly_its_answer_arrives(
    raw_server: Any, fault: Callable[[socket], None]
) -> None:
    raw_server.script = [fault]
    start = time.monotonic()
    assert ask(served(raw_server, timeout=0.3, attempts=2)) == ["fine"]
    assert 0.3 <= time.monotonic() - start < 2.0
    raw_server.script = [fault] * 2
    with pytest.raises(UnavailableError, match=r"answer within 0\.3 s, after 2 attempts"):
        ask(served(raw_server, timeout=0.3, attempts=2))
