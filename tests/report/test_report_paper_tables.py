"""Tables of the paper filled with the available results, here the public runs of the first stages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from e2rank_eval.config import read_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.paper.grid import grid
from e2rank_eval.paper.reproduction import write_run_metrics
from e2rank_eval.report.collect import Results
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.paper_cells import JudgedCell, judged_cells
from e2rank_eval.report.tables.paper import cells_table, paper_table
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.layout import Layout

ROOT = Path(__file__).parents[2]
RUNS = ROOT.parent / "shared" / "data" / "trec"
needs_runs = pytest.mark.skipif(not RUNS.exists(), reason="the public runs are not beside this clone")


@pytest.fixture(scope="module")
def public_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("E2RANK_RUNS", str(RUNS))
        for run in ("bm25-dl19", "splade-dl19"):
            write_run_metrics(folder / "published_runs" / f"{run}.json", run, folder / "cache")
    return folder


def _results(folder: Path) -> Results:
    configuration = read_configuration(ROOT / "config" / "paper.yaml")
    return Results(Layout(folder), configuration.model_copy(update={"cache": folder / "cache"}))


def _cell(results: Results, name: str, system: str, column: str) -> JudgedCell:
    cells = judged_cells(results, grid(results.configuration, name))
    (found,) = (cell for cell in cells if (cell.grid.system, cell.grid.column) == (system, column))
    return found


@needs_runs
def test_what_ran_is_compared_and_the_rest_names_its_command(public_runs: Path) -> None:
    results = _results(public_runs)
    bm25 = _cell(results, "table1", "BM25", "dl19")
    assert bm25.ours is not None
    assert round(bm25.ours.value, 2) == 50.58 == bm25.published
    assert (bm25.verdict, bm25.inside, bm25.ours.queries) == ("reproduced", True, 43)
    assert bm25.commands[0].startswith(f"snakemake {public_runs}/metrics/dl19/bm25/first-stage.json --config")
    average = _cell(results, "table1", "BM25", "beir-avg")
    assert (average.verdict, average.ours) == ("not run", None)
    assert average.commands == (), "three collections of the average are opt-in"
    ours = _cell(results, "table1", "E2Rank-8B", "dl19")
    assert ours.commands[0].startswith(
        f"snakemake {public_runs}/metrics/dl19/bm25/e2rank-8b.json --configfile"
    )
    other = _cell(results, "table1", "RankQwen3-8B", "dl19")
    assert other.verdict == "not run"
    assert other.commands == ()


@needs_runs
def test_a_run_of_ours_is_tested_against_the_baseline_query_by_query(
    public_runs: Path, tmp_path: Path
) -> None:
    shutil.copytree(public_runs, tmp_path / "p")
    results = _results(tmp_path / "p")
    # SPLADE++'s real values in the place of E2Rank's: 73.08 against a published 70.84.
    metrics = read_json(tmp_path / "p" / "published_runs" / "splade-dl19.json")
    write_json(results.path(places.METRICS, ("dl19", "bm25", "e2rank-0.6b")), metrics)
    cell = _cell(results, "table1", "E2Rank-0.6B", "dl19")
    assert cell.test is not None
    assert cell.test.difference == pytest.approx(73.08 - 50.58, abs=0.01)
    assert cell.test.p_holm is not None
    assert cell.test.p_holm < 0.001
    assert cell.verdict == "differs"
    assert cell.inside
    table = paper_table(results, "table1")
    row = next(row for row in table.rows if row[0].value == "E2Rank-0.6B" and row[1].value == "ours")
    assert row[2].marks[0].above
    assert row[-1].value == "1 differs, 10 not run"


@needs_runs
def test_a_corrupt_result_is_an_error_and_not_a_gap(public_runs: Path, tmp_path: Path) -> None:
    shutil.copytree(public_runs, tmp_path / "p")
    write_json(tmp_path / "p" / "published_runs" / "bm25-dl19.json", {"mean": {}})
    with pytest.raises(InputError, match="make this file again"):
        paper_table(_results(tmp_path / "p"), "table1")


def test_every_table_is_drawn_with_nothing_stored(tmp_path: Path) -> None:
    results = _results(tmp_path)
    for name in results.configuration.tables:
        table = paper_table(results, name)
        assert table.rows, name
        stored = f'"snakemake {name} --configfile'
        assert any(stored in note for note in table.notes) == (name != "table13"), name
        assert len(cells_table(results, name).rows) == len(grid(results.configuration, name).cells)


def test_mteb_scores_are_read_from_the_record_of_their_job(tmp_path: Path) -> None:
    results = _results(tmp_path)
    task = dict.fromkeys(("seconds", "texts", "tokens", "truncated", "forward_tokens", "failure"))
    record = {"system": "e2rank-0.6b", "name": "E2Rank-0.6B", "revision": "main"}
    mean = {"value": 31.5, "scored": 1, "wanted": 1}
    means = {"tasks": mean, "types": mean, "by_type": {}, "missing": []}
    record |= {"benchmark": None, "means": means}
    tasks = [task | {"task": "SummEval", "type": "Summarization", "score": 31.5}]
    path = results.layout.path(places.MTEB_RECORD, entry="v1", system="e2rank-0.6b")
    write_json(path, record | {"tasks": tasks})
    recorded = _cell(results, "table4", "E2Rank-0.6B", "summarization")
    assert recorded.ours is not None
    assert (recorded.ours.value, recorded.verdict) == (31.5, "differs")
    assert str(path) in recorded.commands[0]
    assert _cell(results, "table4", "E2Rank-8B", "summarization").ours is None


def test_bars_are_drawn_with_nothing_run(tmp_path: Path) -> None:
    results = _results(tmp_path)
    paths = FIGURES.write(results.layout, results.configuration, "figure1b")
    text = next(path for path in paths if path.suffix == ".csv").read_text(encoding="utf-8")
    assert "E2Rank-8B,beir-avg,,,," in text
