"""The engine openai-http: requests to a server, and parsing of its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import CHAT, PATH, ask, completion, first_token, load, says, script, served
from pydantic import ValidationError
from pytest_httpserver import HTTPServer
from tiny_chat_models import entry

from e2rank_eval.errors import InputError
from e2rank_eval.models import loading
from e2rank_eval.models.engines.openai_http import HttpModel
from e2rank_eval.models.language_models import Generation
from e2rank_eval.models.references import Catalogue


def test_requests_and_answers_follow_the_chat_api(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_an_answer_that_never_began_is_empty(httpserver: HTTPServer) -> None:
    """A model that thinks up to the token limit returns no content."""
    script(httpserver, [], says(completion(None, reason="length")))
    assert ask(served(httpserver)) == [""]
    with pytest.raises(InputError, match="a chat is a list of messages"):
        load(served(httpserver)).generate(["hello"], max_new_tokens=3)  # type: ignore[list-item]


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
        (completion(), "returns no log-probabilities"),
        (first_token(sure=-1.0, maybe=-2.0), "none of yes, no is among the 2 likeliest first tokens"),
    ],
)
def test_an_unknown_logit_is_never_invented(
    httpserver: HTTPServer, answer: dict[str, Any], message: str
) -> None:
    script(httpserver, [], says(answer))
    with pytest.raises(InputError, match=message) as error:
        load(served(httpserver)).next_token([CHAT], ("yes", "no"))
    assert PATH in str(error.value)


def test_a_choice_that_the_server_omits_has_its_smallest_value_and_is_counted(
    httpserver: HTTPServer,
) -> None:
    script(httpserver, [], says(first_token(yes=-1.0, maybe=-2.0)))
    found = load(served(httpserver)).next_token([CHAT], ("yes", "no"))
    assert (found.logits.tolist(), found.floored) == ([[-1.0, -2.0]], (1,))


def test_lengths_are_estimated_and_likelihoods_refused(httpserver: HTTPServer) -> None:
    model = load(served(httpserver))
    assert model.count_tokens("x" * 30) == 10
    assert model.count_tokens(" > ".join(f"[{number}]" for number in range(1, 21))) == 90  # as of Qwen3
    assert model.truncate("𝔸" * 10, 3) == "𝔸" * 2
    assert (model.truncate("short", 3), model.truncate("any", 0)) == ("short", "")
    assert model.count_prompt_tokens(CHAT) > model.count_tokens("hello")
    with pytest.raises(InputError, match="cannot score a given text"):
        model.likelihood([CHAT], ["hello"])


def test_the_fingerprint_follows_what_affects_an_answer(httpserver: HTTPServer) -> None:
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
            "give sources or a server, not both",
        ),
        (
            {
                "format": "openai-http",
                "sources": [],
                "server": {"base_url": "http://host/v1", "model": "m"},
                "plain_model": "all-minilm-l6-v2",
            },
            "a served model embeds its documents itself",
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
