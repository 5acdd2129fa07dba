"""The engine openai-http against servers on loopback that answer well, badly, late or never."""

from __future__ import annotations

import gzip
import json
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, socket
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from pytest_httpserver import HTTPServer
from tiny_chat_models import entry
from werkzeug import Request, Response

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models import loading
from e2rank_eval.models.engines.openai_http import HttpModel
from e2rank_eval.models.language_models import Generation
from e2rank_eval.models.loading import load_language_model
from e2rank_eval.models.references import Catalogue
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


@pytest.fixture(scope="session")
def make_httpserver() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)


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


def test_what_is_asked_and_what_is_read(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "secret")
    script(httpserver, [says(completion("[2] > [1]")), says(completion("cut", reason="length"))])
    model = load(served(httpserver, key_variable="SOME_KEY", extra={"seed": 1}))
    first, second = (model.generate([CHAT], max_new_tokens=7)[0] for _ in range(2))
    assert first == Generation("[2] > [1]", prompt_tokens=11, output_tokens=3, finished=True)
    assert not second.finished
    request = httpserver.log[0][0]
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.json == {"model": "tiny", "messages": CHAT, "temperature": 0, "max_tokens": 7, "seed": 1}
    assert model.name == "tiny"


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


def test_an_answer_that_never_began_is_empty(httpserver: HTTPServer) -> None:
    """A model that thinks until the limit writes no content."""
    script(httpserver, [], says(completion(None, reason="length")))
    assert ask(served(httpserver)) == [""]


def test_length_is_forced_or_the_measurement_refused(httpserver: HTTPServer) -> None:
    script(httpserver, [])
    model = load(served(httpserver))
    assert model.generate([CHAT], max_new_tokens=3, min_new_tokens=3)[0].output_tokens == 3
    assert httpserver.log[0][0].json["min_tokens"] == 3
    with pytest.raises(InputError, match="3 tokens instead of 90 at least"):
        model.generate([CHAT], max_new_tokens=90, min_new_tokens=90)


def test_next_token_is_read_from_log_probabilities(httpserver: HTTPServer) -> None:
    tokens = {" yes": np.log(0.5), "Yes": np.log(0.25), "no": -1.5, "maybe": -3.0}
    script(httpserver, [], says(first_token(**tokens)))
    model = load(served(httpserver))
    found = model.next_token([CHAT], ("yes", "no"))
    np.testing.assert_allclose(found.logits, [[np.log(0.75), -1.5]], rtol=1e-6)
    assert (found.prompt_tokens, found.floored) == ((11,), (0,))
    options = {"logprobs": True, "top_logprobs": 20, "max_tokens": 1}
    assert options.items() <= httpserver.log[0][0].json.items()
    assert model.next_token([], ("yes", "no")).logits.shape == (0, 2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (completion(), "gives no log-probabilities"),
        (first_token(sure=-1.0, maybe=-2.0), "yes, no not among the 2 likeliest first tokens"),
    ],
)
def test_an_unknown_logit_is_never_invented(
    httpserver: HTTPServer, answer: dict[str, Any], message: str
) -> None:
    script(httpserver, [], says(answer))
    with pytest.raises(InputError, match=message) as error:
        load(served(httpserver)).next_token([CHAT], ("yes", "no"))
    assert PATH in str(error.value)


def test_a_choice_that_the_server_leaves_out_has_its_smallest_value_and_is_counted(
    httpserver: HTTPServer,
) -> None:
    script(httpserver, [], says(first_token(yes=-1.0, maybe=-2.0)))
    found = load(served(httpserver)).next_token([CHAT], ("yes", "no"))
    assert (found.logits.tolist(), found.floored) == ([[-1.0, -2.0]], (1,))


def test_lengths_are_estimated_and_likelihoods_refused(httpserver: HTTPServer) -> None:
    model = load(served(httpserver))
    assert model.count_tokens("x" * 30) == 10
    assert model.truncate("𝔸" * 10, 3) == "𝔸" * 2
    assert (model.truncate("short", 3), model.truncate("any", 0)) == ("short", "")
    assert model.count_prompt_tokens(CHAT) > model.count_tokens("hello")
    with pytest.raises(InputError, match="cannot tell how likely a given text is"):
        model.likelihood([CHAT], ["hello"])


def test_fingerprint_follows_what_decides_an_answer(httpserver: HTTPServer) -> None:
    def fingerprint(**options: Any) -> str:
        return load(served(httpserver, **options)).fingerprint

    assert fingerprint() == fingerprint(concurrency=9, timeout=1.0, attempts=1)
    assert len({fingerprint(), fingerprint(model="other"), fingerprint(extra={"seed": 2})}) == 3


def test_nothing_is_fetched_for_a_server(httpserver: HTTPServer, tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path, {"tiny": served(httpserver).model_dump(exclude_unset=True)})
    models = loading.Models(tmp_path, threads=1, catalogue=catalogue)
    assert isinstance(models.language_model("tiny"), HttpModel)
    assert list(tmp_path.iterdir()) == []
    fetched = models.resolve("tiny")
    assert (fetched.files, "tiny served at http" in fetched.source) == ({}, True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"format": "openai-http", "sources": []}, "format openai-http and server go together"),
        (
            {"format": "openai-http", "server": {"base_url": "http://host/v1", "model": "m"}},
            "give sources, or a server",
        ),
        (
            {
                "format": "openai-http",
                "sources": [],
                "server": {"base_url": "http://user:password@host/v1", "model": "m"},
            },
            "base_url",
        ),
    ],
)
def test_a_registry_entry_is_served_or_fetched(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        entry(**wrong)


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
def test_what_may_pass_is_retried(httpserver: HTTPServer, failure: Response) -> None:
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
    with pytest.raises(UnavailableError, match=r"status 429 \(quota\).*it asks to wait 3600 s"):
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
        (says(completion(choices=[])), InputError, "not of OpenAI's protocol .IndexError"),
        (says({"object": "list"}), InputError, "not of OpenAI's protocol .KeyError: 'choices'"),
        (says(completion(usage=None)), InputError, "not of OpenAI's protocol"),
        (says(completion(usage={"prompt_tokens": 1, "completion_tokens": "3"})), InputError, "tokens is '3'"),
        (says(completion(["a"])), InputError, "content is a list"),
        (says(completion("", reason="content_filter")), InputError, "finish_reason 'content_filter'"),
    ],
)
def test_what_does_not_pass_is_reported_with_the_endpoint(
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


def test_a_server_that_is_not_there_is_named() -> None:
    where = {"base_url": "http://127.0.0.1:9/v1", "model": "tiny", "attempts": 2}
    with pytest.raises(UnavailableError, match=r":9/v1/chat/completions: .*after 2 attempts"):
        ask(entry(format="openai-http", sources=[], server=where))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def hangs_up(connection: socket) -> None:
    connection.close()


def resets(connection: socket) -> None:
    """End the connection as a machine does that goes down."""
    connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


def sends(content: bytes, *, pause: float = 0.0) -> Callable[[socket], None]:
    """Return what sends these bytes, headers and all: at once, or one by one with a pause after each."""

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
