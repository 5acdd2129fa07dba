"""The retriever protocol, and exact selection of the best with ties in corpus order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.models.truncation import cut_words
from e2rank_eval.records import Document, Query

TEXTS_AT_ONCE = 8192
"""How many texts of a corpus are held while they are encoded."""

Scores = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Hits:
    """Corpus positions (0-based) and their scores, best first."""

    positions: tuple[int, ...]
    scores: tuple[float, ...]


class Retriever(Protocol):
    """Searches one corpus, whose documents it knows by position."""

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """For each query its best ``min(depth, corpus size)`` documents; equal scores in corpus order."""
        ...


def best(scores: Scores, depth: int) -> NDArray[np.intp]:
    """Positions of the ``depth`` highest of ``scores`` [n], highest first, equal ones in order of position.

    >>> best(np.array([1.0, 3.0, 1.0, 3.0]), 3).tolist()
    [1, 3, 0]
    """
    depth = min(depth, len(scores))
    if depth == 0:
        return np.empty(0, dtype=np.intp)
    threshold = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    contenders = np.flatnonzero(scores >= threshold)
    return contenders[np.argsort(-scores[contenders], kind="stable")][:depth]


def texts_in_blocks(corpus: Iterable[Document], size: int = TEXTS_AT_ONCE) -> Iterator[list[str]]:
    """The texts of ``corpus``, cut to what an encoder may be given, ``size`` at a time in order."""
    texts = (cut_words(document.contents) for document in corpus)
    while block := list(islice(texts, size)):
        yield block
