"""Small randomly initialised checkpoints laid out as on a hub: chat models and cross-encoders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from e2rank_eval.models.registry import ModelEntry

CORPUS = [
    "Rank the passages below by how well they answer the search query, and say yes or no.",
    "The capital of China is Beijing. Gravity is a force that attracts two bodies towards each other.",
    "[1] > [2] > [3] > [4] > [5] > [6] > [7] > [8] > [9] > [10] Document: Query: Search",
]

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)

_SHAPE: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    # Wide enough that outputs depend on the prompt; the usual 0.02 makes them all but equal.
    "initializer_range": 0.3,
}


def write_chat_model(
    folder: Path,
    *,
    architecture: str = "llama",
    positions: int = 4096,
    chat_template: bool = True,
    pad_token: bool = True,
    head: bool = True,
) -> Path:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE if chat_template else None
    tokenizer.pad_token = "<|endoftext|>" if pad_token else None
    tokenizer.save_pretrained(folder)
    torch.manual_seed(11)
    shape = _SHAPE | {"vocab_size": len(tokenizer), "max_position_embeddings": positions}
    if architecture == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(head_dim=12, num_key_value_heads=2, **shape))
        # The sampling settings that Qwen3 checkpoints come with.
        model.generation_config = GenerationConfig(
            do_sample=True, temperature=0.6, top_k=20, top_p=0.95, eos_token_id=[2, 0]
        )
    else:
        config = LlamaConfig(num_key_value_heads=2, bos_token_id=1, eos_token_id=2, **shape)
        model = LlamaForCausalLM(config) if head else LlamaModel(config)
    if head:
        # The end token is made likelier, so that some answers end by themselves.
        model.lm_head.weight.data[2] *= 2.0
    model.save_pretrained(folder)
    return folder


def write_cross_encoder(folder: Path, *, labels: int = 1, head: bool = True, positions: int = 64) -> Path:
    tokenizer = byte_level_tokenizer(pairs=True)
    tokenizer.model_max_length = positions
    tokenizer.save_pretrained(folder)
    torch.manual_seed(12)
    config = BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=positions, num_labels=labels, **_SHAPE
    )
    (BertForSequenceClassification(config) if head else BertModel(config)).save_pretrained(folder)
    return folder


def entry(**changes: Any) -> ModelEntry:
    """A registry entry for what :func:`write_chat_model` writes."""
    values: dict[str, Any] = {
        "title": "tiny", "kind": "decoder", "format": "transformers", "parameters": "0", "licence": "none",
        "sources": [{"kind": "folder", "folder": "tiny"}],
        "trained_for_embedding": False, "trained_for_e2rank": False,
        "window": 4096, "document_tokens": 64, "query_tokens": 64,
    }  # fmt: skip
    return ModelEntry.model_validate(values | changes)


def byte_level_tokenizer(
    texts: Sequence[str] = CORPUS, size: int = 420, *, pairs: bool = False
) -> PreTrainedTokenizerFast:
    """Train a tokenizer of bytes and their merges in ``texts``; it has no padding token, pairs aside."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if pairs:
        first, end = special[1], special[2]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {end}", pair=f"{first} $A {end} $B:1 {end}:1",
            special_tokens=[(first, 1), (end, 2)],
        )  # fmt: skip
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=special[2])
    if pairs:
        fast.pad_token = special[0]
    return fast
