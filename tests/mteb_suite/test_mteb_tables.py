"""Tables of an mteb entry: ours beside the paper's and published models', partial means named as such."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import mteb
import pytest
import yaml

from e2rank_eval.config import parse_configuration
from e2rank_eval.mteb_suite.summary import published_scores, summarise
from e2rank_eval.mteb_suite.tasks import wanted_tasks
from e2rank_eval.paper import published as paper
from e2rank_eval.report.collect import Results
from e2rank_eval.report.render import to_csv, to_markdown
from e2rank_eval.report.tables import TABLES
from e2rank_eval.store.layout import MTEB_RECORD, Layout
from e2rank_eval.store.results import MtebRecord, MtebTask, write_record

ROOT = Path(__file__).parents[2]
OURS = "e2rank-0.6b"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def _results(folder: Path, benchmark: str, paper_table: str, scores: dict[str, float]) -> Results:
    """Stored results in which a model has ``scores`` of the benchmark's tasks, and lacks the rest."""
    values = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
    entry = {"title": benchmark, "benchmark": benchmark, "models": [OURS], "paper_table": paper_table}
    configuration = parse_configuration(values | {"mteb": {"suite": entry}}, "demo.yaml")
    layout, wanted = Layout(folder), wanted_tasks(benchmark, [])
    record = MtebRecord(
        system=OURS,
        name="Alibaba-NLP/E2Rank-0.6B",
        revision="0" * 40,
        benchmark=benchmark,
        tasks=tuple(MtebTask(task=t, type=kind, score=scores.get(t)) for t, kind in wanted.items()),
        means=summarise(wanted, scores),
    )
    write_record(layout.path(MTEB_RECORD, entry="suite", system=OURS), record)
    return Results(layout, configuration)


def _rows(table: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(to_csv(table))))


@pytest.mark.parametrize(
    ("benchmark", "paper_table", "mean", "count"),
    [("MTEB(eng, v1)", "4", "56.10", 56), ("MTEB(eng, v2)", "15", "59.03", 41)],
)
def test_published_minilm_has_its_published_mean(
    tmp_path: Path, benchmark: str, paper_table: str, mean: str, count: int
) -> None:
    header, *rows = _rows(TABLES.build(_results(tmp_path, benchmark, paper_table, {}), "mteb-suite"))
    (row,) = [row for row in rows if row[0].startswith(MINILM)]
    assert row[header.index(f"mean over tasks ({count})")] == mean
    assert row[-1] == f"{count} of {count}"


def test_table_15_stands_beside_ours_task_by_task(tmp_path: Path) -> None:
    results = _results(tmp_path, "MTEB(eng, v2)", "15", {"STS13": 91.0, "ArguAna": 55.0})
    table = TABLES.build(results, "mteb-suite-tasks")
    header, *rows = _rows(table)
    by_task = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert len(by_task) == 42
    assert by_task["STS13"]["e2rank-0.6b"] == "91.00"
    assert by_task["SCIDOCS"]["e2rank-0.6b"] == ""
    printed = {cell.column: cell.printed for cell in paper.table("15") if cell.system == "E2Rank-0.6B"}
    for task, row in by_task.items():
        column = "avg" if task == "mean over tasks" else task
        assert float(row["E2Rank-0.6B (paper)"]) == pytest.approx(float(printed[column]), abs=0.006)
    assert "73.00, 2 of 41" in to_markdown(table)
    assert "e2rank-0.6b lacks 39 of 41 tasks" in to_markdown(table)


def test_table_4_has_the_papers_means_by_type(tmp_path: Path) -> None:
    header, *rows = _rows(
        TABLES.build(_results(tmp_path, "MTEB(eng, v1)", "4", {"STS13": 91.0}), "mteb-suite")
    )
    stage_one = dict(zip(header, next(r for r in rows if r[0] == "E2Rank-0.6B-stage1, paper"), strict=True))
    assert stage_one["Retrieval (15)"] == "48.07"
    assert stage_one["PairClassification (3)"] == "82.47"
    ours = dict(zip(header, rows[0], strict=True))
    assert ours["STS (10)"] == "91.00"
    assert ours["tasks scored"] == "1 of 56"


def test_the_source_of_published_rows_is_named_only_beside_such_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = _results(tmp_path, "MTEB(eng, v2)", "15", {"STS13": 91.0})
    assert "embeddings-benchmark/results" in to_markdown(TABLES.build(results, "mteb-suite"))
    monkeypatch.setattr("e2rank_eval.report.tables.mteb.published_scores", lambda: ())
    assert "embeddings-benchmark/results" not in to_markdown(TABLES.build(results, "mteb-suite"))


def test_the_packaged_scores_are_the_published_ones(shared_data: Path) -> None:
    with (shared_data / "mteb" / "published.csv").open(newline="") as file:
        published = list(csv.DictReader(file))
    packaged = {(row.model, row.revision): row.scores for row in published_scores()}
    assert packaged.keys() == {(row["model"], row["revision"]) for row in published}
    for row in published:
        if row["task"] != "BrightRetrieval":  # a mean of twelve subsets
            assert packaged[row["model"], row["revision"]][row["task"]] == pytest.approx(
                float(row["main_score"])
            )


def test_mteb_itself_has_the_same_means_of_published_result_files(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to(shared_data / "mteb" / "results")
    results = mteb.ResultCache(tmp_path).load_results(
        tasks="MTEB(eng, v2)", models=[MINILM], validate_and_filter=True
    )
    (model,) = results.model_results
    scores = {one.task_name: 100 * one.get_score() for one in model.task_results}
    row = next(row for row in published_scores() if row.model == MINILM)
    assert len(scores) == 41
    assert all(row.scores[task] == pytest.approx(score, abs=1e-2) for task, score in scores.items())
