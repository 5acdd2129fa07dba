"""The notebooks run on stored results, show what they promise, and are committed without outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from report.results_tree import build_results

from e2rank_eval.report.notebooks import execute

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_explore_shows_tables_figures_differences_and_traces(tmp_path: Path) -> None:
    (path,) = (path for path in NOTEBOOKS if path.stem == "explore")
    notebook = execute(path, build_results(tmp_path).root)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.output_type in ("stream", "error")] == []
    pages = "".join(output.data.get("text/html", "") for output in outputs)
    assert "Reranking BM25 on the embedded collections" in pages
    assert "repaired queries" in pages
    assert sum("image/png" in output.data for output in outputs) == 2


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    (path,) = (path for path in NOTEBOOKS if path.stem == "explore")
    with pytest.raises(CellExecutionError, match=r"no such configuration"):
        execute(path, tmp_path / "nowhere")
