"""What an engine turns into vectors: token sequences, made by the model's tokenizer within its limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Kind, Vectors
from e2rank_eval.models.timing import TOKENISATION, part


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """Token ids as the model reads them; the states at ``start`` to ``stop`` (exclusive) are averaged."""

    ids: tuple[int, ...]
    start: int
    stop: int


class TokenisedModel(ABC):
    """A model behind some engine: its tokenizer here, its vectors from there."""

    def __init__(self, tokenizer: Any, *, window: int, dimension: int, dtype: str) -> None:
        self.tokenizer = tokenizer
        self.window = window
        self.dimension = dimension
        self.dtype = dtype

    @abstractmethod
    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:
        """Unit vectors float32 [n, d] in the order of the input; ``stable`` as the engine can promise it."""

    @abstractmethod
    def synchronise(self) -> None:
        """Wait for the device."""

    @part(TOKENISATION)
    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's tokens without special ones, uncut."""
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)[
            "input_ids"
        ]
        return ids

    @part(TOKENISATION)
    def token_ends(self, texts: Sequence[str]) -> list[list[int]]:
        """For each text the character offsets at which its tokens end."""
        if not texts:
            return []
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return [[end for _, end in offsets] for offsets in encoded["offset_mapping"]]

    def special_ids(self) -> tuple[list[int], list[int]]:
        """What the tokenizer by itself puts before and after a text, such as [CLS] and [SEP]."""
        plain = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = self.tokenizer("a")["input_ids"]
        for start in range(len(whole) - len(plain) + 1):
            if whole[start : start + len(plain)] == plain:
                return whole[:start], whole[start + len(plain) :]
        raise InputError("its special tokens change the text's own", path=self.tokenizer.name_or_path)


def text_limits(
    states: TokenisedModel, name: str, *, specials: int, document: int, query: int
) -> dict[Kind, int]:
    """Tokens of its own that a document and a query may keep, of limits that include special tokens.

    Raises
    ------
    InputError
        When a limit leaves no room for text or exceeds the window.
    """
    for what, limit in (("document_tokens", document), ("query_tokens", query)):
        if not specials < limit <= states.window:
            raise InputError(
                f"{what} {limit} is out of range for {name}", hint=f"choose {specials + 1} to {states.window}"
            )
    return {"document": document - specials, "query": query - specials}


def unit_rows(rows: Vectors) -> Vectors:
    """Rows at length 1; raises InputError where one is zero or not finite."""
    exact = rows.astype(np.float64)
    lengths = np.sqrt((exact * exact).sum(axis=1, keepdims=True))
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise InputError(
            "the model gave a vector that is not finite, or zero", hint="check its weights and dtype"
        )
    return np.asarray(exact / lengths, dtype=np.float32)
