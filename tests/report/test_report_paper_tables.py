"""Tables of the paper filled as far as results are there, from the public runs of the first stages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2rank_eval.config import read_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.graph import Graph
from e2rank_eval.paper.grid import grid
from e2rank_eval.paper.reproduction import write_run_metrics
from e2rank_eval.planning.availability import GPU_VARIABLE
from e2rank_eval.report.collect import Results
from e2rank_eval.report.figures import write_figure
from e2rank_eval.report.paper_cells import JudgedCell, judged_cells
from e2rank_eval.report.paper_tables import cells_table, paper_table
from e2rank_eval.report.tables import build_table
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.layout import Layout

ROOT = Path(__file__).parents[2]
RUNS = ROOT.parent / "shared" / "data" / "trec"
needs_runs = pytest.mark.skipif(not RUNS.exists(), reason="the public runs are not beside this clone")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine lacks must not depend on the one that tests."""
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    monkeypatch.setenv("E2RANK_RUNS", "")
    monkeypatch.setenv(GPU_VARIABLE, "0")


@pytest.fixture(scope="module")
def public_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    for run in ("bm25-dl19", "splade-dl19"):
        write_run_metrics(folder / "published_runs" / f"{run}.json", run, folder / "cache", RUNS)
    return folder


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The paper's grid, in a working folder of the test's own."""
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)
    values: dict[str, Any] = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text(encoding="utf-8"))
    return values


def _results(folder: Path) -> Results:
    configuration = read_configuration(ROOT / "config" / "paper.yaml")
    return Results(Layout(folder), configuration.model_copy(update={"cache": folder / "cache"}))


def _cell(results: Results, name: str, system: str, column: str) -> JudgedCell:
    cells = judged_cells(results, grid(results.configuration, name))
    (found,) = (cell for cell in cells if (cell.grid.system, cell.grid.column) == (system, column))
    return found


@needs_runs
def test_what_ran_is_compared_and_the_rest_says_what_it_needs(public_runs: Path) -> None:
    results = _results(public_runs)
    bm25 = _cell(results, "table1", "BM25", "dl19")
    assert bm25.ours is not None
    assert round(bm25.ours.value, 2) == 50.58 == bm25.published
    assert (bm25.verdict, bm25.inside, bm25.ours.queries) == ("reproduced", True, 43)
    assert bm25.commands == ("e2rank-eval reproduce bm25-dl19",)
    average = _cell(results, "table1", "BM25", "beir-avg")
    assert (average.verdict, average.ours) == ("not run", None)
    assert any("robust04" in need and "NIST" in need for need in average.needs)
    ours = _cell(results, "table1", "E2Rank-8B", "dl19")
    assert "a GPU, for E2Rank-8B (8B parameters)" in ours.needs
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
def test_a_torn_result_is_an_error_and_not_a_gap(public_runs: Path, tmp_path: Path) -> None:
    shutil.copytree(public_runs, tmp_path / "p")
    write_json(tmp_path / "p" / "published_runs" / "bm25-dl19.json", {"mean": {}})
    with pytest.raises(InputError, match="make this file again"):
        paper_table(_results(tmp_path / "p"), "table1")


def test_every_table_stands_with_nothing_run(tmp_path: Path) -> None:
    results = _results(tmp_path)
    for name in results.configuration.artefacts:
        if name.startswith("table"):
            table = paper_table(results, name)
            assert table.rows, name
            assert len(cells_table(results, name).rows) == len(grid(results.configuration, name).cells)


def test_mteb_scores_are_read_from_its_own_result_files(tmp_path: Path) -> None:
    results = _results(tmp_path)
    folder = tmp_path / places.MTEB / "results" / "Alibaba-NLP__E2Rank-0.6B" / "main"
    write_json(
        folder / "SummEval.json", {"task_name": "SummEval", "scores": {"test": [{"main_score": 0.309}]}}
    )
    cell = _cell(results, "table4", "E2Rank-0.6B", "summarization")
    assert cell.ours is not None
    assert cell.ours.value == pytest.approx(30.9)
    assert cell.verdict == "reproduced"
    assert _cell(results, "table4", "E2Rank-8B", "summarization").ours is None
    # The record of the graph's job, where there is one, goes before files that may be of another revision.
    task = dict.fromkeys(("seconds", "texts", "tokens", "truncated", "forward_tokens", "failure"))
    record = {"system": "e2rank-0.6b", "name": "E2Rank-0.6B", "revision": "main", "missing": []}
    mean = {"value": 31.5, "scored": 1, "wanted": 1}
    record |= {"benchmark": None, "mean_task": mean, "mean_task_type": mean, "by_type": {}}
    tasks = [task | {"task": "SummEval", "type": "Summarization", "score": 31.5}]
    path = results.layout.path(places.MTEB_RECORD, entry="v1", system="e2rank-0.6b")
    write_json(path, record | {"tasks": tasks})
    recorded = _cell(results, "table4", "E2Rank-0.6B", "summarization")
    assert recorded.ours is not None
    assert (recorded.ours.value, recorded.verdict) == (31.5, "differs")
    assert str(path) in recorded.commands[0]


def test_results_of_two_revisions_are_an_error_and_not_a_choice(tmp_path: Path) -> None:
    results = _results(tmp_path)
    for revision in ("main", "v2"):
        folder = tmp_path / places.MTEB / "results" / "Alibaba-NLP__E2Rank-0.6B" / revision
        write_json(folder / "SummEval.json", {"scores": {"test": [{"main_score": 0.3}]}})
    with pytest.raises(InputError, match=r"2 revisions of e2rank-0\.6b"):
        _cell(results, "table4", "E2Rank-0.6B", "summarization")


def test_a_table_of_mteb_says_which_of_its_models_wait_for_a_training(tmp_path: Path) -> None:
    notes = build_table(_results(tmp_path), "mteb-ablation").notes
    command = "e2rank-eval train config/train/0.6b.yaml stage2-0.6b-no-stage1"
    assert f"stage2-0.6b-no-stage1 has yet to be trained: {command}." in notes


def test_bars_are_drawn_with_nothing_run(tmp_path: Path) -> None:
    results = _results(tmp_path)
    paths = write_figure(results.layout, results.configuration, "figure1b")
    text = next(path for path in paths if path.suffix == ".csv").read_text(encoding="utf-8")
    assert "a GPU" in text


def test_a_run_leaves_out_what_the_machine_lacks_and_a_dry_run_shows_the_whole_grid(
    paper: dict[str, Any],
) -> None:
    whole = Graph(paper, "paper.yaml")
    assert "results/paper/metrics/dl19/bm25/e2rank-8b.json" in whole.artefacts.inputs("table1")
    here = Graph(paper, "paper.yaml", whole=False)
    assert here.artefacts.inputs("table1") == []
    assert "dl19/bm25/e2rank-8b" in here.artefacts.left_out
    assert "results/paper/mteb/records/v1/e2rank-8b.json" in whole.artefacts.inputs("table4")
    assert here.artefacts.inputs("table4") == []
    assert "the model hub, for the data of MTEB" in here.artefacts.left_out["v1/e2rank-8b"]
    assert "figure2" not in here.artefacts.shown.artefacts
    assert "table1" in here.artefacts.shown.artefacts
    # What shows all of the results asks for no more; a figure asked for by its name still has its rules.
    curve = "results/paper/figures/sweep-prompt-documents.svg"
    assert curve in whole.figure_files()
    assert curve not in here.figure_files()
    assert whole.latency_files() != []
    assert here.latency_files() == here.mteb_files() == []
    assert here.shown_rerankings.keys() < here.rerankings.keys()
    assert "results/paper/tables/table1.csv" in here.table_files()
    # What cannot be made has jobs apart, so that it drags nothing along and fails alone.
    apart = {key: datasets for key, rest, datasets in here.rerank_jobs() if rest}
    assert apart["bm25", "e2rank-8b"] == ["trec-covid"]
    assert all(rest == "" for _, rest, _ in [*whole.rerank_jobs(), *whole.retrieve_jobs()])


def test_what_is_stored_is_not_left_out_and_each_reason_is_counted_whole(
    paper: dict[str, Any], tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "results" / "paper")
    run = {"dataset": "trec-covid", "first_stage": "bm25", "reranker": "e2rank-8b"}
    for pattern in (places.CANDIDATES, places.RUN, places.STATISTICS):
        layout.path(pattern, **run).parent.mkdir(parents=True)
        layout.path(pattern, **run).touch()
    name = "trec-covid/bm25/e2rank-8b"
    half = Graph(paper, "paper.yaml", whole=False).artefacts
    assert "a GPU, for E2Rank-8B (8B parameters)" in half.left_out[name]
    licence = "not stated by BEIR; the papers of CORD-19 carry their own"
    assert any(licence in line for line in half.left_out_summary())
    layout.path(places.METRICS, **run).parent.mkdir(parents=True)
    layout.path(places.METRICS, **run).touch()
    here = Graph(paper, "paper.yaml", whole=False)
    assert name not in here.artefacts.left_out
    assert f"latency/{name}" in here.artefacts.left_out
    assert here.shown_rerankings["bm25", "e2rank-8b"] == ["trec-covid"]


def test_jobs_go_by_what_the_leading_process_found(
    paper: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading = Graph(paper, "paper.yaml", whole=False).artefacts.left_out
    kept = tmp_path / "results" / "paper" / "left_out.json"
    assert read_json(kept) == leading
    write_json(kept, {"dl19/bm25/first-stage": ["a network"]})
    monkeypatch.setattr("e2rank_eval.graph.artefacts.led", lambda: True)
    assert Graph(paper, "paper.yaml", whole=False).artefacts.left_out == read_json(kept)
    monkeypatch.setattr("e2rank_eval.graph.artefacts.led", lambda: False)
    assert Graph(paper, "paper.yaml", whole=False).artefacts.left_out == leading
    del paper["artefacts"]
    assert Graph(paper, "paper.yaml", whole=False).artefacts.left_out == {} == read_json(kept)
