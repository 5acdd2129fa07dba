"""Reciprocal rank fusion: by its formula, ties in corpus order, and through the command."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrieval_reference import ndcg_at_10

from e2rank_eval.config import parse_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.models.loading import Models
from e2rank_eval.records import CandidateIds, Dataset, Document, Query
from e2rank_eval.retrieval.base import Context
from e2rank_eval.retrieval.first_stages.fusion import fuse
from e2rank_eval.retrieval.retrieve import retrieve
from e2rank_eval.store.collections import read_candidate_ids, write_dataset
from e2rank_eval.store.layout import Layout

CORPUS = [f"d{number}" for number in range(12)]
PLACES = {identifier: at for at, identifier in enumerate(CORPUS)}


def as_list(ids: list[str], query_id: str = "q") -> CandidateIds:
    return CandidateIds(query_id, tuple(ids), tuple(map(float, range(len(ids), 0, -1))))


@given(
    st.lists(st.permutations(CORPUS).map(lambda ids: ids[:7]), min_size=2, max_size=4),
    st.integers(1, 12),
)
def test_fusion_is_the_exact_formula(rankings: list[list[str]], depth: int) -> None:
    fused = fuse([as_list(ids) for ids in rankings], PLACES, depth)
    exact = {
        i: sum((Fraction(1, 60 + ids.index(i) + 1) for ids in rankings if i in ids), Fraction())
        for i in CORPUS
    }
    expected = [i for i in sorted(CORPUS, key=lambda i: (-exact[i], CORPUS.index(i))) if exact[i]]
    assert list(fused.document_ids) == expected[:depth]
    assert list(fused.scores) == pytest.approx([float(exact[i]) for i in expected[:depth]])
    assert fused == fuse([as_list(ids) for ids in reversed(rankings)], PLACES, depth)


def test_lists_may_be_short_or_empty() -> None:
    assert fuse([as_list([]), as_list(["d5", "d3"])], PLACES, 5).document_ids == ("d5", "d3")
    assert fuse([as_list([]), as_list([])], PLACES, 5) == as_list([])


def test_a_run_with_other_queries_in_another_order_is_fused_by_query(tmp_path: Path) -> None:
    corpus = {i: Document(i, text) for i, text in (("a", "red"), ("b", "blue"), ("c", "red blue"))}
    queries = {i: Query(i, text) for i, text in (("q1", "red"), ("q2", "blue"), ("q3", "green"))}
    (tmp_path / "toy.trec").write_text("q2 Q0 a 1 2.0 t\nq1 Q0 b 1 2.0 t\n")
    own = {"retriever": "run", "path": f"{tmp_path}/{{dataset}}.trec"}
    stages = {"bm25": BM25, "own": own, "rrf": {"retriever": "fusion", "of": ["own", "bm25"]}}
    values = VALUES | {"datasets": {"toy": {"path": "unused"}}, "first_stages": stages}
    find = Context(parse_configuration(values, "test.yaml"), Models(tmp_path, threads=1), 10).finder("rrf")
    lists, origin = find(Dataset("toy", corpus, queries, {}))
    assert {one.query_id: one.document_ids for one in lists} == {
        "q1": ("a", "b", "c"), "q2": ("a", "b", "c"), "q3": ()
    }  # fmt: skip
    assert list(origin["fused"]) == ["own"]


BM25 = {"retriever": "bm25"}
VALUES = {"profile": "small", "rerankers": {"first-stage": {"family": "identity"}}}


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ({"rrf": {"retriever": "fusion"}, "a": BM25}, "of is missing"),
        ({"rrf": {"retriever": "fusion", "of": ["a"]}, "a": BM25}, "at least 2"),
        ({"rrf": {"retriever": "fusion", "of": ["a", "a"]}, "a": BM25}, "named twice"),
        ({"rrf": {"retriever": "fusion", "of": ["a", "c"]}, "a": BM25}, "unknown name 'c'"),
        ({"rrf": {"retriever": "fusion", "of": ["a", "rrf"]}, "a": BM25}, "fusion of a fusion"),
        ({"a": BM25 | {"of": ["a", "b"]}, "b": BM25}, "unknown key"),
        ({"a": {"retriever": "published"}}, "lists is missing"),
        ({"a": BM25 | {"revision": "main"}}, "unknown key"),
    ],
)
def test_a_configuration_that_cannot_be_run_is_refused(stages: dict[str, object], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_configuration(
            VALUES | {"datasets": {"small": {"path": "unused"}}, "first_stages": stages}, "test.yaml"
        )


def test_the_command_fuses_two_analysers_on_lee(lee_dataset: Dataset, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "results" / "small")
    query = next(iter(lee_dataset.queries))
    gone = frozenset(list(lee_dataset.corpus)[:5])
    exclusions = {**lee_dataset.exclusions, query: gone}
    write_dataset(
        layout.root / "datasets" / "lee",
        Dataset("lee", lee_dataset.corpus, lee_dataset.queries, lee_dataset.qrels, exclusions),
    )
    stages = {
        "simple": BM25 | {"depth": 20},
        "lucene": BM25 | {"analyser": "lucene", "quantised_lengths": True, "depth": 20},
        "rrf": {"retriever": "fusion", "of": ["simple", "lucene"], "depth": 10},
    }
    values = VALUES | {"datasets": {"lee": {"path": "unused"}}, "first_stages": stages}
    configuration = parse_configuration(values, "test.yaml")
    found = {}
    for name in stages:
        retrieve(configuration, name, ["lee"], layout, Models(tmp_path / "cache", threads=1))
        path = layout.root / "candidates" / "lee" / f"{name}.jsonl"
        found[name] = read_candidate_ids(path, lee_dataset.corpus)
    assert {len(one) for one in found["rrf"].values()} == {10}
    assert not gone & set(found["rrf"][query].document_ids)
    places = {identifier: at for at, identifier in enumerate(lee_dataset.corpus)}
    for query_id, fused in found["rrf"].items():
        parts = [found["simple"][query_id], found["lucene"][query_id]]
        assert fused.document_ids == fuse(parts, places, 10).document_ids
    ids = {query_id: one.document_ids for query_id, one in found["rrf"].items()}
    assert ndcg_at_10(lee_dataset.qrels, ids) == pytest.approx(65.7, abs=1.0)
    manifest = (layout.root / "candidates" / "lee" / "rrf.jsonl.manifest.json").read_text()
    assert '"quantised_lengths": true' in manifest
