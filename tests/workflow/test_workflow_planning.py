"""The jobs of a configuration, as the workflow's rules use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_project import small_configuration

from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.errors import InputError
from e2rank_eval.graph import Graph


def _graph(**sections: Any) -> Graph:
    configuration = small_configuration()
    for section, entries in sections.items():
        configuration.setdefault(section, {}).update(entries)
    return Graph(configuration, ["mine.yaml"])


def test_what_is_timed_or_swept_is_evaluated_too_and_each_data_set_once() -> None:
    graph = _graph(
        datasets={"lee-5": {"slice_of": "lee", "queries": 5}},
        rerankers={"query": {"family": "e2rank", "model": "all-minilm-l6-v2", "prompt": "query-only"}},
        latency={"time": {"dataset": "lee-5", "first_stage": "bm25", "rerankers": ["query", "e2rank"]}},
        figures={
            "s": {
                "figure": "sweep",
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
    timed = {"dataset": "lee-5", "first_stage": "bm25", "rerankers": ["e2rank"], "quality": False}
    only = _graph(datasets={"lee-5": {"slice_of": "lee", "queries": 5}}, latency={"time": timed})
    assert only.rerankings[("bm25", "e2rank")] == ["lee-12"]
    assert only.retrievals == {"bm25": ["lee-12", "lee-5"]}
    assert "frontier-time" not in only.figures
    assert graph.latency_files() == ["results/small/latency/time.json"]


def test_a_fusion_depends_on_its_parts_and_their_models() -> None:
    stages = {
        "minilm": {"retriever": "dense", "model": "all-minilm-l6-v2"},
        "both": {"retriever": "fusion", "of": ["bm25", "minilm"]},
    }
    graph = _graph(first_stages=stages)
    records = [f"results/small/models/all-minilm-l6-v2{end}.json" for end in ("", ".verified")]
    assert graph.model_records("first_stages", "both") == records
    stages["bm25"] = {"retriever": "bm25", "k1": 1.2}
    assert _graph(first_stages=stages).settings("first_stages", "both") != graph.settings(
        "first_stages", "both"
    )


def test_a_label_is_not_part_of_the_settings_of_a_job() -> None:
    labelled = {"e2rank": {**small_configuration()["rerankers"]["e2rank"], "label": "E2Rank"}}
    assert _graph(rerankers=labelled).settings("rerankers", "e2rank") == _graph().settings(
        "rerankers", "e2rank"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"rerankers": {"e2rank": {"family": "e2rank", "model": "all-minilm"}}},
            r"mine\.yaml: unknown model 'all-minilm'; did you mean all-minilm-l6-v2",
        ),
        ({"datasets": {"lee-12": {"id": "nope"}}}, "mine.yaml: unknown data set 'nope'"),
        (
            {"rerankers": {"e2rank": {"family": "e2rank", "model": "./gone"}}},
            r"mine\.yaml: \./gone: no such folder; name the folder of a model",
        ),
    ],
)
def test_a_mistake_names_the_configuration_and_gets_a_suggestion(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _graph(**change)
    values, path = small_configuration(), tmp_path / "mine.yaml"
    for section, entries in change.items():
        values[section].update(entries)
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=message.replace("yaml:", r"yaml:\d+:")) as caught:
        Graph(values, [str(path)])
    assert caught.value.line is not None
    line = path.read_text().splitlines()[caught.value.line - 1]
    assert line.strip() in ("model: all-minilm", "lee-12:", "model: ./gone")


def test_an_entry_without_settings_is_named_also_where_a_list_selects_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("datasets:\n  lee:\n")
    with pytest.raises(InputError, match=r"yaml:2: datasets\.lee: Input should be a valid dictionary"):
        Graph(small_configuration() | {"datasets": "lee"}, [str(path)])


def test_a_data_set_is_fetched_again_when_the_seed_of_its_sample_or_its_entry_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings(seed: int) -> dict[str, dict[str, Any]]:
        names = {"lee": {}, "lee-12": {"slice_of": "lee", "queries": 12}, "pydoc": {}, "own": {"path": "own"}}
        graph = Graph(small_configuration() | {"datasets": names, "seed": seed}, ["mine.yaml"])
        return {name: graph.dataset_settings(name) for name in names}

    before, other = settings(1), settings(2)
    assert {name for name in before if before[name] != other[name]} == {"lee-12", "pydoc"}
    entry = registered_dataset("lee").model_dump(mode="json") | {"excludes_itself": True}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "datasets.yaml").write_text(yaml.safe_dump({"lee": entry}))
    monkeypatch.chdir(tmp_path)
    assert settings(1)["lee"] != before["lee"]


def test_a_data_set_of_the_registry_depends_on_the_users_copy_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("E2RANK_DATA", raising=False)
    assert _graph().origin_files("lee") == []
    monkeypatch.setenv("E2RANK_DATA", str(tmp_path))
    (tmp_path / "lee").mkdir()
    files = [tmp_path / "lee" / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")]
    for path in files:
        assert _graph().origin_files("lee") == [], "the command reports what the folder lacks"
        path.touch()
    assert _graph().origin_files("lee") == list(map(str, files))


def test_runs_of_a_training_file_depend_on_lists_base_and_the_run_they_follow(tmp_path: Path) -> None:
    run = {"title": "t", "data": [{"path": "s.jsonl"}], "batch": 2, "optimiser": {"learning_rate": 1e-5}}
    runs = {
        "first": run | {"objective": "stage1", "model": "all-minilm-l6-v2"},
        "second": run | {"objective": "stage2", "follows": "first", "development": {"path": "d.jsonl"}},
    }
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump({"runs": runs}))
    graph = Graph(small_configuration() | {"training": [str(path)]}, ["mine.yaml"])
    assert graph.trainings.files() == ["models/first/entry.yaml", "models/second/entry.yaml"]
    assert graph.trainings.inputs(str(path), "first") == [
        "s.jsonl",
        "results/small/models/all-minilm-l6-v2.json",
        "results/small/models/all-minilm-l6-v2.verified.json",
    ]
    assert graph.trainings.inputs(str(path), "second") == ["s.jsonl", "d.jsonl", "models/first/entry.yaml"]
    assert graph.trainings.lists == {}


def test_the_shipped_recipe_starts_from_pinned_collections() -> None:
    graph = Graph(small_configuration() | {"training": ["config/train/small.yaml"]}, ["mine.yaml"])
    lists = "cache/training-lists/mix.jsonl"
    assert graph.trainings.lists == {lists: "config/training-lists/mix.yaml"}
    assert graph.trainings.made(lists) == [lists, "cache/training-lists/mix-development.jsonl"]
    inputs = graph.trainings.inputs("config/train/small.yaml", "e2rank-minilm")
    assert inputs[:2] == graph.trainings.made(lists)


def test_a_run_and_its_training_lists_are_made_in_one_way(tmp_path: Path) -> None:
    def run(made_from: str) -> dict[str, object]:
        data = [{"path": "s.jsonl", "made_from": made_from}]
        return {
            "objective": "stage1", "model": "all-minilm-l6-v2", "title": "t", "data": data, "batch": 2,
            "optimiser": {"learning_rate": 1e-5},
        }  # fmt: skip

    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump({"runs": {"one": run("a.yaml"), "other": run("b.yaml")}}))
    with pytest.raises(InputError, match=r"s\.jsonl: training lists made from a\.yaml and from b\.yaml"):
        Graph(small_configuration() | {"training": [str(path)]}, ["mine.yaml"])
    paths = [tmp_path / "train-1.yaml", tmp_path / "train-2.yaml"]
    for path in paths:
        path.write_text(yaml.safe_dump({"runs": {"one": run("a.yaml")}}))
    with pytest.raises(InputError, match=r"train-2\.yaml: run 'one' has the same name as one of .*train-1"):
        Graph(small_configuration() | {"training": list(map(str, paths))}, ["mine.yaml"])


ROOT = Path(__file__).parents[2]
PAPER = ROOT / "config" / "paper.yaml"


def paper(**chosen: Any) -> Graph:
    """The paper's grid with lists for ``systems`` and ``datasets``, as Snakemake's --config gives them."""
    return Graph(yaml.safe_load(PAPER.read_text(encoding="utf-8")) | chosen, [str(PAPER)])


def test_lists_select_rows_and_columns_of_the_papers_tables() -> None:
    graph = paper(systems="[bm25, e2rank-0.6b]", datasets=["dl19", "dl20"])
    wanted = [f"metrics/{d}/bm25/{r}.json" for r in ("first-stage", "e2rank-0.6b") for d in ("dl19", "dl20")]
    assert graph.inputs(graph.tables["table1"]) == [f"results/paper/{path}" for path in wanted]
    assert graph.inputs(graph.tables["table2"]) == graph.inputs(graph.tables["table1"])
    assert graph.inputs(graph.tables["table12"]) == []
    assert graph.inputs(graph.tables["table4"]) == ["results/paper/mteb/records/v1/e2rank-0.6b.json"]
    assert graph.latency_files() == []
    assert graph.rerankings.keys() == {
        ("bm25", "first-stage"), ("bm25", "e2rank-0.6b"), ("e2rank-0.6b", "first-stage"),
        ("e2rank-0.6b", "e2rank-0.6b"), ("qwen3-embedding", "e2rank-0.6b"),
    }  # fmt: skip
    assert {"figure1c", "figure2"}.isdisjoint(graph.configuration.figures)


def test_what_needs_a_signature_or_a_training_is_opt_in() -> None:
    graph = paper()
    asked = {dataset for datasets in graph.rerankings.values() for dataset in datasets}
    assert asked.isdisjoint({"signal1m", "trec-news", "robust04"})
    assert "ablation" not in graph.configuration.mteb
    assert "signal1m" in paper(datasets="signal1m").rerankings["bm25", "e2rank-8b"]
    message = (
        r"'stage2-0\.6b-no-stage1' is not trained yet; train it: snakemake models/stage2-0\.6b-no-stage1/"
    )
    with pytest.raises(InputError, match=message):
        paper(systems=["ablation"])


def test_a_name_that_no_file_defines_is_a_registry_id_or_a_row() -> None:
    graph = paper(systems="bm25/e2rank-8b", datasets="dl19,arguana")
    assert graph.configuration.datasets["arguana"].run
    assert graph.inputs(graph.tables["table1"]) == ["results/paper/metrics/dl19/bm25/e2rank-8b.json"]
    with pytest.raises(InputError, match=r"systems: unknown name 'bm52'; did you mean bm25"):
        paper(systems=["bm52"])
    with pytest.raises(InputError, match="unknown data set 'dl91'"):
        paper(datasets=["dl91"])


def test_the_pinned_configuration_gives_the_same_graph() -> None:
    graph = paper(systems=["bm25"], datasets=["dl19"])
    again = Graph(graph.values, ["results/paper/config.yaml"])
    assert again.configuration.model_dump() == graph.configuration.model_dump()
    assert again.rerankings == graph.rerankings


def shipped(name: str, **chosen: Any) -> Graph:
    path = ROOT / "config" / name
    return Graph(yaml.safe_load(path.read_text(encoding="utf-8")) | chosen, [str(path)])


def test_a_selection_shortens_comparisons_figures_and_timings() -> None:
    graph = shipped("tour.yaml", datasets=["lee"])
    assert set(graph.configuration.comparisons) == {"embedded", "dense"}
    assert graph.configuration.figures["prompt-documents"].datasets == ["lee"]
    assert list(graph.configuration.latency) == ["minilm"]
    assert set(graph.rerankings["bm25", "e2rank-minilm"]) == {"lee"}


@pytest.mark.parametrize(
    ("identifier", "stages"),
    [
        ("embedded", {"comparisons", "metrics", "statistics"}),
        ("latency-minilm-cost", {"latency"}),
        ("mteb-lee", {"mteb"}),
        ("frontier-minilm", {"latency", "metrics", "candidates", "datasets"}),
        ("growth-minilm", {"latency"}),
        ("wins-embedded", {"metrics"}),
        ("prompt-documents", {"metrics"}),
    ],
)
def test_a_table_or_figure_depends_on_what_it_shows(identifier: str, stages: set[str]) -> None:
    graph = shipped("tour.yaml")
    shown = {**graph.tables, **graph.figures}[identifier]
    assert {file.split("/")[2] for file in graph.inputs(shown)} == stages
    others = [name for name in graph.configuration.comparisons if name not in identifier]
    assert not any(f"/{name}.json" in file for file in graph.inputs(shown) for name in others)
