"""A row whose model a training file makes: it names the command until the model is there, then it runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2rank_eval.config import entries
from e2rank_eval.errors import InputError
from e2rank_eval.graph import Graph
from e2rank_eval.paper.grid import RunSource, TaskSource, grid
from e2rank_eval.paper.trained_models import training_command

ROOT = Path(__file__).parents[2]
TRAINED = ROOT / "models" / "e2rank-minilm"
COMMAND = "e2rank-eval train train.yaml first second"


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Table 6 with a row of a model that no registry has, and the training file that makes it."""
    monkeypatch.chdir(tmp_path)
    entries._load.cache_clear()
    run = {"title": "t", "data": [{"path": "s.jsonl"}], "batch": 2, "optimiser": {"learning_rate": 1e-5}}
    runs = {
        "first": run | {"objective": "stage1", "model": "all-minilm-l6-v2"},
        "second": run | {"objective": "stage2", "follows": "first"},
    }
    (tmp_path / "train.yaml").write_text(yaml.safe_dump({"runs": runs}))
    yield {
        "profile": "mine",
        "datasets": {"lee": {}},
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {
            "full": {"family": "e2rank", "model": "all-minilm-l6-v2"},
            "ours": {"family": "e2rank", "model": "second"},
        },
        "training": ["train.yaml"],
        "mteb": {
            "v2": {"title": "t", "benchmark": "MTEB(eng, v2)", "models": ["all-minilm-l6-v2", "second"]}
        },
        "artefacts": {
            "table6": {
                "table": "6",
                "first_stage": "bm25",
                "columns": {"dl20": "lee", "mteb-eng-v2": {"benchmark": "MTEB(eng, v2)"}},
                "systems": {"E2Rank-0.6B": "full", "w/o Stage I": "ours"},
            }
        },
    }
    entries._load.cache_clear()


def _train(folder: Path, name: str) -> None:
    """The shipped checkpoint under another name."""
    shutil.copytree(TRAINED, folder / "models" / name)
    entry = yaml.safe_load((TRAINED / "entry.yaml").read_text(encoding="utf-8"))["e2rank-minilm"]
    entry["sources"][0]["folder"] = f"models/{name}"
    (folder / "models" / name / "entry.yaml").write_text(yaml.safe_dump({name: entry}), encoding="utf-8")
    entries._load.cache_clear()


def test_until_it_is_trained_a_row_names_the_command_and_nothing_is_asked_of_it(
    values: dict[str, Any],
) -> None:
    graph = Graph(values, "mine.yaml")
    cells = [c for c in grid(graph.configuration, "table6").cells if c.system == "w/o Stage I"]
    assert {cell.needs for cell in cells} == {f"a checkpoint that is trained here: {COMMAND}"}
    assert not any(cell.sources for cell in cells)
    assert graph.rerankings == {("bm25", "full"): ["lee"]}
    assert graph.mteb.jobs == [("v2", "all-minilm-l6-v2")]


def test_what_the_run_starts_from_is_not_trained_again(values: dict[str, Any], tmp_path: Path) -> None:
    _train(tmp_path, "first")
    configuration = Graph(values, "mine.yaml").configuration
    assert training_command(configuration, "second") == "e2rank-eval train train.yaml second"
    assert training_command(configuration, "first") is None
    assert training_command(configuration, "third") is None


def test_once_it_is_trained_the_row_runs(values: dict[str, Any], tmp_path: Path) -> None:
    _train(tmp_path, "second")
    graph = Graph(values, "mine.yaml")
    found = {
        c.column: c.sources for c in grid(graph.configuration, "table6").cells if c.system == "w/o Stage I"
    }
    assert found["dl20"] == (RunSource("lee", "bm25", "ours"),)
    assert TaskSource("second", "STS12", "MTEB(eng, v2)") in found["mteb-eng-v2"]
    assert graph.rerankings[("bm25", "ours")] == ["lee"]
    assert "results/mine/mteb/records/v2/second.json" in graph.artefacts.inputs("table6")


def test_a_figure_or_comparison_cannot_wait_for_a_training(values: dict[str, Any]) -> None:
    asked = {"figure": "similarity", "title": "t", "datasets": ["lee"], "first_stage": "bm25",
             "rerankers": ["ours"]}  # fmt: skip
    values["artefacts"]["figure3"] = asked
    with pytest.raises(InputError, match=f"'second' has yet to be trained; {COMMAND}"):
        Graph(values, "mine.yaml")
    del values["artefacts"]["figure3"]
    compared = {"title": "t", "datasets": ["lee"], "first_stage": "bm25", "baselines": ["ours"]}
    values["comparisons"] = {"c": compared | {"rerankers": ["ours"]}}
    with pytest.raises(InputError, match="has yet to be trained"):
        Graph(values, "mine.yaml")


def test_a_model_that_nothing_makes_is_unknown(values: dict[str, Any]) -> None:
    values["rerankers"]["ours"]["model"] = "third"
    with pytest.raises(InputError, match="unknown model 'third'"):
        Graph(values, "mine.yaml")
