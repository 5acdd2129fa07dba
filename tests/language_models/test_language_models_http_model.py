"""The HTTP language model against a real server on loopback, which also misbehaves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import (
    Behaviour,
    ChatServer,
    breaks_its_chunks,
    completion,
    drips,
    first_token,
    hangs_up,
    is_cut,
    is_slow,
    says,
    talks_nonsense,
    writes_chunks,
)
from pydantic import ValidationError
from tiny_chat_models import entry

from e2rank_eval.configuration import ListwiseSettings, PointwiseSettings
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.language_models.base import Generation
from e2rank_eval.language_models.http_model import HttpModel
from e2rank_eval.language_models.load import load_language_model
from e2rank_eval.model_loading import Models
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.registry import entries
from e2rank_eval.registry.entries import ModelEntry
from e2rank_eval.rerankers.listwise import ListwiseReranker
from e2rank_eval.rerankers.pointwise import PointwiseReranker
from e2rank_eval.sources.models import fetch_model

CHAT = [{"role": "user", "content": "hello"}]
HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.shutdown()
    server.server_close()


def served(server: ChatServer, **options: Any) -> ModelEntry:
    where = {"base_url": server.base_url, "model": "tiny", "timeout": 5.0, "attempts": 3} | options
    return entry(format="openai-http", sources=[], server=where)


@pytest.fixture
def model(server: ChatServer) -> Iterator[HttpModel]:
    model = HttpModel("tiny", served(server), first_wait=0.01)
    yield model
    model.close()


def texts(model: HttpModel, count: int = 1) -> list[str]:
    return [one.text for one in model.generate([CHAT] * count, max_new_tokens=5)]


def test_what_is_asked_and_what_is_read(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "secret")
    entry = served(server, key_variable="SOME_KEY", extra={"seed": 1})
    model = HttpModel("tiny", entry)
    server.script = [says(completion("[2] > [1]")), says(completion("cut", reason="length"))]
    first, second = (model.generate([CHAT], max_new_tokens=7)[0] for _ in range(2))
    assert first == Generation("[2] > [1]", prompt_tokens=11, output_tokens=3, finished=True)
    assert not second.finished
    path, authorisation, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert authorisation == "Bearer secret"
    assert body == {"model": "tiny", "messages": CHAT, "temperature": 0, "max_tokens": 7, "seed": 1}
    assert "secret" not in repr(model._endpoint)
    model.close()


def test_a_key_that_is_not_set_is_named(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(UnavailableError, match="set the environment variable NO_KEY"):
        HttpModel("tiny", served(server, key_variable="NO_KEY"))


def test_answers_keep_their_order_and_few_are_under_way(server: ChatServer) -> None:
    def echo(handler: Any, body: dict[str, Any]) -> None:
        number = int(body["messages"][0]["content"])
        time.sleep(0.02 * (5 - number % 5))
        says(completion(str(number)))(handler, body)

    server.usual = echo
    model = HttpModel("tiny", served(server, concurrency=3))
    chats = [[{"role": "user", "content": str(number)}] for number in range(12)]
    assert [one.text for one in model.generate(chats, max_new_tokens=5)] == [str(n) for n in range(12)]
    assert server.most_at_once == 3
    assert model.generate([], max_new_tokens=5) == []
    model.close()


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
    server.usual = failure
    with pytest.raises(UnavailableError, match=message) as error:
        texts(model)
    assert f"{server.base_url}/chat/completions" in str(error.value)


def test_chunks_and_a_newer_name_of_the_limit_are_understood(server: ChatServer) -> None:
    server.usual = writes_chunks
    model = HttpModel("tiny", served(server, output_limit="max_completion_tokens"))
    assert texts(model, 3) == ["in chunks"] * 3
    assert server.requests[0][2]["max_completion_tokens"] == 5
    assert "max_tokens" not in server.requests[0][2]
    model.close()


@pytest.mark.parametrize("failure", [is_slow(2.0), drips])
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


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (says({"error": "bad key"}, status=401), "the key was refused, status 401 .*bad key"),
        (says({"error": "context length exceeded"}, status=400), "status 400 .*context length exceeded"),
        (says(b"", status=404), r"status 404 \(empty answer\)"),
        (says(b"", status=308, Location="/v2"), "redirects to '/v2'"),
        (says(completion(choices=[])), "not of the chat-completions protocol .IndexError"),
        (says(completion(choices=["fine"])), "not of the chat-completions protocol"),
        (says({"error": {"message": "no such model"}}), "not of the chat-completions .*no such model"),
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
    server.usual = answer
    with pytest.raises(InputError, match=message) as error:
        texts(model)
    assert f"{server.base_url}/chat/completions" in str(error.value)
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


def test_an_answer_that_never_began_is_empty(server: ChatServer, model: HttpModel) -> None:
    """A model that thinks until the limit writes no content."""
    server.script = [says(completion(None, reason="length"))]
    assert texts(model) == [""]


def test_length_is_forced_or_the_measurement_refused(server: ChatServer, model: HttpModel) -> None:
    assert model.generate([CHAT], max_new_tokens=3, min_new_tokens=3)[0].output_tokens == 3
    assert server.requests[0][2]["min_tokens"] == 3
    with pytest.raises(InputError, match="3 tokens instead of 90 at least"):
        model.generate([CHAT], max_new_tokens=90, min_new_tokens=90)


def test_next_token_is_read_from_log_probabilities(server: ChatServer, model: HttpModel) -> None:
    server.script = [says(first_token(**{" yes": -0.5, "yes": -2.0, "no": -1.0, "maybe": -3.0}))]
    found = model.next_token([CHAT], ("yes", "no"))
    np.testing.assert_allclose(found.logits, [[-0.5, -1.0]])
    assert found.prompt_tokens == (11,)
    options = {"logprobs": True, "top_logprobs": 20, "max_tokens": 1}
    assert options.items() <= server.requests[0][2].items()
    assert model.next_token([], ("yes", "no")).logits.shape == (0, 2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (completion(), "gives no log-probabilities"),
        (first_token(yes=-1.0, maybe=-2.0), "no not among the 2 likeliest first tokens"),
    ],
)
def test_an_unknown_logit_is_never_invented(
    server: ChatServer, model: HttpModel, answer: dict[str, Any], message: str
) -> None:
    server.usual = says(answer)
    with pytest.raises(InputError, match=message) as error:
        model.next_token([CHAT], ("yes", "no"))
    assert server.base_url in str(error.value)


def test_likelihood_of_a_given_text_is_refused(model: HttpModel) -> None:
    with pytest.raises(InputError, match="cannot tell how likely a given text is"):
        model.likelihood([CHAT], ["hello"])


def test_estimated_lengths_never_cut_a_character(model: HttpModel) -> None:
    assert model.count_tokens("x" * 30) == 10
    assert model.truncate("𝔸" * 10, 3) == "𝔸" * 2
    assert model.truncate("short", 3) == "short"
    assert model.truncate("any", 0) == ""
    assert model.count_prompt_tokens(CHAT) > model.count_tokens("hello")


def candidates(texts: Sequence[str]) -> CandidateList:
    return CandidateList("q", tuple(Candidate(Document(str(i), t), 0.0) for i, t in enumerate(texts)))


def test_families_run_on_a_server_as_on_local_weights(server: ChatServer) -> None:
    model = loaded(server)
    server.usual = says(completion("[3] > [1] > [2]"))
    listwise = ListwiseReranker(model, ListwiseSettings(family="listwise", model="x"))
    ranking = listwise.rank(Query("q", "which?"), candidates(["a", "b", "c"]))
    assert ranking.order == (2, 0, 1)
    assert (ranking.trace.prompt_tokens, ranking.trace.output_tokens) == (11, 3)

    def likes_b(handler: Any, body: dict[str, Any]) -> None:
        yes = -0.1 if "Document: b" in body["messages"][0]["content"] else -2.0
        says(first_token(yes=yes, no=-1.0))(handler, body)

    server.usual = likes_b
    pointwise = PointwiseReranker(model, PointwiseSettings(family="pointwise-llm", model="x"))
    assert pointwise.rank(Query("q", "which?"), candidates(["a", "b", "c"])).order == (1, 0, 2)
    model.close()


def loaded(server: ChatServer) -> HttpModel:
    model = load_language_model(Path("nowhere/tiny"), served(server), file_hashes={})
    assert isinstance(model, HttpModel)
    assert model.name == "tiny"
    return model


def test_fingerprint_follows_what_decides_an_answer(server: ChatServer) -> None:
    def fingerprint(**options: Any) -> str:
        return HttpModel("tiny", served(server, **options)).fingerprint

    assert fingerprint() == fingerprint(concurrency=9, timeout=1.0, attempts=1)
    assert len({fingerprint(), fingerprint(model="other"), fingerprint(extra={"seed": 2})}) == 3


def test_the_loader_of_models_fetches_nothing_for_a_server(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "model", lambda _: served(server))
    model = Models(tmp_path, threads=1).language_model("tiny")
    assert isinstance(model, HttpModel)
    assert [one.text for one in model.generate([CHAT], max_new_tokens=5)] == ["fine"]
    assert list(tmp_path.iterdir()) == []
    fetched = fetch_model("tiny", tmp_path)
    assert fetched.source == f"tiny served at {server.base_url}"
    assert fetched.files == {}
    model.close()


def test_a_registry_entry_is_served_or_fetched(server: ChatServer) -> None:
    assert served(server).server is not None
    with pytest.raises(ValidationError, match="format openai-http and server go together"):
        entry(format="openai-http", sources=[])
    with pytest.raises(ValidationError, match="give sources, or a server"):
        entry(sources=[])
    with pytest.raises(ValidationError, match="base_url"):
        served(server, base_url="http://user:password@host/v1")
