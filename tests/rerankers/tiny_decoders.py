"""Small randomly initialised decoder checkpoints with a chat template, laid out as on a hub."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

END_OF_TEXT = "<|endoftext|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)
"""ChatML with Qwen3's empty thinking block where thinking is disabled."""

_SHAPE = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
    # Wide enough that vectors of different texts differ; the usual 0.02 makes them all but equal.
    "initializer_range": 0.3,
}


def write_qwen3(folder: Path, corpus: list[str]) -> Path:
    tokenizer = _write_tokenizer(folder, corpus)
    torch.manual_seed(7)
    config = Qwen3Config(vocab_size=len(tokenizer), head_dim=12, **_SHAPE)
    Qwen3Model(config).save_pretrained(folder)
    return folder


def write_llama(folder: Path, corpus: list[str]) -> Path:
    tokenizer = _write_tokenizer(folder, corpus)
    torch.manual_seed(8)
    LlamaModel(LlamaConfig(vocab_size=len(tokenizer), **_SHAPE)).save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path, corpus: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=[END_OF_TEXT, "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token=END_OF_TEXT,
        padding_side="left",
        model_max_length=8192,
        chat_template=CHAT_TEMPLATE,
    )
    fast.save_pretrained(folder)
    return fast
