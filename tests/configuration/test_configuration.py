"""The configuration: the shipped ones load, and each mistake is one error that names its key."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2rank_eval.cli.knowledge import json_schema
from e2rank_eval.config import parse_configuration, read_configuration
from e2rank_eval.config.measurements import PaperFigure
from e2rank_eval.errors import InputError
from e2rank_eval.models.registry import registered_model, registered_models

ROOT = Path(__file__).parents[2]
BASE: dict[str, Any] = {
    "profile": "test",
    "datasets": {"lee": {}, "lee-8": {"slice_of": "lee", "queries": 8}},
    "first_stages": {"bm25": {"retriever": "bm25"}},
    "rerankers": {
        "first-stage": {"family": "identity"},
        "e2rank": {"family": "e2rank", "model": "all-minilm-l6-v2"},
        "rankgpt": {"family": "listwise", "model": "smollm2-135m-instruct-q4"},
    },
    "tables": {},
    "comparisons": {
        "main": {
            "title": "t",
            "datasets": ["lee"],
            "first_stage": "bm25",
            "rerankers": ["first-stage", "e2rank"],
            "baselines": ["first-stage"],
        }
    },
}


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_configuration_loads_and_its_models_are_registered_or_trained(path: Path) -> None:
    configuration = read_configuration(path)
    systems = [*configuration.first_stages.values(), *configuration.rerankers.values()]
    named = {model for system in systems if (model := getattr(system, "model", None))}
    files = [yaml.safe_load(one.read_text()) for one in (ROOT / "config" / "train").glob("*.yaml")]
    assert named <= {*registered_models(), *(run for one in files for run in one["runs"])}


def _changed(place: str, change: Any) -> dict[str, Any]:
    """Return the configuration with another value at a key, more keys in a mapping, or (...) without one."""
    values = copy.deepcopy(BASE)
    *above, key = place.split(".")
    within = values
    for part in above:
        within = within[part]
    if change is ...:
        del within[key]
    elif isinstance(change, dict):
        within[key] |= change
    else:
        within[key] = change
    return values


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        ("dpeth", 10, "unknown key 'dpeth'; did you mean 'depth'?"),
        ("datasets.lee.colour", 1, "unknown key 'datasets.lee.colour'; remove it; known: id,"),
        ("rerankers.e2rank.promt", "eval", "'rerankers.e2rank.promt'; did you mean 'prompt'?"),
        ("rerankers.e2rank.family", "e3rank", "unknown reranker family 'e3rank'; did you mean e2rank"),
        ("rerankers.e2rank.family", None, "unknown reranker family 'None'"),
        ("first_stages.bm25.retriever", ["bm25"], "did you mean bm25?"),
        ("rerankers.e2rank.family", ..., "rerankers.e2rank.family is missing; add it; known: cross-"),
        ("comparisons.main.title", ..., ": comparisons.main.title is missing; add it"),
        ("comparisons.main.datasets", ["lee", "lee"], "main.datasets: 'lee' is named twice"),
        ("comparisons.main.rerankers", ["e2rank", "e2rank"], "'e2rank' is named twice"),
        ("rerankers.e2rank.prompt", "best", "rerankers.e2rank.prompt"),
        ("rerankers.e2rank.prompt_documents", -1, "rerankers.e2rank.prompt_documents"),
        ("depth", 0, "(given: 0); give at least 1"),
        ("profile", "reference", "committed figures"),
        ("datasets.lee.split", "dev", "split has no meaning without path"),
        ("first_stages.bm25", {"retriever": "rm3", "quantised_lengths": True}, "bm25.quantised_lengths'"),
        ("rerankers.e2rank", {"prompt": "query-only", "step": 2}, "step has no meaning for prompt"),
        ("rerankers.e2rank.weight", 0.5, "weight has no meaning for combination pure, only for residual"),
        ("rerankers.e2rank.step", 21, "step 21 exceeds the window of 20"),
        ("rerankers.e2rank", {"prompt_documents": 1, "step": 1}, "compares nothing"),
        (
            "rerankers.e2rank",
            {"family": "feedback", "temperature": 0.5},
            "temperature has no meaning for method rocchio",
        ),
        ("datasets", {"a b": {}}, "use letters, digits"),
        ("datasets", {False: {}}, "YAML read a name as a boolean (False); write the name"),
        ("datasets", {2019: {}}, "YAML read a name as a number (2019); write the name"),
        ("rerankers.rankgpt.step", 0, "rerankers.rankgpt.step"),
        ("rerankers.rankgpt.step", 30, ": rerankers.rankgpt: step 30 is not between 1 and the window 20"),
        ("rerankers.rankgpt.budget", 20, "budget has no meaning for strategy sliding"),
        ("first_stages.bm25.retriever", "bm52", "did you mean bm25?"),
        ("first_stages.bm25.retriever", ..., "first_stages.bm25.retriever is missing"),
        ("first_stages.bm25.retriever", "sparse", "bm25.model is missing"),
        ("datasets.lee-8.slice_of", "nowhere", "unknown name 'nowhere'"),
        ("datasets.lee", {"path": "x", "id": "lee"}, "one of id, ir_datasets, mteb, path, slice_of"),
        ("comparisons.main.first_stage", "splade", "comparisons.main.first_stage: unknown name 'splade'"),
        ("comparisons.main.baselines", ["rankgpt"], "unknown name 'rankgpt'"),
        ("comparisons.main.datasets", ["scifact"], "mine.yaml: comparisons.main.datasets: unknown"),
        ("tables", {"t": {"table": "1", "columns": {"dl19": "dl19"}}}, "tables.t.datasets: unknown name"),
        ("tables", {"t": {"table": "1", "systems": {"BM25": {"rernker": "x"}}}}, "did you mean 'reranker'?"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_error_that_names_file_and_key(place: str, change: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_configuration(_changed(place, change), "config/mine.yaml")
    assert str(caught.value).startswith("config/mine.yaml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "change", "key"),
    [
        ("dpeth", 10, "dpeth:"),
        ("rerankers.e2rank.promt", "eval", "promt:"),
        ("rerankers.rankgpt.step", 30, "rankgpt:"),
        ("comparisons.main.datasets", ["scifact"], "datasets: [scifact]"),
        ("comparisons.main.title", ..., "main:"),
    ],
)
def test_a_mistake_in_a_file_names_its_line(tmp_path: Path, place: str, change: Any, key: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(_changed(place, change), default_flow_style=None, width=20))
    with pytest.raises(InputError) as caught:
        read_configuration(path)
    assert caught.value.line is not None
    assert path.read_text().splitlines()[caught.value.line - 1].strip().startswith(key)
    assert str(caught.value).startswith(f"{path}:{caught.value.line}: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"profile: x\ndatasets: {lee: {}\nseed: 1\n", r"mine.yaml:3: not YAML"),
        (
            b"profile: x\ndatasets:\n  lee: {}\n  lee: {}\n",
            r"yaml:4: the key 'lee' appears twice; remove one",
        ),
        (b"profile: caf\xe9\n", "not UTF-8"),
        (b"- profile\n", "not a mapping"),
    ],
    ids=["syntax", "repeated", "encoding", "list"],
)
def test_a_file_that_is_not_a_yaml_mapping_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_configuration(path)


def test_the_json_schema_accepts_what_ships_and_refuses_an_unknown_key() -> None:
    import jsonschema

    validator = jsonschema.Draft202012Validator(json_schema("config"))
    for name in ("demo", "tour", "paper"):
        values = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
        validator.validate(values)
        with pytest.raises(jsonschema.ValidationError, match="dpeth"):
            validator.validate(values | {"dpeth": 1})


def test_an_overlay_beside_the_workflow_adds_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registered_models()["all-minilm-l6-v2"].model_dump(mode="json") | {"title": "mine"}
    (tmp_path / "config").mkdir()
    overlay = tmp_path / "config" / "models.yaml"
    monkeypatch.chdir(tmp_path)
    overlay.write_text(yaml.safe_dump({"mine": entry}))
    assert registered_model("mine").title == "mine"
    assert "all-minilm-l6-v2" in registered_models()
    overlay.write_text(yaml.safe_dump({"mine": entry | {"colour": "red"}}))
    with pytest.raises(InputError, match=r"config/models.yaml:\d+: unknown key 'mine\.colour'"):
        registered_models()
    for text, message in (
        ("mine: {", r"config/models.yaml:1: not YAML"),
        ("- mine", "config/models.yaml: not a mapping"),
    ):
        overlay.write_text(text)
        with pytest.raises(InputError, match=message):
            registered_models()


def test_an_unknown_model_gets_suggestions() -> None:
    with pytest.raises(InputError, match=r"did you mean all-minilm-l6-v2.*\? see e2rank-eval list models"):
        registered_model("all-minilm-l6")


@pytest.mark.parametrize(
    ("points", "problem"),
    [({0: "plain"}, "two points or more"), ({0: "plain", 3: "plain"}, "'plain' is named twice")],
)
def test_a_sweep_is_over_several_systems(points: dict[int, str], problem: str) -> None:
    """With only one point, a selection would silently drop the figure from the report."""
    with pytest.raises(ValueError, match=problem):
        PaperFigure(figure="sweep", title="t", datasets=["lee"], first_stage="bm25", points=points)
