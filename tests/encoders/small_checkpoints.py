"""Small randomly initialised checkpoints and a tokenizer trained on the spot, laid out as on a hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tiny_chat_models import CHAT_TEMPLATE, byte_level_tokenizer, entry
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from e2rank_eval.models.registry import ModelEntry

TEXTS = [
    "The capital of China is Beijing.",
    "Gravity is a force that attracts two bodies towards each other.",
    "What is the capital of China?",
    "Boundary-layer transition on a flat plate was measured in supersonic flow at several Mach numbers.",
    "",
    "naïve café — 東京 🙂",
    "wing",
    "It gives weight to physical objects and is responsible for the movement of planets around the sun. "
    * 12,
    "A heat shield ablates while the vehicle enters the atmosphere; its shape changes, and so does drag. "
    * 9,
]

_SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    # Wide, so that different texts get different vectors; the usual 0.02 makes them all but equal.
    "initializer_range": 0.3,
}


def write_decoder(
    folder: Path, architecture: str, *, template: str | None = CHAT_TEMPLATE, padding: bool = True
) -> Path:
    tokenizer = byte_level_tokenizer(TEXTS, 700)
    tokenizer.chat_template, tokenizer.eos_token = template, None
    tokenizer.pad_token = "<|im_end|>" if padding else None
    tokenizer.save_pretrained(folder)
    torch.manual_seed(5)
    shape = _SHAPE | {"vocab_size": len(tokenizer), "num_key_value_heads": 2, "max_position_embeddings": 2048}
    if architecture == "qwen3":
        Qwen3ForCausalLM(Qwen3Config(head_dim=16, **shape)).save_pretrained(folder)
    else:
        LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained(folder)
    return folder


def decoder_entry(**changes: Any) -> ModelEntry:
    own = {"window": 512, "document_tokens": 128, "query_tokens": 96, "end_of_text": "<|endoftext|>"}
    own |= {"query_instruction": "Given a web search query, retrieve relevant passages"}
    return entry(**own | changes)


def write_bert(folder: Path, pooling: dict[str, Any], **settings: Any) -> Path:
    return write_form(folder, pooling=pooling, **settings)


def write_form(
    folder: Path,
    body: str = "bert",
    *,
    pooling: dict[str, Any],
    modules: tuple[str, ...] = ("Transformer", "Pooling", "Normalize"),
    configuration: dict[str, Any] | None = None,
    transformer: dict[str, Any] | None = None,
    layers: tuple[Any, ...] = (),
    dtype: str = "float32",
    **saving: Any,
) -> Path:
    """A folder as sentence-transformers writes it around a random body; ``layers`` are the last modules.

    All but ``qwen3``, whose tokens are bytes, have a word-piece vocabulary of ASCII letters.
    """
    torch.manual_seed(6)
    if body == "qwen3":
        tokenizer: Any = byte_level_tokenizer(TEXTS, 700)
        tokenizer.pad_token, tokenizer.eos_token = "<|im_end|>", "<|endoftext|>"
        end = TemplateProcessing(single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)])
        tokenizer.backend_tokenizer.post_processor = end
    else:
        first = ["[UNK]", "[PAD]"] if body == "xlm-roberta" else ["[PAD]", "[UNK]"]
        pieces = [*first, "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz.,?;:"]
        pieces += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
        tokenizer = BertTokenizerFast(vocab={piece: number for number, piece in enumerate(pieces)})
    size = {"vocab_size": len(tokenizer)}
    model: Any = {
        "bert": lambda: BertModel(BertConfig(max_position_embeddings=160, **_SHAPE, **size)),
        "xlm-roberta": lambda: XLMRobertaModel(
            XLMRobertaConfig(max_position_embeddings=514, pad_token_id=1, **_SHAPE, **size)
        ),
        "t5": lambda: T5EncoderModel(
            T5Config(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, **size)
        ),
        "qwen3": lambda: Qwen3Model(Qwen3Config(head_dim=16, num_key_value_heads=2, **_SHAPE, **size)),
    }[body]()
    tokenizer.save_pretrained(folder)
    model.to(getattr(torch, dtype)).save_pretrained(folder, **saving)
    paths = ["" if name == "Transformer" else f"{index}_{name}" for index, name in enumerate(modules)]
    _write(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (name, path) in enumerate(zip(modules, paths, strict=True))
    ])  # fmt: skip
    for path, layer in zip(paths[-len(layers) :], layers, strict=False):
        (folder / path).mkdir()
        layer.save(str(folder / path))
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 64} | pooling)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 128} | (transformer or {}))
    _write(folder / "config_sentence_transformers.json", configuration or {})
    return folder


def encoder_entry(**changes: Any) -> ModelEntry:
    limits = {"window": 160, "document_tokens": 128, "query_tokens": 128}
    return entry(**{"kind": "encoder", "format": "sentence-transformers"} | limits | changes)


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
