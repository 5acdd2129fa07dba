"""Base classes of encoders: a transformer without head (backbone), and the token sequences for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoded, Kind, Vectors, check_limits, check_texts
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.models.special_tokens import neutraliser
from e2rank_eval.models.timing import tokenising
from e2rank_eval.records import ListwiseInput
from e2rank_eval.store.files import sha256_json


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """Token ids of one model input; the states from ``start`` to ``stop`` (exclusive) are pooled."""

    ids: tuple[int, ...]
    start: int
    stop: int


class Backbone(ABC):
    """A transformer without head on one engine, and its tokenizer.

    ``version`` names the engine in fingerprints; empty for transformers, whose vectors are the reference.
    ``causal`` says whether its attention is causal.
    """

    version = ""

    def __init__(self, tokenizer: Any, *, window: int, dimension: int, dtype: str, causal: bool) -> None:
        self.tokenizer = tokenizer
        self.neutral = neutraliser(tokenizer)
        self.window = window
        self.dimension = dimension
        self.dtype = dtype
        self.causal = causal

    @abstractmethod
    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:
        """Return unit vectors float32 [n, d] in the order of the input.

        With ``stable`` no vector depends on the other sequences, if the engine can guarantee this.
        """

    @tokenising()
    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's token ids, without special tokens and without truncation."""
        if not texts:
            return []
        found = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)
        ids: list[list[int]] = found["input_ids"]
        return ids

    def special_ids(self) -> tuple[list[int], list[int]]:
        """Return the ids of the special tokens that the tokenizer adds before and after a text."""
        plain = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = self.tokenizer("a")["input_ids"]
        for start in range(len(whole) - len(plain) + 1):
            if whole[start : start + len(plain)] == plain:
                return whole[:start], whole[start + len(plain) :]
        raise InputError("adding special tokens changes a text's tokens", path=self.tokenizer.name_or_path)


class BackboneEncoder(ABC):
    """An encoder that turns texts and listwise inputs into token sequences of one :class:`Backbone`.

    ``before`` and ``after`` are the special tokens around a text; ``document_tokens`` and ``query_tokens``
    include them. ``documents`` and ``queries`` are further values in the fingerprints of document and query
    vectors.

    Raises
    ------
    InputError
        When a limit leaves no tokens for text or exceeds the window.
    """

    def __init__(
        self,
        backbone: Backbone,
        entry: ModelEntry,
        *,
        before: Sequence[int],
        after: Sequence[int],
        document_tokens: int,
        query_tokens: int,
        documents: Mapping[str, object],
        queries: Mapping[str, object],
        prompts: Mapping[str, str],
    ) -> None:
        self.name = entry.title
        self.dimension = backbone.dimension
        self.prompts: Mapping[str, str] = prompts
        self.backbone = backbone
        self._before, self._after = list(before), list(after)
        specials = len(self._before) + len(self._after)
        limits = {"document_tokens": document_tokens, "query_tokens": query_tokens}
        check_limits(limits, specials, backbone.window, self.name)
        most, query = document_tokens - specials, query_tokens - specials
        self._limits: dict[Kind, int] = {"document": most, "text": most, "query": query}
        own = {"dtype": backbone.dtype, "document_tokens": document_tokens}
        own |= {"engine": backbone.version} if backbone.version else {}
        own |= {"prompt": prompt} if (prompt := prompts.get("document")) else {}
        self.document_fingerprint = sha256_json({**documents, **own})
        self.fingerprint = sha256_json(
            {
                "documents": self.document_fingerprint,
                "query_tokens": query_tokens,
                "window": backbone.window,
                **queries,
            }
        )

    @abstractmethod
    def _token_ids(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Return the token ids of each text with its prompt, uncut; special tokens in it are neutralised."""

    @abstractmethod
    def _sequence(self, ids: Sequence[int], kind: Kind) -> TokenSequence:
        """Return the token sequence of a text, with the positions to pool."""

    @abstractmethod
    def listwise_input(self, given: ListwiseInput) -> tuple[TokenSequence, int, str]:
        """Return a listwise input as a token sequence, the number of its cut texts, and its prompt."""

    def plain_inputs(self, texts: Sequence[str], kind: Kind) -> list[tuple[TokenSequence, int]]:
        """Return each text as a token sequence, and 1 if its limit cut it, else 0."""
        limit = self._limits[kind]
        return [
            (self._sequence([*self._before, *content[:limit], *self._after], kind), int(len(content) > limit))
            for content in self._token_ids(texts, kind)
        ]

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Encode each text by itself, cut at the limit of its kind."""
        check_texts(texts, kind)
        rows = self.plain_inputs(texts, kind)
        sequences = [sequence for sequence, _ in rows]
        return Encoded(
            self.backbone.vectors(sequences, stable=kind == "document"),
            tokens=tuple(len(sequence.ids) for sequence in sequences),
            truncated=tuple(cut for _, cut in rows),
        )

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        """Encode each query with its documents; a cut query counts in ``truncated`` like a cut document."""
        rows = [self.listwise_input(one) for one in inputs]
        sequences = [sequence for sequence, *_ in rows]
        return Encoded(
            self.backbone.vectors(sequences, stable=False),
            tokens=tuple(len(sequence.ids) for sequence in sequences),
            truncated=tuple(cut for _, cut, _ in rows),
            prompts=tuple(prompt for *_, prompt in rows),
        )


def unit_rows(rows: Vectors) -> Vectors:
    """Return the rows scaled to length 1; raises InputError if one is zero or not finite."""
    exact = rows.astype(np.float64)
    lengths = np.sqrt((exact * exact).sum(axis=1, keepdims=True))
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise InputError(
            "the model returned a vector that is not finite, or zero", hint="check its weights and dtype"
        )
    return np.asarray(exact / lengths, dtype=np.float32)
