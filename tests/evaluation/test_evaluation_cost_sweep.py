"""Latency swept over candidates, prompt documents and batches: which points are timed, and on how much."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from sleeping_reranker import ENCODE, PROMPT, SleepingReranker, collection, system, work_of

from e2rank_eval.config.measurements import CostSweepSettings
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.cost_sweep import measure_sweep
from e2rank_eval.evaluation.samples import System
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.store.results import CostPoint


def sweep_of(*systems: System, build: Any = None, queries: int = 3, **axes: Any) -> list[CostPoint]:
    work, settings = work_of(collection(queries)), CostSweepSettings(**axes)
    return measure_sweep(build, systems, work, settings, deadline=time.monotonic() + 60)[0]


def test_a_sweep_times_every_point_in_turns_on_the_same_candidates_and_queries() -> None:
    sizes: list[tuple[str, int, int]] = []

    class Sized(SleepingReranker):
        def __init__(self, name: str) -> None:
            super().__init__(stores_documents=True)
            self.name = name

        def rank_candidates(
            self, queries: Sequence[Query], candidates: Sequence[CandidateList]
        ) -> list[Ranking]:
            sizes.append((self.name, len(queries), len(candidates[0])))
            return super().rank_candidates(queries, candidates)

    online, stored = system("s", Sized("online")), system("s", Sized("stored"), "stored")
    rows = sweep_of(online, stored, candidates=[1, 3], prompt_documents=[0], batch=[2], samples=2, warm_up=1)
    points = [("candidates", 1), ("candidates", 3), ("batch", 2)]
    assert [(row.axis, row.value) for row in rows[::2]] == points
    assert [row.mode for row in rows] == 3 * ["online", "stored"]
    shapes = [(1, 1)] * 6 + [(1, 3)] * 6 + [(2, 3)] * 6
    names = 9 * ["online", "stored"]
    assert sizes == [(name, *shape) for name, shape in zip(names, shapes, strict=True)]
    assert min(rows[0].wall) >= ENCODE + PROMPT > min(rows[1].wall)
    assert rows[4].queries_per_second == pytest.approx(4 / sum(rows[4].wall))
    assert [row.mode for row in sweep_of(online, stored, batch=[1], document_vectors=["stored"])] == [
        "stored"
    ]


@pytest.mark.parametrize(
    ("axis", "problem"),
    [("candidates", "no query has 4 candidates"), ("batch", "asks for 4 queries at once")],
)
def test_a_point_beyond_the_candidates_or_queries_is_refused(axis: str, problem: str) -> None:
    with pytest.raises(InputError, match=rf"{problem}.*lower it to 3"):
        sweep_of(system("sleep", SleepingReranker()), **{axis: [4]})


def test_e2rank_is_swept_over_prompt_documents_with_none_as_the_plain_query() -> None:
    built: list[tuple[str, int]] = []

    def build_one(settings: Any) -> SleepingReranker:
        built.append((settings.prompt, settings.prompt_documents))
        return SleepingReranker()

    model = "all-minilm-l6-v2"
    e2rank = E2RankSettings(family="e2rank", model=model, prompt_documents=10)
    plain = E2RankSettings(family="e2rank", model=model, prompt="query-only")
    systems = [System("e2rank", "online", e2rank, SleepingReranker()),
               System("plain", "online", plain, SleepingReranker())]  # fmt: skip
    rows = sweep_of(*systems, build=build_one, prompt_documents=[0, 2], samples=1, warm_up=0)
    assert [(row.reranker, row.value) for row in rows] == [("e2rank", 0), ("e2rank", 2)]
    assert built == [("query-only", 20), ("eval", 2)]


@pytest.mark.parametrize(("changes", "problem"), [
    ({}, "needs candidates, prompt_documents or batch"),
    ({"candidates": [10, 5]}, "in ascending order"),
    ({"batch": [2, 2]}, "each point once"),
    ({"candidates": [0]}, "greater than or equal to 1"),
])  # fmt: skip
def test_a_sweep_that_does_not_apply_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        CostSweepSettings(**changes)
