"""The identity reranker keeps every candidate where it is."""

from __future__ import annotations

import pytest
from toy_vectors import candidate_list

from e2rank_eval.records import Query
from e2rank_eval.rerankers.families.identity import IdentityReranker


@pytest.mark.parametrize("size", [0, 1, 50])
def test_keeps_first_stage_order(size: int) -> None:
    candidates = candidate_list("q", [f"text {i}" for i in range(size)])
    model = IdentityReranker()
    (ranking,) = model.rank_candidates([Query("q", "x")], [candidates])
    assert ranking.document_ids == candidates.document_ids
    assert ranking.stats.calls == 0
    assert model.rank_candidates([Query("q", "x")], [candidates])[0] == ranking


def test_queries_and_candidates_must_pair_up() -> None:
    with pytest.raises(ValueError, match="zip"):
        IdentityReranker().rank_candidates([Query("q", "x")], [])
