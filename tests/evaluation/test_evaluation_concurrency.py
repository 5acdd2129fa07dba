"""Throughput under concurrent queries: sleep overlaps, a real model gives the same rankings, budgets hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sleeping_reranker import ENCODE, PROMPT, SleepingReranker, collection, system, work_of
from tiny_chat_models import entry, write_chat_model

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError, QueryError
from e2rank_eval.evaluation.concurrency import concurrent_latency, throughput
from e2rank_eval.evaluation.samples import Work
from e2rank_eval.models.loading import load_encoder, load_language_model
from e2rank_eval.models.registry import registered_model
from e2rank_eval.records import Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings
from e2rank_eval.rerankers.families.listwise import ListwiseReranker, ListwiseSettings
from e2rank_eval.store.layout import LATENCY, Layout

ONE = ENCODE + PROMPT


def test_concurrent_queries_overlap() -> None:
    work = work_of(collection(6))
    alone, four = (
        throughput(system("sleep", SleepingReranker()), work, n, samples=20, budget=60) for n in (1, 4)
    )
    assert alone.queries == four.queries == 20
    assert alone.queries_per_second <= 1 / ONE < four.queries_per_second <= 4 / ONE
    assert four.p50_seconds is not None
    assert four.p90_seconds is not None
    assert ONE <= four.p50_seconds <= four.p90_seconds
    assert four.p99_seconds is None


def test_a_budget_ends_the_measurement_and_a_failing_query_is_named() -> None:
    work = work_of(collection(6))
    short = throughput(system("sleep", SleepingReranker()), work, 2, samples=500, budget=0.2)
    assert 2 <= short.queries <= 2 * (0.2 / ONE + 1)
    with pytest.raises(InputError, match="no query began within 1e-09 s"):
        throughput(system("sleep", SleepingReranker()), work, 2, samples=6, budget=1e-9)
    with pytest.raises(QueryError, match="'q1' could not be ranked"):
        throughput(system("sleep", SleepingReranker(failing="q1")), work, 2, samples=6, budget=60)


def test_every_system_of_an_entry_is_measured_and_nothing_stored(
    stored: tuple[Configuration, Layout],
) -> None:
    configuration, layout = stored
    found = concurrent_latency(configuration, "one", layout, 3)
    assert [(one.reranker, one.mode, one.concurrent) for one in found] == [
        ("sleep", "online", 3), ("sleep", "stored", 3),
    ]  # fmt: skip
    assert not layout.path(LATENCY, latency="one").exists()


@pytest.mark.parametrize("family", ["e2rank", "listwise"])
def test_a_small_checkpoint_ranks_concurrent_queries_as_one_by_one(
    family: str, minilm_path: Path, tmp_path: Path
) -> None:
    model: Reranker
    if family == "e2rank":
        name = "all-minilm-l6-v2"
        encoder = load_encoder(minilm_path, registered_model(name), file_hashes={})
        model = E2RankReranker(encoder, E2RankSettings(family="e2rank", model=name, prompt_documents=2))
    else:
        folder = write_chat_model(tmp_path / "chat")
        language_model = load_language_model(folder, entry(), file_hashes={})
        settings = ListwiseSettings(family="listwise", model="tiny", window=3, step=2)
        model = ListwiseReranker(language_model, settings)
    work = work_of(collection(8))

    def rank(one: Work) -> Ranking:
        return model.rank_candidates([one[0]], [one[1]])[0]

    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(rank, 3 * work))
    assert [one.order for one in at_once] == 3 * [rank(one).order for one in work]
