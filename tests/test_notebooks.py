"""The notebooks run on stored results, show the expected outputs, and are committed without outputs."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from report.results_tree import build_results

from e2rank_eval.store import layout as places

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "workflow" / "scripts" / "notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results in which, as in the demo's, a latency entry is only timed."""
    layout = build_results(tmp_path_factory.mktemp("notebooks"))
    path = layout.path(places.CONFIG)
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["latency"]["one-base-model"]["quality"] = False
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return layout.root


def test_outputs_are_found_and_stripped(tmp_path: Path) -> None:
    assert [path.stem for path in NOTEBOOKS] == ["error_analysis", "explore", "latency", "paper_tables"]
    main = _script().main
    assert main("check", str(NOTEBOOKS[0].parent)) == 0
    shutil.copy(ROOT / "notebooks" / "explore.ipynb", tmp_path)
    spoilt = tmp_path / "explore.ipynb"
    notebook = nbformat.read(spoilt, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="hello")], 3
    cell.metadata["scrolled"] = True
    nbformat.write(notebook, spoilt)
    assert main("check", str(tmp_path)) == 1
    assert main("strip", str(tmp_path)) == 0
    assert spoilt.read_bytes() == (ROOT / "notebooks" / "explore.ipynb").read_bytes()


EXPECTED = {
    "error_analysis": ["hardest", "relevant documents beyond the candidates", "find the function that does"],
    "explore": ["Reranking BM25 on the embedded collections", "repaired queries", "image/png"],
    "latency": ["p50 ms", "online / stored", "image/png"],
    "paper_tables": ["Table 1 of the paper", "bm25-dl19", "is printed as", "after Holm"],
}
"""What each notebook must come to show."""


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_top_to_bottom_and_show_what_they_promise(
    path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2RANK_RESULTS", str(results.resolve()))
    notebook = _script().execute(path)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert all(output.output_type != "error" and output.get("name") != "stderr" for output in outputs)
    shown = json.dumps(outputs)
    for words in EXPECTED[path.stem]:
        assert words in shown, words
