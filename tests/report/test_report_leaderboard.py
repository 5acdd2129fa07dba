"""The leaderboard says of every run what its metrics say, and mteb's own reader takes its files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from e2rank_eval.report.collect import Results
from e2rank_eval.report.leaderboard import FACTS, entries, to_csv


def test_every_run_stands_there_best_first_with_its_stored_means(stored: Results) -> None:
    rows = entries(stored)
    keys = [(row["dataset"], row["first_stage"], row["reranker"]) for row in rows]
    assert sorted(keys) == sorted(stored.run_keys())
    for key, row in zip(keys, rows, strict=True):
        metrics = stored.metrics(key)
        for name, value in row["measures"].items():
            assert value["mean"] == pytest.approx(100 * metrics.mean[name], abs=1e-4)
        assert row["queries"] == metrics.queries.qrels
    for dataset in ("news", "code", "code-8"):
        values = [row["measures"]["nDCG@10"]["mean"] for row in rows if row["dataset"] == dataset]
        assert values == sorted(values, reverse=True)


def test_the_csv_gives_the_entries_back(stored: Results) -> None:
    rows = entries(stored)
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert [row["reranker"] for row in read] == [row["reranker"] for row in rows]
    assert [float(row["R@100 low"]) for row in read] == [row["measures"]["R@100"]["low"] for row in rows]
    assert {row["untrained"] for row in read} == {"True", "False"}
    assert {*FACTS, "measures"} == rows[0].keys()


def test_the_csv_of_no_run_says_what_its_columns_would_be() -> None:
    assert to_csv([]).splitlines() == [",".join(FACTS)]


def test_the_sites_json_holds_the_entries(site: Path, stored: Results) -> None:
    document = json.loads((site / "downloads/leaderboard/leaderboard.json").read_text(encoding="utf-8"))
    assert document == {"profile": "small", "measure": "nDCG@10", "runs": entries(stored)}


def test_mteb_reads_every_file_and_finds_the_score(site: Path, stored: Results) -> None:
    from mteb.results import TaskResult

    folder = site / "downloads/leaderboard/mteb"
    paths = sorted(folder.rglob("*.json"))
    assert len(paths) == len(stored.run_keys())
    for path in paths:
        result = TaskResult.from_disk(path)
        system = path.relative_to(folder).parts[0].removeprefix("e2rank-eval__")
        metrics = stored.metrics((path.stem, *system.split("--")))  # type: ignore[arg-type]
        assert result.get_score() == pytest.approx(metrics.mean["nDCG@10"], abs=1e-6)
        assert result.scores["test"][0]["recall_at_100"] == pytest.approx(metrics.mean["R@100"], abs=1e-6)
        assert result.task_name == stored.dataset(path.stem).id
