"""The HTTP language model against a real server on loopback."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import CHAT, ChatServer, completion, first_token, says, served, texts, writes_chunks
from pydantic import ValidationError
from tiny_chat_models import entry

from e2rank_eval.config import ListwiseSettings, PointwiseSettings
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.engines.openai_http import HttpModel
from e2rank_eval.models.fetching import fetch_model
from e2rank_eval.models.language_models import Generation
from e2rank_eval.models.loading import Models, load_language_model
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.listwise import ListwiseReranker
from e2rank_eval.rerankers.pointwise import PointwiseReranker


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


def test_chunks_and_a_newer_name_of_the_limit_are_understood(server: ChatServer) -> None:
    server.usual = writes_chunks
    model = HttpModel("tiny", served(server, output_limit="max_completion_tokens"))
    assert texts(model, 3) == ["in chunks"] * 3
    assert server.requests[0][2]["max_completion_tokens"] == 5
    assert "max_tokens" not in server.requests[0][2]
    model.close()


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
    assert (ranking.stats.prompt_tokens, ranking.stats.output_tokens) == (11, 3)

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
    monkeypatch.setattr("e2rank_eval.models.loading.registered_model", lambda _: served(server))
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
