"""What a configuration asks for, as the rules read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_project import small_configuration

from e2rank_eval.errors import InputError
from e2rank_eval.graph import Graph


def _graph(**sections: Any) -> Graph:
    configuration = small_configuration()
    for section, entries in sections.items():
        configuration.setdefault(section, {}).update(entries)
    return Graph(configuration, "mine.yaml")


def test_what_is_timed_or_swept_is_evaluated_too_and_each_data_set_once() -> None:
    graph = _graph(
        datasets={"lee-5": {"slice_of": "lee", "queries": 5}},
        rerankers={"query": {"family": "e2rank", "model": "all-minilm-l6-v2", "prompt": "query-only"}},
        latency={"time": {"dataset": "lee-5", "first_stage": "bm25", "rerankers": ["query", "e2rank"]}},
        sweeps={
            "s": {
                "title": "s",
                "datasets": ["lee-12", "lee"],
                "first_stage": "bm25",
                "points": {0: "query", 3: "e2rank"},
            }
        },
    )
    assert graph.rerankings[("bm25", "e2rank")] == ["lee", "lee-12", "lee-5"]
    assert graph.rerankings[("bm25", "first-stage")] == ["lee-12"]
    assert graph.retrievals == {"bm25": ["lee", "lee-12", "lee-5"]}
    assert graph.retrieved_datasets() == ["lee", "lee-12", "lee-5"]
    assert _graph(datasets={"scifact": {}}).retrieved_datasets() == ["lee-12"]
    assert graph.timings == [("time", "query"), ("time", "e2rank")]


def test_a_fusion_is_decided_by_its_parts_and_needs_their_models() -> None:
    stages = {
        "minilm": {"retriever": "dense", "model": "all-minilm-l6-v2"},
        "both": {"retriever": "fusion", "of": ["bm25", "minilm"]},
    }
    graph = _graph(first_stages=stages)
    assert graph.model_records("first_stages", "both") == ["results/small/models/all-minilm-l6-v2.json"]
    stages["bm25"] = {"retriever": "bm25", "k1": 1.2}
    assert _graph(first_stages=stages).settings("first_stages", "both") != graph.settings(
        "first_stages", "both"
    )


def test_bm25_is_compared_where_a_value_is_published_slices_included() -> None:
    graph = _graph(
        datasets={"scifact": {}, "scifact-9": {"slice_of": "scifact", "queries": 9}},
        first_stages={"minilm": {"retriever": "dense", "model": "all-minilm-l6-v2"}},
        comparisons={
            name: {"title": "t", "datasets": ["lee", "scifact", "scifact-9"], "first_stage": name,
                   "rerankers": ["e2rank"], "baselines": ["e2rank"]}
            for name in ("bm25", "minilm")
        },
    )  # fmt: skip
    candidates = [path for path in graph.published_bm25_files() if "/candidates/" in path]
    assert candidates == [
        "results/small/candidates/scifact/bm25.jsonl",
        "results/small/candidates/scifact-9/bm25.jsonl",
    ]
    assert _graph().published_bm25_files() == []


def test_a_label_decides_no_bytes() -> None:
    labelled = {"e2rank": {**small_configuration()["rerankers"]["e2rank"], "label": "E2Rank"}}
    assert _graph(rerankers=labelled).settings("rerankers", "e2rank") == _graph().settings(
        "rerankers", "e2rank"
    )


def test_an_unknown_model_names_the_configuration_and_what_may_be_meant() -> None:
    told = r"mine\.yaml: unknown model 'all-minilm'; did you mean all-minilm-l6-v2"
    with pytest.raises(InputError, match=told):
        _graph(rerankers={"e2rank": {"family": "e2rank", "model": "all-minilm"}})


def test_runs_of_a_training_file_depend_on_lists_base_and_the_run_they_follow(tmp_path: Path) -> None:
    run = {"title": "t", "data": [{"path": "s.jsonl"}], "batch": 2, "optimiser": {"learning_rate": 1e-5}}
    runs = {
        "first": run | {"objective": "stage1", "model": "all-minilm-l6-v2"},
        "second": run | {"objective": "stage2", "follows": "first", "development": {"path": "d.jsonl"}},
    }
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump({"runs": runs}))
    graph = Graph(small_configuration() | {"training": [str(path)]}, "mine.yaml")
    assert graph.trainings.files() == ["models/first/entry.yaml", "models/second/entry.yaml"]
    assert graph.trainings.inputs(str(path), "first") == [
        "s.jsonl",
        "results/small/models/all-minilm-l6-v2.json",
    ]
    assert graph.trainings.inputs(str(path), "second") == ["s.jsonl", "d.jsonl", "models/first/entry.yaml"]
    assert graph.trainings.lists == {}


def test_the_shipped_recipe_starts_from_pinned_packages() -> None:
    graph = Graph(small_configuration() | {"training": ["config/train/small.yaml"]}, "mine.yaml")
    lists = "cache/training-lists/docstrings.jsonl"
    assert graph.trainings.lists[lists] == ["config/training-lists/docstrings.yaml"]
    # Settings that take their packages from another file depend on it too; the verb is given the first.
    blended = graph.trainings.lists["cache/training-lists/docstrings-blend.jsonl"]
    assert blended == ["config/training-lists/docstrings-blend.yaml", "config/training-lists/docstrings.yaml"]
    assert lists in graph.trainings.inputs("config/train/small.yaml", "e2rank-minilm")


def test_training_lists_are_made_in_one_way(tmp_path: Path) -> None:
    def run(made_from: str) -> dict[str, object]:
        data = [{"path": "s.jsonl", "made_from": made_from}]
        return {
            "objective": "stage1", "model": "all-minilm-l6-v2", "title": "t", "data": data, "batch": 2,
            "optimiser": {"learning_rate": 1e-5},
        }  # fmt: skip

    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump({"runs": {"one": run("a.yaml"), "other": run("b.yaml")}}))
    with pytest.raises(InputError, match=r"s\.jsonl: training lists made from a\.yaml and from b\.yaml"):
        Graph(small_configuration() | {"training": [str(path)]}, "mine.yaml")
