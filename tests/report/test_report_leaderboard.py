"""The leaderboard shows every run's metrics, and mteb's own reader takes its files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from e2rank_eval.report.collect import Results
from e2rank_eval.report.leaderboard import best_first, leaderboard_table
from e2rank_eval.report.render import to_csv


def test_the_csv_has_every_run_best_first_with_its_stored_means(stored: Results) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(leaderboard_table(stored)))))
    keys = [(row["data set"], *row["run"].split("/")) for row in rows]
    assert keys == best_first(stored)
    assert sorted(keys) == sorted(stored.run_keys())
    for key, row in zip(keys, rows, strict=True):
        metrics = stored.metrics(key)
        for name, value in metrics.mean.items():
            assert float(row[f"{name} × 100"]) == pytest.approx(100 * value, abs=6e-3)
        assert float(row["R@100 × 100 low"]) == pytest.approx(100 * metrics.interval["R@100"][0], abs=6e-3)
        assert int(row["queries"]) == metrics.queries.qrels
    assert {row["system"].endswith(", untrained") for row in rows} == {True, False}
    for dataset in ("news", "code", "code-8"):
        values = [float(row["nDCG@10 × 100"]) for row in rows if row["data set"] == dataset]
        assert values == sorted(values, reverse=True)


@pytest.mark.slow
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
