"""The notebooks run on stored results, show what they promise, and are committed without outputs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from report.results_tree import build_results

from e2rank_eval.report.notebooks import execute, main, strip

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_results(tmp_path_factory.mktemp("notebooks")).root


def test_notebooks_are_committed_without_outputs() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["error_analysis", "explore", "latency", "paper_tables"]
    assert strip(NOTEBOOKS[0].parent, check=True) == []


def test_outputs_are_found_and_stripped(tmp_path: Path) -> None:
    for path in NOTEBOOKS:
        shutil.copy(path, tmp_path)
    spoilt = tmp_path / "explore.ipynb"
    notebook = nbformat.read(spoilt, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="hello")], 3
    cell.metadata["scrolled"] = True
    nbformat.write(notebook, spoilt)
    assert main(["check", str(tmp_path)]) == 1
    assert main(["strip", str(tmp_path)]) == 0
    assert main(["check", str(tmp_path)]) == 0
    assert spoilt.read_bytes() == (NOTEBOOKS[0].parent / spoilt.name).read_bytes()


EXPECTED = {
    "error_analysis": ["hardest", "relevant documents beyond the candidates", "find the function that does"],
    "explore": ["Reranking BM25 on the embedded collections", "repaired queries", "image/png"],
    "latency": ["p50 ms", "online / stored", "image/png"],
    "paper_tables": ["Table 1 of the paper", "a larger machine", "bm25-dl19", "is printed as", "after Holm"],
}
"""What each notebook must come to show."""


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_top_to_bottom_and_show_what_they_promise(path: Path, results: Path) -> None:
    notebook = execute(path, results)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(output.output_type != "error" and output.get("name") != "stderr" for output in outputs)
    shown = json.dumps(outputs)
    for words in EXPECTED[path.stem]:
        assert words in shown, words


@pytest.mark.slow
def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    (path,) = (path for path in NOTEBOOKS if path.stem == "explore")
    with pytest.raises(CellExecutionError, match=r"no such configuration"):
        execute(path, tmp_path / "nowhere")
