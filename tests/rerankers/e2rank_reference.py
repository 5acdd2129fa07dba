"""E2Rank as the paper and its official code describe it: one text at a time, no batch, no padding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

RERANK_INSTRUCTION = (
    "Given a web search query and some relevant documents, rerank the documents that answer the query"
)


def listwise_text(variant: str, query: str, documents: Sequence[str], end: str) -> str:
    """The three prompts spelt out once more, so that a slip in the suite's templates shows."""
    if variant == "readme":
        listed = "\n".join(f"[{i}] {text}{end}" for i, text in enumerate(documents, start=1))
        return f"{RERANK_INSTRUCTION}:\nDocuments:\n{listed}Search Query:{query}"
    listed = "\n".join(f"[{i}] {text}" for i, text in enumerate(documents, start=1))
    if variant == "training":
        return f"{RERANK_INSTRUCTION}:\nDocuments:\n{listed}\nQuery: {query}{end}"
    return f"{RERANK_INSTRUCTION}:\nDocuments:\n{listed}\nSearch Query: {query}"


class DecoderReference:
    """Last token's final hidden state at unit length, from unmodified transformers."""

    def __init__(self, folder: Path, *, end_of_text: str, instruction: str) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
        self.end_of_text = end_of_text
        self.instruction = instruction

    @torch.inference_mode()
    def _embed(self, text: str) -> np.ndarray:
        hidden = self.model(**self.tokenizer(text, return_tensors="pt")).last_hidden_state
        return torch.nn.functional.normalize(hidden[0, -1].double(), dim=0).numpy()

    def document(self, text: str) -> np.ndarray:
        return self._embed(text + self.end_of_text)

    def query(self, text: str) -> np.ndarray:
        return self._embed(f"Instruct: {self.instruction}\nQuery:{text}{self.end_of_text}")

    def listwise(self, query: str, documents: Sequence[str], variant: str = "eval") -> np.ndarray:
        chat = [{"role": "user", "content": listwise_text(variant, query, documents, self.end_of_text)}]
        return self._embed(
            self.tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        )


class PooledReference:
    """A bidirectional encoder: mean over all tokens of a text, over the query's tokens of a prompt."""

    def __init__(self, folder: Path, *, window: int, document_tokens: int) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
        self.window = window
        self.document_tokens = document_tokens

    @torch.inference_mode()
    def _states(self, ids: list[int]) -> np.ndarray:
        return self.model(input_ids=torch.tensor([ids])).last_hidden_state[0].double().numpy()

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def document(self, text: str) -> np.ndarray:
        inner = self._ids(text)[: self.document_tokens - 2]
        states = self._states([self.tokenizer.cls_token_id, *inner, self.tokenizer.sep_token_id])
        return _unit(states.mean(axis=0))

    query = document

    def listwise(self, query: str, documents: Sequence[str], variant: str = "eval") -> np.ndarray:
        asked = self._ids(query)
        texts = [self._ids(text) for text in documents]
        room = self.window - len(asked) - 2 - len(texts)
        level = max(n for n in range(self.window) if sum(min(n, len(ids)) for ids in texts) <= room)
        sequence = [self.tokenizer.cls_token_id, *asked, self.tokenizer.sep_token_id]
        for ids in texts:
            sequence += [*ids[:level], self.tokenizer.sep_token_id]
        return _unit(self._states(sequence)[1 : 1 + len(asked)].mean(axis=0))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
