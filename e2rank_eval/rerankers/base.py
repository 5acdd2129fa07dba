"""The reranker protocol, and what a family's settings build a reranker from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from e2rank_eval.errors import InputError
from e2rank_eval.models.provider import ModelProvider
from e2rank_eval.models.timing import PhaseClock
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

        Queries are computed together where that is faster, with the results of one by one; ``seconds``
        of each ranking is an even share of the time that all took.

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


def shares(clock: PhaseClock, queries: int) -> dict[str, float]:
    """Return each of ``queries`` queries' even share of the clock's seconds, by phase."""
    return {phase: spent / max(1, queries) for phase, spent in clock.seconds.items()}


def query_too_long(query: Query, documents: str = "a document") -> InputError:
    """Return the error for a query that fills the model's window."""
    return InputError(
        f"query {query.id!r} fills the model's window, without space for {documents}",
        hint="shorten the query, or name a model with a larger window",
    )


def not_finite(what: str) -> InputError:
    """Return the error for a score that is NaN or infinite; ``what`` names it."""
    return InputError(f"{what} is not finite", hint="check the model's weights, or load it in float32")
