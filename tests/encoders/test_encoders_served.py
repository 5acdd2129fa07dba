"""Encoders behind a server on loopback, which runs a real small checkpoint on the ids that it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytest_httpserver import HTTPServer
from small_checkpoints import TEXTS, decoder_entry, encoder_entry, write_decoder
from transformers import AutoModel
from werkzeug import Request, Response

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.loading import load_encoder, served_encoder
from e2rank_eval.records import ListwiseInput

PATH = "/v1/embeddings"
LISTED = ListwiseInput("what is it?", ("a wing", "the capital of a country", "gravity attracts"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_decoder(tmp_path_factory.mktemp("decoder"), "qwen3")


@pytest.fixture(scope="module")
def embed(folder: Path) -> Callable[[Request], Response]:
    model = AutoModel.from_pretrained(folder).eval()

    def vector(ids: list[int]) -> list[float]:
        with torch.inference_mode():
            state: list[float] = model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1].tolist()
        return state

    def answer(request: Request) -> Response:
        inputs = request.json["input"]
        data = [{"index": i, "embedding": vector(ids)} for i, ids in enumerate(inputs)]
        usage = {"prompt_tokens": sum(map(len, inputs))}
        return said({"data": data[::-1], "usage": usage})

    return answer


def said(answer: Any) -> Response:
    return Response(json.dumps(answer), content_type="application/json")


def served(server: HTTPServer, tokenizer: Path | None = None, **changes: Any) -> Encoder:
    where = {"base_url": server.url_for("/v1"), "model": "tiny", "attempts": 1}
    where |= {"tokenizer": str(tokenizer)} if tokenizer else {}
    settings = {"format": "openai-http", "sources": [], "server": where} | changes
    entry = encoder_entry(**settings) if tokenizer is None else decoder_entry(**settings)
    return served_encoder(entry, prompt="eval", document_tokens=None)


def test_a_served_decoder_gives_the_vectors_of_the_local_one(
    httpserver: HTTPServer, folder: Path, embed: Callable[[Request], Response]
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(embed)
    local = load_encoder(folder, decoder_entry(), file_hashes={})
    remote = served(httpserver, folder)
    texts = TEXTS * 5  # more than one request
    for kind in ("document", "query"):
        ours, theirs = remote.encode(texts, kind), local.encode(texts, kind)
        np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=2e-6)
        assert (ours.tokens, ours.truncated) == (theirs.tokens, theirs.truncated)
    ours, theirs = remote.encode_listwise([LISTED]), local.encode_listwise([LISTED])
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=2e-6)
    assert ours.prompts == theirs.prompts
    assert remote.encode([], "query").vectors.shape == (0, remote.dimension)


def test_a_served_encoder_is_sent_texts_with_its_prompts(httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        rows = [{"index": i, "embedding": [len(text), 1.0]} for i, text in enumerate(request.json["input"])]
        return said({"data": rows})

    httpserver.expect_request(PATH).respond_with_handler(answer)
    encoder = served(httpserver, prompts={"query": "query: ", "document": "passage: "}, document_tokens=8)
    found = encoder.encode(["one", "two " * 20], "document")
    assert httpserver.log[-1][0].json["input"] == ["passage: one", ("passage: " + "two " * 20)[:24]]
    assert (found.tokens, found.truncated) == ((4, 8), (0, 1))
    assert encoder.encode(["q"], "query").tokens == (3,)
    assert httpserver.log[-1][0].json["input"] == ["query: q"]
    with pytest.raises(InputError, match="pools whole texts"):
        encoder.encode_listwise([LISTED])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"data": [], "usage": {"prompt_tokens": 1}}, "does not follow OpenAI's protocol"),
        ({"data": [{"index": 0, "embedding": [1.0, 2.0]}] * 2}, "2 vectors for 1 inputs"),
        ({"data": [{"index": 0, "embedding": [float("nan"), 2.0]}]}, "not finite"),
        (
            {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
            "does not follow OpenAI's",
        ),
        ({"object": "list"}, "does not follow OpenAI's protocol"),
    ],
)
def test_a_wrong_answer_is_refused(httpserver: HTTPServer, answer: dict[str, Any], problem: str) -> None:
    httpserver.expect_request(PATH).respond_with_response(said(answer))
    with pytest.raises(InputError, match=problem):
        served(httpserver)


def test_a_server_that_cuts_its_input_is_refused(httpserver: HTTPServer, folder: Path) -> None:
    data = [{"index": 0, "embedding": [1.0, 2.0]}]
    httpserver.expect_request(PATH).respond_with_response(said({"data": data, "usage": {"prompt_tokens": 1}}))
    encoder = served(httpserver, folder)
    with pytest.raises(InputError, match=r"the server has read 1 of .* tokens; raise its limit"):
        encoder.encode(["a text of several tokens"], "document")


def test_a_missing_tokenizer_is_named(httpserver: HTTPServer, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"tokenizer .*none.*check server.tokenizer"):
        served(httpserver, tmp_path / "none")
