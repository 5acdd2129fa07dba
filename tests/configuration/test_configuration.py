"""The configuration: the shipped ones load, and each mistake is one error that names its key."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2rank_eval.cli.knowledge import json_schema
from e2rank_eval.config import parse_configuration, read_configuration
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


def _broken(change: Any) -> dict[str, Any]:
    values = copy.deepcopy(BASE)
    change(values)
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(dpeth=10), "unknown key 'dpeth'; did you mean 'depth'?"),
        (
            lambda c: c["datasets"]["lee"].update(colour=1),
            "unknown key 'datasets.lee.colour'; remove it; known: id,",
        ),
        (
            lambda c: c["rerankers"]["e2rank"].update(promt="eval"),
            "'rerankers.e2rank.promt'; did you mean 'prompt'?",
        ),
        (
            lambda c: c["rerankers"]["e2rank"].update(family="e3rank"),
            "rerankers.e2rank.family: unknown reranker family 'e3rank'; did you mean e2rank",
        ),
        (
            lambda c: c["rerankers"]["e2rank"].pop("family"),
            "rerankers.e2rank.family is missing; add it; known: cross-encoder, ",
        ),
        (lambda c: c["comparisons"]["main"].pop("title"), ": comparisons.main.title is missing; add it"),
        (lambda c: c["comparisons"]["main"]["datasets"].append("lee"), "main.datasets: 'lee' is named twice"),
        (lambda c: c["comparisons"]["main"]["rerankers"].append("e2rank"), "'e2rank' is named twice"),
        (lambda c: c["rerankers"]["e2rank"].update(prompt="best"), "rerankers.e2rank.prompt"),
        (lambda c: c["rerankers"]["e2rank"].update(prompt_documents=-1), "rerankers.e2rank.prompt_documents"),
        (lambda c: c.update(depth=0), "(given: 0); give at least 1"),
        (lambda c: c.update(profile="reference"), "committed figures"),
        (lambda c: c["datasets"]["lee"].update(split="dev"), "split has no meaning without path"),
        (
            lambda c: c["first_stages"]["bm25"].update(retriever="dense", model="all-minilm-l6-v2", k1=1.2),
            "unknown key 'first_stages.bm25.k1'; remove it; known: retriever, depth, label, model",
        ),
        (
            lambda c: c["first_stages"]["bm25"].update(retriever="rm3", quantised_lengths=True),
            "unknown key 'first_stages.bm25.quantised_lengths'",
        ),
        (
            lambda c: c["rerankers"]["e2rank"].update(prompt="query-only", prompt_documents=5),
            "prompt_documents has no meaning for prompt query-only",
        ),
        (
            lambda c: c["rerankers"]["e2rank"].update(prompt="query-only", passes=2),
            "passes has no meaning for prompt query-only",
        ),
        (
            lambda c: c["rerankers"]["e2rank"].update(weight=0.5),
            "weight has no meaning for combination pure; it goes with residual",
        ),
        (lambda c: c["rerankers"]["e2rank"].update(step=21), "step 21 exceeds the window of 20"),
        (lambda c: c["rerankers"]["e2rank"].update(prompt_documents=1, step=1), "compares nothing"),
        (
            lambda c: c["rerankers"]["e2rank"].update(family="feedback", method="average", weight=0.5),
            "weight has no meaning for method average",
        ),
        (lambda c: c["datasets"].update({"a b": {}}), "use letters, digits"),
        (
            lambda c: c["datasets"].update({False: {}}),
            "YAML read a name as a boolean (False); write the name",
        ),
        (lambda c: c["datasets"].update({2019: {}}), "YAML read a name as a number (2019); write the name"),
        (lambda c: c["rerankers"]["rankgpt"].update(step=0), "rerankers.rankgpt.step"),
        (
            lambda c: c["rerankers"]["rankgpt"].update(step=30),
            ": rerankers.rankgpt: step 30 is not between 1 and the window 20",
        ),
        (lambda c: c["rerankers"]["rankgpt"].update(budget=20), "budget has no meaning for strategy sliding"),
        (lambda c: c["first_stages"]["bm25"].update(retriever="bm52"), "did you mean bm25?"),
        (lambda c: c["first_stages"]["bm25"].pop("retriever"), "first_stages.bm25.retriever is missing"),
        (
            lambda c: c["first_stages"]["bm25"].update(retriever="sparse"),
            "bm25.model is missing",
        ),
        (lambda c: c["datasets"]["lee-8"].update(slice_of="nowhere"), "unknown name 'nowhere'"),
        (
            lambda c: c["datasets"]["lee"].update(path="x", id="lee"),
            "one of id, ir_datasets, mteb, path, slice_of",
        ),
        (lambda c: c["comparisons"]["main"].update(first_stage="splade"), "unknown name 'splade'"),
        (lambda c: c["comparisons"]["main"].update(baselines=["rankgpt"]), "unknown name 'rankgpt'"),
        (
            lambda c: c["comparisons"]["main"]["datasets"].append("scifact"),
            "mine.yaml: comparisons.main.datasets: unknown",
        ),
    ],
)
def test_a_mistake_is_one_error_that_names_file_and_key(change: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_configuration(_broken(change), "config/mine.yaml")
    assert str(caught.value).startswith("config/mine.yaml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda c: c.update(dpeth=10), "dpeth:"),
        (lambda c: c["rerankers"]["e2rank"].update(promt="eval"), "promt:"),
        (lambda c: c["rerankers"]["rankgpt"].update(step=30), "rankgpt:"),
        (lambda c: c["comparisons"]["main"].update(datasets=["scifact"]), "datasets: [scifact]"),
        (lambda c: c["comparisons"]["main"].pop("title"), "main:"),
    ],
)
def test_a_mistake_in_a_file_names_its_line(tmp_path: Path, change: Any, key: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(_broken(change), default_flow_style=None, width=20))
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


def test_the_json_schema_accepts_the_demo_and_refuses_an_unknown_key() -> None:
    import jsonschema

    schema = json_schema("config")
    demo = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(demo)
    with pytest.raises(jsonschema.ValidationError, match="dpeth"):
        jsonschema.Draft202012Validator(schema).validate(demo | {"dpeth": 1})


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


def test_an_unknown_model_says_what_may_be_meant() -> None:
    with pytest.raises(InputError, match=r"did you mean all-minilm-l6-v2.*\? see e2rank-eval list models"):
        registered_model("all-minilm-l6")
