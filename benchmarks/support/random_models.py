"""Checkpoints with random weights, written when needed: the work of a published shape without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from e2rank_eval.models.language_models import Generation, Message

QWEN3_06B = {
    "vocab_size": 151_936, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True,
    "max_position_embeddings": 40_960, "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000},
}  # fmt: skip
"""config.json of Qwen/Qwen3-0.6B."""

SMALL = {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4, "num_attention_heads": 4}
"""The shape of a model that is fast on a CPU."""

WIDE = 0.1
"""Standard deviation of the weights, at which scores depend on the text; with 0.02 they are nearly equal."""


def write_qwen3(folder: Path, tokenizer: Path, dtype: torch.dtype, **shape: Any) -> Path:
    """Write a Qwen3 of this ``shape`` (by default that of 0.6B), with the tokenizer of another folder."""
    torch.manual_seed(13)
    Qwen3ForCausalLM(Qwen3Config(**(QWEN3_06B | shape))).to(dtype).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer, local_files_only=True).save_pretrained(folder)
    return folder


def write_cross_encoder(folder: Path, tokenizer: Path) -> Path:
    """Write a small BERT that scores pairs, with the tokenizer of another folder."""
    torch.manual_seed(13)
    words = AutoTokenizer.from_pretrained(tokenizer, local_files_only=True)
    config = BertConfig(vocab_size=len(words), num_labels=1, initializer_range=WIDE, **SMALL)
    BertForSequenceClassification(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


class ExactLength:
    """A model run by transformers that generates ``tokens`` tokens in every answer, whatever the request."""

    def __init__(self, model: Any, tokens: int) -> None:
        model.end_ids = []
        self._model = model
        self._tokens = tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, chats: Sequence[Sequence[Message]], **_: int) -> list[Generation]:
        return self._model.generate(chats, max_new_tokens=self._tokens)
