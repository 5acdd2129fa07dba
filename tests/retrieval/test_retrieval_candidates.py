"""Candidate lists: exclusions before the cut, and the command's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.config import parse_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.loading import Models
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import Context, candidates
from e2rank_eval.retrieval.first_stages.bm25 import BM25
from e2rank_eval.retrieval.retrieve import retrieve
from e2rank_eval.store.collections import read_candidates, write_dataset
from e2rank_eval.store.layout import Layout

CORPUS = {
    f"d{number}": Document(f"d{number}", text)
    for number, text in enumerate(
        ["heat shield", "heat of the wing", "a wing", "wing and wing", "Beijing", "heat heat flow"]
    )
}
SMALL = {
    "profile": "small",
    "depth": 4,
    "datasets": {"small": {"path": "unused"}},
    "first_stages": {"bm25": {"retriever": "bm25"}, "bm25-2": {"retriever": "bm25", "depth": 2}},
    "rerankers": {"first-stage": {"family": "identity"}},
}
QUERIES = {"q1": Query("q1", "heat wing"), "q2": Query("q2", "Beijing capital")}


def dataset(exclusions: dict[str, frozenset[str]]) -> Dataset:
    return Dataset("small", CORPUS, QUERIES, {"q1": {"d1": 1}, "q2": {"d4": 2}}, exclusions)


@given(st.frozensets(st.sampled_from([*CORPUS, "elsewhere"])), st.integers(1, 8))
def test_excluded_documents_take_no_place(excluded: frozenset[str], depth: int) -> None:
    retriever = BM25(tuple(CORPUS.values()))
    unlimited = candidates(retriever, dataset({}), len(CORPUS))
    limited = candidates(retriever, dataset({"q1": excluded}), depth)
    expected = [i for i in unlimited[0].document_ids if i not in excluded][:depth]
    assert limited[0].document_ids == tuple(expected)
    assert limited[1].document_ids == unlimited[1].document_ids[:depth]


class NoModels(Models):
    def encoder(self, name: str, *, prompt: str = "eval", document_tokens: int | None = None) -> Encoder:
        raise AssertionError("BM25 loads no model")


def test_the_command_writes_candidates_and_manifests(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "results" / "small")
    write_dataset(layout.root / "datasets" / "small", dataset({"q2": frozenset({"d4"})}))
    configuration = parse_configuration(SMALL, "test.yaml")
    models = NoModels(tmp_path / "cache", threads=1)
    for first_stage, depth in (("bm25", 4), ("bm25-2", 2)):
        retrieve(configuration, first_stage, ["small"], layout, models)
        path = layout.root / "candidates" / "small" / f"{first_stage}.jsonl"
        lists = read_candidates(path, CORPUS)
        assert {query_id: len(one) for query_id, one in lists.items()} == {"q1": depth, "q2": 0}
        assert lists["q1"].document_ids[:2] == ("d1", "d3")
        assert "d4" not in lists["q2"].document_ids
        manifest = json.loads(path.with_name(path.name + ".manifest.json").read_text())
        assert manifest["command"].startswith(f"e2rank-eval retrieve {first_stage} small --config ")
        assert manifest["settings"]["depth"] == depth
        assert len(manifest["inputs"]) == 3
        assert (manifest["shortest_list"], manifest["queries_without_candidates"]) == (0, 1)
        first = path.read_bytes()
        retrieve(configuration, first_stage, ["small"], layout, models)
        assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("name", "hint"), [("bm25", "none shares a term"), ("elsewhere", "compare the ids of its queries")]
)
def test_a_data_set_of_which_no_query_has_a_candidate_is_refused(
    name: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "other.run").write_text("q1 Q0 elsewhere 1 1.0 other\n")
    run = {"retriever": "run", "path": str(tmp_path / "other.run"), "missing": "skip"}
    stages = {"bm25": {"retriever": "bm25"}, "elsewhere": run}
    queries = {"q1": Query("q1", "Tragfl\u00fcgel"), "q2": Query("q2", "Hitzeschild")}
    configuration = parse_configuration(SMALL | {"first_stages": stages}, "test.yaml")
    find = Context(configuration, NoModels(tmp_path, threads=1), 4).finder(name)
    with pytest.raises(
        InputError, match=rf"{name} finds no document for any of the 2 queries of small; {hint}"
    ):
        find(Dataset("small", CORPUS, queries, {"q1": {"d1": 1}, "q2": {"d4": 2}}))


def test_a_missing_data_set_is_named(tmp_path: Path) -> None:
    configuration = parse_configuration(SMALL, "test.yaml")
    with pytest.raises(InputError, match="no such file"):
        retrieve(configuration, "bm25", ["small"], Layout(tmp_path), NoModels(tmp_path, threads=1))
    assert not (tmp_path / "candidates").exists()
