"""Tiny checkpoints of random weights with sparse or multi-vector representations."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder, SparseEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast

WORDS = ["what", "is", "the", "a", "wing", "heat", "shield", "flow", "mach", "of", "drag", "plate"]


def write_bert(folder: Path, *, head: bool = False) -> Path:
    """Write a plain BERT of 48 positions, with a language model's head or without."""
    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *string.punctuation]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=48)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    # Wide, so that different texts get different vectors; the usual 0.02 makes them all but equal.
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "initializer_range": 0.3}
    configuration = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=48,
        **shape,
    )
    (BertForMaskedLM if head else BertModel)(configuration).save_pretrained(folder)
    return folder


def write_colbert(folder: Path, **settings: Any) -> Path:
    """Write a ColBERT with prompts, query expansion to 12 tokens and punctuation skipped in documents."""
    body = Transformer(
        str(write_bert(folder / "bert")), query_expansion={"strategy": "fixed", "attend": False, "length": 12}
    )
    torch.manual_seed(8)
    projection = Dense(
        32, 8, bias=False, activation_function=torch.nn.Identity(), module_input_name="token_embeddings"
    )
    mask = MultiVectorMask(skiplist_words=list(string.punctuation))
    modules = [body, projection, mask, Normalize(module_input_name="token_embeddings")]
    prompts = {"query": "what ", "document": "the "}
    MultiVectorEncoder(modules=modules, prompts=prompts, **settings).save_pretrained(str(folder / "colbert"))
    return folder / "colbert"


def write_splade(folder: Path, *, pooling: str = "max", **settings: Any) -> Path:
    """Write SPLADE in sentence-transformers' form."""
    body = Transformer(str(write_bert(folder / "bert", head=True)), transformer_task="fill-mask")
    SparseEncoder(modules=[body, SpladePooling(pooling)], **settings).save_pretrained(str(folder / "splade"))
    return folder / "splade"
