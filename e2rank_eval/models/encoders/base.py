"""The encoder protocol: texts or listwise inputs in, unit vectors and token counts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.errors import InputError
from e2rank_eval.records import ListwiseInput
from e2rank_eval.store.files import sha256_json

Kind = Literal["document", "query", "text"]
"""The role of a text; a ``text`` has no prompt and the token limit of documents."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoded:
    """``vectors`` float32 [n, d] with rows of unit length, in the order of the input.

    ``tokens[i]`` counts the tokens of input i; ``truncated[i]`` the texts in it that a limit cut (0 or 1 for
    a document or query; cut documents and query of a listwise input). ``prompts[i]`` is the listwise prompt
    as the model reads it; ``prompts`` is empty for other inputs.
    """

    vectors: Vectors
    tokens: tuple[int, ...]
    truncated: tuple[int, ...]
    prompts: tuple[str, ...] = ()


def check_texts(texts: Sequence[str], kind: str) -> None:
    """Raise InputError if ``texts`` is not a list of strings, or ``kind`` is not a Kind."""
    if kind not in get_args(Kind):
        raise InputError(f"unknown kind of text {kind!r}", hint=f"known: {', '.join(get_args(Kind))}")
    if isinstance(texts, str) or not all(isinstance(one, str) for one in texts):
        raise InputError("texts are a list of strings", hint="put a single text into a list")


def check_limits(
    limits: Mapping[str, int], specials: int, window: int, model: str, path: Path | None = None
) -> None:
    """Raise InputError, naming the key, if one of a model's limits in tokens does not fit its window.

    Limits include the ``specials`` special tokens around a text; ``path`` is the model's folder.
    """
    for key, limit in limits.items():
        if not specials < limit <= window:
            raise InputError(
                f"{key} {limit} is out of range for {model}", path=path,
                hint=f"choose {specials + 1} to {window}",
            )  # fmt: skip


class Encoder(Protocol):
    """Turns texts into unit vectors whose dot product is the paper's ranking function.

    ``fingerprint`` is a hash of everything that decides a vector (weights, limits, pooling, dtype, prompt);
    ``document_fingerprint`` the same for document vectors only, as the key of their cache. ``prompts`` are
    put before queries and documents; E2Rank's instruction is not among them.
    """

    name: str
    fingerprint: str
    document_fingerprint: str
    dimension: int
    prompts: Mapping[str, str]

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Encode each text by itself. An empty sequence gives vectors of shape [0, d].

        Raises
        ------
        InputError
            When ``kind`` is not a Kind, or ``texts`` is not a list of strings.
        """
        ...

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        """Embed each query together with its documents as one listwise input (paper, section 3.2)."""
        ...


class FrozenDocuments:
    """Encodes listwise inputs with one encoder, documents and plain queries with another.

    Training with frozen documents produces such a pair: the index and the cached vectors of ``plain`` remain
    valid, as ``document_fingerprint`` is that of ``plain``.

    Raises
    ------
    InputError
        When their vectors have different dimensions.
    """

    def __init__(self, listwise: Encoder, plain: Encoder) -> None:
        if listwise.dimension != plain.dimension:
            raise InputError(
                f"{listwise.name} has vectors of {listwise.dimension} dimensions, {plain.name} of "
                f"{plain.dimension}",
                hint="name the model that it was trained from in plain_model",
            )
        self.name = listwise.name
        self.fingerprint = sha256_json({"listwise": listwise.fingerprint, "plain": plain.fingerprint})
        self.document_fingerprint = plain.document_fingerprint
        self.dimension = plain.dimension
        self.prompts = plain.prompts
        self.encode = plain.encode
        self.encode_listwise = listwise.encode_listwise

    def __repr__(self) -> str:
        return f"Encoder({self.name}, {self.dimension} dimensions, documents of its base)"
