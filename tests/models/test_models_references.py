"""References to models: their forms, the hashes of their files, and one record for all names of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_chat_models import write_cross_encoder

from e2rank_eval.cli.doctor import examine_model
from e2rank_eval.config import parse_configuration
from e2rank_eval.config.references import file_name, parse_reference
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.graph import Graph
from e2rank_eval.models.entries import Entries, write_model_record
from e2rank_eval.models.references import Catalogue
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.layout import Layout

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
ids = st.builds("{}/{}".format, names, names)
commits = st.builds("{}@{}".format, ids, st.text("0123456789abcdef", min_size=40, max_size=40))
folders = st.builds("{}/{}".format, st.sampled_from([".", "..", "~", "/tmp", "./a"]), st.text(min_size=1))
references = st.one_of(names, ids, commits, folders.filter(lambda one: "\0" not in one))


@given(references, references)
def test_a_file_name_is_one_part_of_a_path_and_of_one_reference_alone(one: str, other: str) -> None:
    name = file_name(one)
    assert "/" not in name
    assert name not in ("", ".", "..")
    assert not set(name) & set(" \t\n'\"{}*?$`\\")
    if parse_reference(one) != parse_reference(other) and "folder" not in (
        parse_reference(one).kind, parse_reference(other).kind,
    ):  # fmt: skip
        assert name != file_name(other)


@pytest.mark.parametrize(
    ("reference", "kind", "name"),
    [
        ("e2rank-0.6b", "registry", "e2rank-0.6b"),
        ("org/name", "hub", "org+name"),
        (f"org/name@{COMMIT}", "hub", f"org+name@{COMMIT}"),
        ("./org/name", "folder", file_name("org/x/../name/")),
        ("/org/name", "folder", file_name("/org/name/")),
    ],
)
def test_each_form_is_distinguished_from_the_others(reference: str, kind: str, name: str) -> None:
    assert (parse_reference(reference).kind, file_name(reference)) == (kind, name)


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("org/name@v1.0", "'v1.0' is not a commit: write all 40"),
        ("a/b/c", r"'a/b/c' is not a model: write a registry name, org/name of the hub, or \./folder"),
        ("", "is not a model"),
        ("all-minilm", r"unknown model 'all-minilm'; did you mean all-minilm-l6-v2"),
        ("./nowhere", r"\./nowhere: no such folder"),
    ],
)
def test_a_reference_that_names_nothing_is_refused(reference: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=problem):
        Catalogue(tmp_path).examine(reference)


def configuration(folder: Path, **sections: Any) -> dict[str, Any]:
    model = str(folder)
    return {
        "profile": "small",
        "datasets": {"lee": {}},
        "first_stages": {"bm25": {"retriever": "bm25"}, "dense": {"retriever": "dense", "model": MINILM}},
        "rerankers": {
            "first-stage": {"family": "identity"},
            "folder": {"family": "e2rank", "model": model},
            "hub": {"family": "e2rank", "model": f"someone/encoder@{COMMIT}"},
            "named": {"family": "e2rank", "model": "all-minilm-l6-v2"},
        },
        "comparisons": {
            "c": {"title": "c", "datasets": ["lee"], "first_stage": "dense", "baselines": ["first-stage"],
                  "rerankers": ["first-stage", "folder", "hub", "named"]}
        },
    } | sections  # fmt: skip


def test_the_graph_has_one_record_for_each_model_however_it_is_named(minilm_path: Path) -> None:
    graph = Graph(configuration(minilm_path), ["mine.yaml"])
    records = [graph.model_records("rerankers", name) for name in graph.configuration.rerankers]
    hub = f"results/small/models/someone+encoder@{COMMIT}.json"
    mine = f"results/small/models/{file_name(str(minilm_path))}.json"
    assert [one[:1] for one in records] == [[], [mine], [hub], ["results/small/models/all-minilm-l6-v2.json"]]
    assert graph.model_records("first_stages", "dense") == records[3]
    assert graph.models[f"someone+encoder@{COMMIT}"] == f"someone/encoder@{COMMIT}"
    here = graph.catalogue.files_here(str(minilm_path))
    assert {str(minilm_path / "config.json"), str(minilm_path / "model.safetensors")} <= set(here)
    assert graph.catalogue.files_here(MINILM) == []


def test_an_experiments_entry_takes_precedence_over_the_registrys(minilm_path: Path, tmp_path: Path) -> None:
    own = {"all-minilm-l6-v2": {"sources": [{"kind": "folder", "folder": str(minilm_path)}], "licence": "x"}}
    parsed = parse_configuration(configuration(minilm_path, models=own, cache=str(tmp_path)), "mine.yaml")
    found = Catalogue.of(parsed).resolve(MINILM.lower().rpartition("/")[2])
    assert (found.entry.licence, found.entry.document_tokens, found.path) == ("x", 256, minilm_path)
    entries = Entries(own, "mine.yaml")
    assert entries.recorded(Layout(tmp_path), MINILM) is None
    write_model_record(Layout(tmp_path), found)
    assert entries.recorded(Layout(tmp_path), "all-minilm-l6-v2") == found.entry
    record = read_json(tmp_path / "models/all-minilm-l6-v2.json")
    assert record["evidence"]["document_tokens"] == "sentence_bert_config.json"
    assert record["files"] == dict(found.files)


def test_a_wrong_key_of_an_own_entry_is_named_with_its_line(minilm_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("models:\n  m:\n    windows: 4\n")
    with pytest.raises(InputError, match=r"mine\.yaml:3: unknown key 'models\.m\.windows'"):
        Catalogue(tmp_path, {"m": {"windows": 4}}, str(path))


def test_an_engine_that_does_not_run_the_kind_is_one_error(minilm_path: Path, tmp_path: Path) -> None:
    problem = "engine vllm runs decoders of format transformers"
    with pytest.raises(InputError, match=f"mine.yaml: models.m: {problem}"):
        Catalogue(tmp_path, {"m": {"engine": "vllm", "kind": "encoder"}}, "mine.yaml")
    derived = {"engine": "vllm", "sources": [{"kind": "folder", "folder": str(minilm_path)}]}
    with pytest.raises(InputError, match=f"m: {problem}"):
        Catalogue(tmp_path, {"m": derived}, "mine.yaml").examine("m")


@pytest.mark.parametrize("content", ["{}", "a: {}", "a: {}\nb: {}"])
def test_an_entry_file_of_a_folder_has_one_entry_with_one_folder(tmp_path: Path, content: str) -> None:
    (tmp_path / "entry.yaml").write_text(content)
    with pytest.raises(InputError, match=r"entry\.yaml: not the entry of one model"):
        Entries().given(str(tmp_path))


def test_doctor_names_the_kind_of_a_folder_and_the_file_that_shows_it(minilm_path: Path) -> None:
    found = {one["question"]: one["detail"] for one in examine_model(str(minilm_path), None)}
    assert found["kind"] == "encoder (modules.json (Transformer, Pooling, Normalize))"
    assert found["longest document"] == "256 (sentence_bert_config.json)"
    assert found["longest input"] == "512 (config.json)"
    assert found["pooling"].endswith("pooling_mode_mean_tokens True (1_Pooling/config.json)")
    assert found["weights"] == "complete"


def test_doctor_names_the_weights_that_an_architecture_lacks(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "model", head=False)
    settings = read_json(folder / "config.json") | {"architectures": ["BertForSequenceClassification"]}
    write_json(folder / "config.json", settings | {"id2label": {"0": "score"}})
    weights = examine_model(str(folder), None)[-1]
    assert weights["answer"] == "no"
    assert "classifier.bias, classifier.weight" in weights["detail"]


def test_a_folder_that_reads_like_an_id_is_pointed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    Path("checkpoints/mine").mkdir(parents=True)
    with pytest.raises(UnavailableError, match=r"; for the folder here write \./checkpoints/mine$"):
        Catalogue(tmp_path / "cache").examine(f"checkpoints/mine@{COMMIT}")


def test_a_served_model_of_another_kind_is_named_as_such(tmp_path: Path) -> None:
    entry = {
        "title": "mine", "kind": "encoder", "format": "openai-http", "parameters": "1M", "licence": "MIT",
        "server": {"base_url": "http://host/v1", "model": "m"}, "trained_for_embedding": True,
        "window": 512, "document_tokens": 512, "query_tokens": 512,
    }  # fmt: skip
    catalogue = Catalogue(tmp_path, {"mine": entry}, "models.yaml")
    with pytest.raises(InputError, match=r"mine is recognised as encoder .*, not as cross-encoder; name"):
        catalogue.resolve("mine", "cross-encoder")
