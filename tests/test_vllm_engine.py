"""vLLM's adapters with a fake vLLM: their requests, and the parsing of answers in vLLM's format.

The fake engines answer from a small transformers checkpoint, so vectors, texts and logits have a reference.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_chat_models import entry, write_chat_model
from transformers import AutoModel, AutoModelForCausalLM

from e2rank_eval.errors import UnavailableError
from e2rank_eval.models.encoders.backbone import TokenSequence
from e2rank_eval.models.engines.transformers_encoder import TransformersBackbone
from e2rank_eval.models.engines.vllm import POOLING, VllmBackbone, VllmModel, load_engine
from e2rank_eval.models.loading import load_encoder, load_language_model
from e2rank_eval.models.registry import ModelEntry

CHATS = [[{"role": "user", "content": text}] for text in ("Beijing", "gravity is a force", "say yes or no")]


class Engine:
    """``vllm.LLM`` as the adapters use it; keeps what it was asked."""

    arguments: dict[str, Any]

    def load(self, folder: Path, entry: ModelEntry, **arguments: Any) -> tuple[Any, Any, str]:
        self.arguments = arguments
        names = ("PoolingParams", "SamplingParams")
        return SimpleNamespace(**dict.fromkeys(names, SimpleNamespace)), self, "vllm 0"

    def __init__(self, folder: Path) -> None:
        self.body = AutoModel.from_pretrained(folder).eval()
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.asked: list[tuple[list[dict[str, list[int]]], Any]] = []

    @torch.inference_mode()
    def embed(self, prompts: Any, *, pooling_params: Any, use_tqdm: bool) -> list[Any]:
        self.asked.append((prompts, pooling_params))
        states = [self.body(torch.tensor([one["prompt_token_ids"]])).last_hidden_state for one in prompts]
        return [SimpleNamespace(outputs=SimpleNamespace(embedding=one[0, -1].tolist())) for one in states]

    @torch.inference_mode()
    def generate(self, prompts: Any, parameters: Any, *, use_tqdm: bool) -> list[Any]:
        self.asked.append((prompts, parameters))
        return [self._answer(one["prompt_token_ids"], parameters) for one in prompts]

    def _answer(self, prompt: list[int], parameters: Any) -> Any:
        ids, steps = list(prompt), []
        for _ in range(parameters.max_tokens):
            logits = self.model(torch.tensor([ids])).logits[0, -1]
            ids.append(int(logits.argmax()))
            steps.append(by_token(logits))
            if ids[-1] == 2:
                break
        output = SimpleNamespace(
            token_ids=ids[len(prompt) :],
            finish_reason="stop" if ids[-1] == 2 else "length",
            logprobs=steps,
        )
        return SimpleNamespace(outputs=[output])


def by_token(logits: torch.Tensor) -> dict[int, Any]:
    return {token: SimpleNamespace(logprob=value) for token, value in enumerate(logits.tolist())}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("chat"))


@pytest.fixture
def engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine(folder)
    monkeypatch.setattr("e2rank_eval.models.engines.vllm.load_engine", engine.load)
    return engine


def test_vectors_are_the_last_tokens_states_at_unit_length(engine: Engine, folder: Path) -> None:
    rows: list[Sequence[int]] = [[5, 6, 7], [9], [11, 12, 13, 14]]
    sequences = [TokenSequence(tuple(row), len(row) - 1, len(row)) for row in rows]
    asked_for = entry(engine="vllm", end_of_text="<|endoftext|>")
    backbone = VllmBackbone(folder, asked_for)
    found = backbone.vectors(sequences, stable=True)
    plain = TransformersBackbone(folder, asked_for)
    np.testing.assert_allclose(found, plain.vectors(sequences, stable=False), atol=1e-6)
    ((prompts, parameters),) = engine.asked
    assert prompts == [{"prompt_token_ids": list(row)} for row in rows]
    assert parameters.use_activation is False
    assert engine.arguments["runner"] == "pooling"
    assert backbone.vectors([], stable=False).shape == (0, 48)
    assert POOLING == {"pooling_type": "LAST"}


def test_texts_and_logits_equal_those_of_transformers(engine: Engine, folder: Path) -> None:
    adapter = VllmModel(folder, entry(), {})
    plain = load_language_model(folder, entry(), file_hashes={})
    assert adapter.generate(CHATS, max_new_tokens=8) == plain.generate(CHATS, max_new_tokens=8)
    choices = ("yes", "no")
    found, expected = (one.next_token(CHATS, choices) for one in (adapter, plain))
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-4)
    parameters = [asked for _, asked in engine.asked]
    assert all(one.temperature == 0.0 for one in parameters)
    assert parameters[0].max_tokens == 8
    assert parameters[1].logprobs == -1


def test_an_engine_runs_no_code_of_the_checkpoint_and_keeps_no_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module: Any = ModuleType("vllm")
    module.LLM = dict
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setattr("importlib.metadata.version", lambda _: "1")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    _, given, version = load_engine(Path("m"), entry(window=512, dtype="bfloat16"), runner="generate")
    assert given["trust_remote_code"] is given["enable_prefix_caching"] is False
    assert (given["max_model_len"], given["load_format"], given["dtype"]) == (512, "safetensors", "bfloat16")
    assert version == "vllm 1"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_where_it_cannot_run_the_error_says_what_to_do(folder: Path) -> None:
    asked = entry(engine="vllm", end_of_text="<|endoftext|>")
    for load in (load_language_model, load_encoder):
        with pytest.raises(UnavailableError, match=r"engine vllm .*set engine: transformers"):
            load(folder, asked, file_hashes={})


@pytest.mark.parametrize(
    "wrong",
    [{"engine": "vllm", "kind": "encoder"}, {"engine": "vllm", "format": "gguf"}],
)
def test_an_engine_that_cannot_read_the_format_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="runs decoders of format"):
        entry(**wrong)
