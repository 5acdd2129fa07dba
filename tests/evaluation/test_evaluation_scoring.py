"""Metrics files: content, reproducibility, and refusals of bad input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from e2rank_eval.config import parse_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.effectiveness import DEFAULT_MEASURES, evaluate_files, write_metrics
from e2rank_eval.records import QueryStats
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_jsonl
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.results import QueryCounts
from e2rank_eval.store.statistics import stats_row
from e2rank_eval.store.trec import write_qrels, write_run


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    run = tmp_path / "e2rank.run"
    write_run(run, [("q1", ["a", "b"]), ("q2", ["b", "a"]), ("q9", ["a"])], tag="e2rank")
    write_qrels(tmp_path / "qrels.tsv", {"q1": {"a": 2}, "q2": {"a": 1}, "q3": {"c": 1}})
    statistics = tmp_path / "e2rank.jsonl"
    kept = QueryStats(kept_first_stage="ValueError: no")
    write_jsonl(statistics, [stats_row("q1", QueryStats()), stats_row("q2", kept)])
    return run, tmp_path / "qrels.tsv", statistics


def test_a_metrics_file_describes_its_queries(files: tuple[Path, Path, Path]) -> None:
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


def test_stored_metrics_are_the_same_bytes_each_time_and_their_manifest_names_the_command(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    values = {
        "profile": "p",
        "datasets": {"lee": {}},
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {"e2rank": {"family": "identity"}},
    }
    layout, names = Layout(tmp_path / "results/p"), ("lee", "bm25", "e2rank")
    targets = (places.RUN, places.QRELS, places.STATISTICS)
    for source, pattern in zip(files, targets, strict=True):
        target = layout.run_path(pattern, names)
        target.parent.mkdir(parents=True)
        shutil.copy(source, target)
    written = []
    for _ in range(2):
        (metrics,) = write_metrics(parse_configuration(values, "p.yaml"), "e2rank", "bm25", ["lee"], layout)
        written.append(layout.run_path(places.METRICS, names).read_bytes())
        assert (metrics.measures, metrics.failed) == (DEFAULT_MEASURES, ("q2",))
    assert written[0] == written[1]
    manifest = json.loads(layout.run_path(places.METRICS + ".manifest.json", names).read_text())
    assert manifest["command"].startswith("e2rank-eval evaluate e2rank lee --first-stage bm25 --config ")
    assert len(manifest["inputs"]) == 3


def test_judgements_of_another_collection_are_refused(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    write_qrels(tmp_path / "other.tsv", {"x1": {"a": 1}})
    with pytest.raises(InputError, match=r"e2rank\.run: none of its 3 queries is judged in .*other\.tsv"):
        evaluate_files(files[0], tmp_path / "other.tsv", seed=13)
