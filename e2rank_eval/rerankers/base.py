"""The reranker protocol and what every family is built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from e2rank_eval.models.loading import ModelProvider
from e2rank_eval.records import CandidateList, Document, Query, Ranking


class Reranker(Protocol):
    """Reorders a query's candidates: a permutation of them, always.

    ``fingerprint`` names everything that decides a ranking besides the query and its candidates
    (family, parameters, model revision, prompts): shards are keyed by it.
    """

    fingerprint: str

    def rank(self, query: Query, candidates: CandidateList) -> Ranking: ...

    def rank_many(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """The same rankings as :meth:`rank` one by one, computed together where that is faster."""
        ...

    def prepare(self, documents: Sequence[Document]) -> None:
        """Do the work that needs no query (encode documents) ahead; a no-op for most families."""
        ...


@dataclass(frozen=True, slots=True)
class RerankContext:
    """What a family may draw on when it is built: models and the seed."""

    models: ModelProvider
    seed: int = 0
