"""The reranker protocol, the context that a reranker is built in, and the cutting of long queries."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from e2rank_eval.errors import InputError
from e2rank_eval.models.provider import ModelProvider
from e2rank_eval.records import CandidateList, Document, Query, Ranking


class Reranker(Protocol):
    """Ranks the candidates of queries; every ranking is a permutation of its candidate list.

    ``fingerprint`` is a hash of everything that decides a ranking besides the query and its candidates
    (family, parameters, model revision, prompts); it is part of the cache key of a shard.
    """

    fingerprint: str

    @abstractmethod
    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank the candidates of each query; ties keep first-stage order.

        Queries may share batches; rankings are the same as when each query is ranked alone.

        Raises
        ------
        InputError
            When a query or document cannot be encoded, or a score is not finite.
        """
        ...

    def encode_documents(self, documents: Sequence[Document]) -> None:  # noqa: ARG002
        """Encode documents ahead; does nothing in families that read each document with the query."""
        return


@dataclass(frozen=True, slots=True)
class RerankContext:
    """What :meth:`RerankerSettings.build` is given: the models and the global seed."""

    models: ModelProvider
    seed: int = 0


JOINT_TOKENS = 8
"""Tokens reserved for the output token and for words that are split differently where texts are joined."""


def cut_query(
    text: str, window: int, spare: int, tokens: Callable[[str], int], truncate: Callable[[str, int], str]
) -> str:
    """Return a query, cut where it would leave documents less than a quarter of ``window`` tokens.

    ``spare`` tokens of the window are reserved; ``tokens(query)`` counts the prompt with that query and
    empty documents; ``truncate(text, n)`` cuts a text after n tokens.

    Raises
    ------
    InputError
        When the prompt leaves no room for a query.
    """
    room = window - window // 4 - spare
    if tokens(text) <= room:
        return text
    kept = bisect_right(range(1, room + 1), room, key=lambda length: tokens(truncate(text, length)))
    if not kept:
        raise InputError(
            f"the prompt leaves no room for a query in the {window} tokens that the model reads",
            hint="lower the number of documents in the prompt, or name a model with a larger window",
        )
    return truncate(text, kept)
