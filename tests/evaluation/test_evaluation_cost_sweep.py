"""Latency swept over candidates, prompt documents and batches: which points are timed, and on how much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sleeping_reranker import SleepingReranker, collection, work_of

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import CostSweepSettings
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation import cost_sweep
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.store.layout import Layout


def test_a_sweep_times_every_point_on_as_many_candidates_and_queries(
    stored: tuple[Configuration, Layout],
) -> None:
    model = SleepingReranker(stores_documents=True)
    sizes: list[tuple[int, int]] = []

    def rank_candidates(queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        sizes.append((len(queries), len(candidates[0])))
        return SleepingReranker.rank_candidates(model, queries, candidates)

    model.rank_candidates = rank_candidates  # type: ignore[method-assign]
    dataset = collection(3)
    work = work_of(dataset)
    sweep = CostSweepSettings(candidates=[1, 3], prompt_documents=[0], batch=[2], samples=2, warm_up=1)
    custom = stored[0].rerankers["sleep"]
    rows = cost_sweep.measure_sweep(lambda _: model, custom, work, sweep, name="sleep")
    points = [("candidates", 1), ("candidates", 3), ("batch", 2)]
    assert [(row.axis, row.value) for row in rows] == 2 * points
    assert [row.mode for row in rows] == 3 * ["online"] + 3 * ["stored"]
    assert sizes == 2 * (3 * [(1, 1)] + 3 * [(1, 3)] + 3 * [(2, 3)])
    assert [row.document_tokens for row in rows] == 3 * [7.0] + 3 * [0.0]
    batch = rows[2]
    assert len(batch.seconds) == 2
    assert batch.queries_per_second == pytest.approx(4 / sum(batch.seconds))


def test_a_sweep_deeper_than_any_list_is_refused(stored: tuple[Configuration, Layout]) -> None:
    dataset = collection(2)
    work = work_of(dataset)
    custom = stored[0].rerankers["sleep"]
    with pytest.raises(InputError, match=r"no query has 4 candidates.*lower it to 3"):
        cost_sweep.measure_sweep(
            lambda _: SleepingReranker(), custom, work, CostSweepSettings(candidates=[4]), name="sleep"
        )


def test_e2rank_is_swept_over_prompt_documents_with_none_as_the_plain_query() -> None:
    dataset = collection(2)
    work = work_of(dataset)
    built: list[tuple[str, int]] = []

    def build_one(settings: Any) -> SleepingReranker:
        built.append((settings.prompt, settings.prompt_documents))
        return SleepingReranker()

    e2rank = E2RankSettings(family="e2rank", model="all-minilm-l6-v2", prompt_documents=10)
    sweep = CostSweepSettings(prompt_documents=[0, 2], samples=1, warm_up=0)
    rows = cost_sweep.measure_sweep(build_one, e2rank, work, sweep, name="e2rank")
    assert [row.value for row in rows] == [0, 2]
    plain = E2RankSettings(family="e2rank", model="all-minilm-l6-v2", prompt="query-only")
    assert cost_sweep.measure_sweep(lambda _: SleepingReranker(), plain, work, sweep, name="plain") == []
    assert built[1:] == [("query-only", 20), ("eval", 2)]


@pytest.mark.parametrize(("changes", "problem"), [
    ({}, "needs candidates, prompt_documents or batch"),
    ({"candidates": [10, 5]}, "in ascending order"),
    ({"batch": [2, 2]}, "each point once"),
    ({"candidates": [0]}, "greater than or equal to 1"),
])  # fmt: skip
def test_a_sweep_without_sense_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        CostSweepSettings(**changes)
