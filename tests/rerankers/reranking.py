"""What tests of rerankers share: lists of texts, a scripted language model, small random checkpoints."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from tiny_chat_models import CORPUS, entry, write_chat_model, write_cross_encoder
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

from e2rank_eval.models.language_models import Generation, LanguageModel, Message, NextToken
from e2rank_eval.models.loading import load_language_model
from e2rank_eval.records import Candidate, CandidateList, Document, Query, Ranking
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.store.files import sha256_file


def candidates(texts: Sequence[str], query_id: str = "q") -> CandidateList:
    return CandidateList(query_id, tuple(Candidate(Document(str(i), t), 0.0) for i, t in enumerate(texts)))


def values(numbers: Sequence[int], query_id: str = "q", *, words: int = 0) -> CandidateList:
    """Documents that :class:`Judge` ranks by their number."""
    return candidates([f"value {number}" + " word" * words for number in numbers], query_id)


def rank(model: Reranker, query: Query | str, listed: CandidateList | Sequence[str]) -> Ranking:
    """Rank one list."""
    asked = query if isinstance(query, Query) else Query("q", query)
    texts = listed if isinstance(listed, CandidateList) else candidates(listed)
    return model.rank_candidates([asked], [texts])[0]


class Folder:
    """Gives every name the model in one folder."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder, self.changes = folder, changes

    def resolve(self, name: str, *kinds: str) -> Any:
        files = {path.name: sha256_file(path) for path in self.folder.iterdir() if path.is_file()}
        return SimpleNamespace(
            path=self.folder, files=files, entry=entry(**{"kind": kinds[0], **self.changes})
        )

    def loaded(self, name: str, kind: str, load: Any) -> Any:
        return load(self.resolve(name, kind))

    def language_model(self, name: str) -> LanguageModel:
        return load_language_model(self.folder, entry(**self.changes), file_hashes={})

    def context(self) -> RerankContext:
        return RerankContext(models=self)  # type: ignore[arg-type]


class Judge:
    """A language model whose tokens are words, and which prefers ``value <x>`` of the larger x.

    ``biased`` prefers whichever of a pair stands first; ``answer`` and ``logit`` are given instead,
    and logits are times ``scale``.
    """

    name, fingerprint, document_tokens = "judge", "judge", 1000

    def __init__(
        self,
        *,
        window: int = 10_000,
        answer: str | None = None,
        biased: bool = False,
        logit: float | None = None,
        scale: float = 1.0,
        floored: int = 0,
    ) -> None:
        self.window, self.answer, self.biased = window, answer, biased
        self.logit, self.scale, self.floored = logit, scale, floored
        self.batches: list[int] = []
        self.pairs: list[tuple[int, int]] = []

    def generate(self, chats: Sequence[Sequence[Message]], *, max_new_tokens: int) -> list[Generation]:
        self.batches.append(len(chats))
        return [self._generation(chat, max_new_tokens) for chat in chats]

    def _generation(self, chat: Sequence[Message], limit: int) -> Generation:
        prompt = self.count_prompt_tokens(chat)
        assert prompt + limit <= self.window
        passages = re.findall(r"^\[(\d+)\] value (\d+)", chat[-1]["content"], re.MULTILINE)
        ranked = sorted(passages, key=lambda passage: -int(passage[1]))
        text = self.answer or " > ".join(f"[{number}]" for number, _ in ranked)
        assert len(text.split()) <= limit
        return Generation(text, prompt, len(text.split()), finished=True)

    def next_token(self, chats: Sequence[Sequence[Message]], choices: Sequence[str]) -> NextToken:
        assert tuple(choices) == ("A", "B")
        logits = np.array([self._logits(chat) for chat in chats], dtype=np.float32)
        tokens = tuple(self.count_prompt_tokens(chat) for chat in chats)
        return NextToken(logits, tokens, (self.floored,) * len(chats))

    def _logits(self, chat: Sequence[Message]) -> tuple[float, float]:
        assert self.count_prompt_tokens(chat) < self.window
        first, second = map(int, re.findall(r"Document [AB]: value (\d+)", chat[-1]["content"]))
        self.pairs.append((first, second))
        if self.logit is not None:
            return self.logit, 0.0
        return (2.0, 1.0) if self.biased else (first * self.scale, second * self.scale)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def count_prompt_tokens(self, chat: Sequence[Message]) -> int:
        return sum(self.count_tokens(message["content"]) for message in chat)

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens]) if self.count_tokens(text) > tokens else text


def write_t5(folder: Path, *, answers: str = "true false", head: bool = True, seed: int = 5) -> Path:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator([*CORPUS, f"{answers} " * 50], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=len(fast), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        decoder_start_token_id=0, initializer_factor=3.0,
    )  # fmt: skip
    (T5ForConditionalGeneration(config) if head else T5EncoderModel(config)).save_pretrained(folder)
    return folder


PAIR_TEMPLATE = """<|im_start|>system
Answer yes or no.<|im_end|>
<|im_start|>user
{{ messages | selectattr("role", "eq", "system") | map(attribute="content") | first | default("?", true) }}
{{ messages | selectattr("role", "eq", "query") | map(attribute="content") | first }}
{{ messages | selectattr("role", "eq", "document") | map(attribute="content") | first }}<|im_end|>
<|im_start|>assistant
"""
"""As Qwen3-Reranker's: a pair is a query and a document, and the prompt a message of the system."""


def write_logit_score(
    folder: Path, *, prompt: str | None = None, no: bool = True, template: str = PAIR_TEMPLATE
) -> Path:
    """A Qwen3 whose score is its logit of ``yes``, less that of ``no``, after an instruction."""
    source = write_chat_model(folder / "source", architecture="qwen3", positions=128)
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.chat_template, tokenizer.model_max_length = template, 128
    tokenizer.save_pretrained(source)
    first = {word: tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("yes", "no")}
    modules = [
        Transformer(str(source), transformer_task="text-generation"),
        LogitScore(first["yes"], first["no"] if no else None),
    ]
    prompts = {"prompts": {"web": prompt}, "default_prompt_name": "web"} if prompt else {}
    CrossEncoder(modules=modules, device="cpu", **prompts).save_pretrained(str(folder))
    shutil.rmtree(source)
    return folder


def write_causal_cross_encoder(folder: Path, *, pad_token: str | None = None) -> Path:
    """A Llama with a score head whose configuration names no padding."""
    write_cross_encoder(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = pad_token
    tokenizer.save_pretrained(folder)
    torch.manual_seed(13)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64, initializer_range=0.3, num_labels=1,
    )  # fmt: skip
    assert config.pad_token_id is None
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder
