"""No reranking: the first-stage order, the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from e2rank_eval.config.systems import FAMILIES, Lengths, RerankerSettings, Tokens
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.store.files import sha256_json


class IdentitySettings(RerankerSettings):
    """No reranking: the first-stage order."""

    family: Literal["identity"]

    def build(self, context: RerankContext) -> IdentityReranker:  # noqa: ARG002
        return IdentityReranker()

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:  # noqa: ARG002
        return Tokens(0.0)


class IdentityReranker(Reranker):
    """Keeps the first-stage order."""

    fingerprint = sha256_json({"family": "identity"})

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        return [
            Ranking(one, tuple(range(len(one))), QueryStats())
            for _, one in zip(queries, candidates, strict=True)
        ]


FAMILIES.add("identity", IdentitySettings)
