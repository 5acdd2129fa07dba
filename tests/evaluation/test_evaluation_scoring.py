"""Metrics files: what they hold, that they are reproducible, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.effectiveness import evaluate_files, write_metrics
from e2rank_eval.records import QueryStats
from e2rank_eval.store.results import QueryCounts
from e2rank_eval.store.statistics import stats_row, write_statistics
from e2rank_eval.store.trec import write_qrels, write_run


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    run = tmp_path / "results/demo/runs/lee/bm25/e2rank.run"
    write_run(run, [("q1", ["a", "b"]), ("q2", ["b", "a"]), ("q9", ["a"])], tag="e2rank")
    write_qrels(tmp_path / "qrels.tsv", {"q1": {"a": 2}, "q2": {"a": 1}, "q3": {"c": 1}})
    statistics = tmp_path / "e2rank.jsonl"
    kept = QueryStats(kept_first_stage="ValueError: no")
    write_statistics(statistics, [stats_row("q1", QueryStats()), stats_row("q2", kept)])
    return run, tmp_path / "qrels.tsv", statistics


def test_a_metrics_file_says_all_about_its_queries(files: tuple[Path, Path, Path]) -> None:
    run, qrels, statistics = files
    names = ("lee", "bm25", "e2rank")
    metrics = evaluate_files(run, qrels, ["RR@10", "P@1"], statistics=statistics, names=names, seed=13)
    assert (metrics.dataset, metrics.first_stage, metrics.reranker) == names
    assert metrics.queries == QueryCounts(qrels=3, run=3, ignored=("q9",), unanswered=("q3",), repeated=0)
    assert metrics.failed == ("q2",)
    assert metrics.per_query["RR@10"] == {"q1": 1.0, "q2": 0.5, "q3": 0.0}
    assert metrics.mean == {"RR@10": 0.5, "P@1": pytest.approx(1 / 3)}
    low, high = metrics.interval["RR@10"]
    assert 0.0 <= low < 0.5 < high <= 1.0


def test_the_file_is_the_same_bytes_each_time_and_its_manifest_names_the_command(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    run, qrels, statistics = files
    written = []
    for name in ("one", "two"):
        path = tmp_path / name / "metrics.json"
        write_metrics(
            path, evaluate_files(run, qrels, statistics=statistics, seed=13), inputs=[run, qrels, statistics]
        )
        written.append(path.read_bytes())
    assert written[0] == written[1]
    manifest = json.loads((tmp_path / "two/metrics.json.manifest.json").read_text())
    assert manifest["command"].startswith(
        f"e2rank-eval evaluate {run} {qrels} --statistics {statistics} --measure nDCG@10"
    )
    assert len(manifest["inputs"]) == 3


def test_judgements_of_another_collection_are_refused(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    write_qrels(tmp_path / "other.tsv", {"x1": {"a": 1}})
    with pytest.raises(InputError, match=r"e2rank\.run: none of its 3 queries is judged in .*other\.tsv"):
        evaluate_files(files[0], tmp_path / "other.tsv", seed=13)
