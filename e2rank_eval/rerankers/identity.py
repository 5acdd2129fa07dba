"""The identity reranker: the first stage's order as it is, the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.config import IdentitySettings
from e2rank_eval.records import CandidateList, Document, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.store.files import sha256_json


class IdentityReranker:
    """Keeps every candidate where the first stage put it."""

    fingerprint = sha256_json({"family": "identity"})

    @classmethod
    def from_settings(cls, settings: IdentitySettings, context: RerankContext) -> IdentityReranker:  # noqa: ARG003
        return cls()

    def rank(self, query: Query, candidates: CandidateList) -> Ranking:  # noqa: ARG002
        return Ranking(candidates, tuple(range(len(candidates))), QueryStats(), {"total": 0.0})

    def rank_many(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        return [self.rank(query, one) for query, one in zip(queries, candidates, strict=True)]

    def prepare(self, documents: Sequence[Document]) -> None:
        pass
