"""Operations from a model's configuration, compared with values computed by hand and torch's count."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AlbertConfig, BertConfig, BertModel, GPT2Config, Qwen3Config, T5Config

from e2rank_eval.evaluation.flops import TransformerShape, engine_of, matmul_rate, query_flops, read_shape
from e2rank_eval.models.loading import Models
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import registered_models
from e2rank_eval.records import QueryStats
from e2rank_eval.rerankers.families.identity import IdentitySettings
from e2rank_eval.rerankers.families.listwise import ListwiseSettings

QWEN3 = Qwen3Config(
    vocab_size=500, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, head_dim=24,
)  # fmt: skip
BERT = BertConfig(
    vocab_size=500, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4
)


def test_grouped_heads_of_their_own_size_are_counted(tmp_path: Path) -> None:
    QWEN3.save_pretrained(tmp_path)
    shape = read_shape(tmp_path)
    attention = 64 * 4 * 24 + 2 * 64 * 2 * 24 + 4 * 24 * 64
    assert shape == TransformerShape(3 * (attention + 3 * 64 * 96), 500 * 64, 3 * 4 * 24)


def test_a_forward_pass_has_the_operations_that_torch_counts(tmp_path: Path) -> None:
    BERT.save_pretrained(tmp_path)
    shape = read_shape(tmp_path)
    assert shape is not None
    model = BertModel._from_config(BERT, attn_implementation="eager", add_pooling_layer=False).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        model(input_ids=torch.ones((3, 40), dtype=torch.long))
    assert shape.forward(120, 3) == counter.get_total_flops()


@pytest.mark.parametrize(
    "config",
    [
        T5Config(d_model=16, num_layers=1, num_heads=2),
        AlbertConfig(embedding_size=8, hidden_size=16, intermediate_size=16, num_attention_heads=2),
        GPT2Config(n_embd=16, n_layer=1, n_head=2),
    ],
    ids=lambda config: config.model_type,
)
def test_a_model_outside_the_formula_has_no_shape(config: Any, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path)
    assert read_shape(tmp_path) is None


def test_the_operations_of_a_query_are_of_documents_prompts_and_output() -> None:
    shape = TransformerShape(matmul_parameters=100, head_parameters=50, attention_width=3)
    documents = QueryStats(document_tokens=40)
    assert query_flops(shape, documents, 4) == 40 * (200 + 12 * 10)
    written = QueryStats(calls=2, prompt_tokens=20, output_tokens=4)
    assert query_flops(shape, written, 4) == 20 * (200 + 12 * 10) + 4 * (300 + 12 * 11)
    assert query_flops(shape, QueryStats(), 0) == 0


def test_operations_are_known_only_for_a_model_in_this_process(tmp_path: Path) -> None:
    entry = registered_models()["qwen3-0.6b"].model_dump(mode="json", exclude_unset=True)
    own = Catalogue(tmp_path, {"on-vllm": entry | {"engine": "vllm"}})
    models = Models(tmp_path, threads=1, catalogue=own)
    served = ListwiseSettings(family="listwise", model="on-vllm")
    assert engine_of(served, models, float) is None
    assert engine_of(IdentitySettings(family="identity"), models, float) is None


def test_a_rate_is_two_operations_for_each_product_of_a_square() -> None:
    ticks = count()  # every product takes one second
    rate = matmul_rate("float32", lambda: float(next(ticks)), seconds=0.0)
    rows = round((rate / 2) ** (1 / 3))
    assert rate == 2.0 * rows**3
    assert rows >= 256
