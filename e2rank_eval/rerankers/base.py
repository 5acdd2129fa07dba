"""The reranker protocol, and what a family's settings build a reranker from."""

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
    """Reorders a query's candidates: a permutation of them, always.

    ``fingerprint`` names everything that decides a ranking besides the query and its candidates
    (family, parameters, model revision, prompts): shards are keyed by it.
    """

    fingerprint: str

    @abstractmethod
    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank the candidates of each query; ties keep first-stage order.

        Queries are computed together where that is faster, with the results of one by one.

        Raises
        ------
        InputError
            When a query or document cannot be read, or a score is not finite.
        """
        ...

    def encode_documents(self, documents: Sequence[Document]) -> None:  # noqa: ARG002
        """Encode documents ahead; does nothing in families that need the query for all of their work."""
        return


@dataclass(frozen=True, slots=True)
class RerankContext:
    """What a family may draw on when it is built: models and the seed."""

    models: ModelProvider
    seed: int = 0


def cut_query(
    text: str, window: int, spare: int, tokens: Callable[[str], int], truncate: Callable[[str, int], str]
) -> str:
    """Return the start of a query that leaves documents a quarter of ``window``; whole where it does so.

    ``spare`` tokens of the window are not for the prompt; ``tokens`` counts the prompt with a query and
    without any document's text; ``truncate`` cuts a text after so many tokens.

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
