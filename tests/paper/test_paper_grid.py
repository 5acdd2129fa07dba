"""The paper's grid: what config/paper.yaml maps each printed cell to."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2rank_eval.config import Configuration, read_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.paper import published
from e2rank_eval.paper.grid import LatencySource, RunSource, TaskSource, benchmarks, grid

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def paper() -> Configuration:
    return read_configuration(CONFIG / "paper.yaml")


def _sources(configuration: Configuration, name: str, system: str, column: str) -> tuple[object, ...]:
    cells = grid(configuration, name).cells
    (cell,) = (cell for cell in cells if (cell.system, cell.column) == (system, column))
    return cell.sources


def test_every_table_and_every_figure_of_the_paper_is_declared_once(paper: Configuration) -> None:
    tables = [one.table for one in paper.tables.values()]
    assert sorted(tables) == sorted({cell.table for cell in published.cells()})
    assert all(f"table{one}" in paper.tables for one in tables)
    assert {"figure1b", "figure1c", "figure2", "figure3"} <= paper.figures.keys()


def test_an_average_is_made_of_its_parts_even_where_the_table_does_not_print_them(
    paper: Configuration,
) -> None:
    assert _sources(paper, "table2", "E2Rank-4B", "beir-avg") == (), "three of its parts are opt-in"
    chosen = {name: one.model_copy(update={"run": True}) for name, one in paper.datasets.items()}
    sources = _sources(paper.model_copy(update={"datasets": chosen}), "table2", "E2Rank-4B", "beir-avg")
    assert len(sources) == 8
    assert RunSource(("webis-touche2020", "bm25", "e2rank-4b")) in sources
    assert RunSource(("dl19", "bm25", "e2rank-4b")) not in sources


def test_rows_and_columns_bring_first_stages_of_their_own(paper: Configuration) -> None:
    assert _sources(paper, "table6", "E2Rank-0.6B", "dl20") == (RunSource(("dl20", "bm25", "e2rank-0.6b")),)
    bright = _sources(paper, "table6", "E2Rank-0.6B", "bright-avg")
    assert len(bright) == 12
    assert RunSource(("bright-pony-reason", "reasonir", "e2rank-0.6b")) in bright
    end_to_end = _sources(paper, "table17", "E2Rank-8B retrieval", "pony")
    assert end_to_end == (RunSource(("bright-pony-reason", "e2rank-8b", "first-stage")),)
    assert _sources(paper, "table19", "BM25", "pony") == (
        RunSource(("bright-pony", "bm25-original", "first-stage")),
    )


def test_public_runs_give_what_they_are_runs_of_and_nothing_more(paper: Configuration) -> None:
    (bm25,) = _sources(paper, "table1", "BM25", "dl19")
    assert bm25 == RunSource(("dl19", "bm25", "first-stage"), "bm25-dl19")
    (splade,) = _sources(paper, "table21", "First-stage retrieval", "SPLADE++ED dl20")
    assert splade == RunSource(None, "splade-dl20")
    assert _sources(paper, "table21", "E2Rank-8B", "SPLADE++ED dl20") == ()
    assert _sources(paper, "table13", "RankQwen3-0.6B", "overall") == ()


def test_latency_and_mteb_have_sources_of_their_own(paper: Configuration) -> None:
    assert _sources(paper, "table12", "E2Rank-4B", "others") == (
        LatencySource(("trec-covid", "bm25", "e2rank-4b"), "others"),
    )
    assert _sources(paper, "table4", "E2Rank-8B-stage1", "summarization") == (
        TaskSource("e2rank-8b-embedding-only", "SummEval", "MTEB(eng, v1)"),
    )
    assert len(_sources(paper, "table15", "E2Rank-0.6B", "avg")) == 41
    assert len(_sources(paper, "table6", "E2Rank-0.6B", "mteb-eng-v2")) == 41


def test_the_tasks_are_those_of_mteb() -> None:
    mteb = pytest.importorskip("mteb")
    for name, columns in benchmarks().items():
        tasks = sorted(task for tasks in columns.values() for task in tasks)
        theirs = {task.metadata.name for task in mteb.get_benchmark(name).tasks}
        assert set(tasks) == theirs, name


def test_a_row_that_the_paper_does_not_print_is_named_with_its_line(tmp_path: Path) -> None:
    text = (
        (CONFIG / "paper.yaml")
        .read_text(encoding="utf-8")
        .replace("{BM25: first-stage, E2Rank-0.6B", "{BM52: first-stage, E2Rank-0.6B")
    )
    path = tmp_path / "paper.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"table 1 has no row 'BM52'.*did you mean BM25"):
        grid(read_configuration(path), "table1")
